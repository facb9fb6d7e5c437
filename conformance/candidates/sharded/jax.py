"""Optax factories on a mesh of JAX's devices: the parameters lie in parts, and the compiler divides the step.

The devices are those of this process, or one of each process that JAX has joined to it.

JAX has no array whose axes the mesh does not divide evenly.  Such an array lies whole on each device between
steps, and is cut inside of the program.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adamcore.conformance.candidates.adapter.base import CandidateInfo
from adamcore.conformance.candidates.optax import MOST_COMPILED, OptaxCandidate, OptaxStepper
from adamcore.conformance.candidates.sharded.exchange import Exchange
from adamcore.conformance.candidates.sharded.layouts import (
    Cuts,
    RankError,
    Shape,
    by_rows,
    cuts_of,
    mesh_shape,
)
from adamcore.conformance.errors import UnavailableError
from adamcore.conformance.types import FloatArray, Probe, Run

AXES = ("rows", "columns")  #: of the mesh


class Devices:
    """The devices of a candidate as a mesh, and how arrays lie on them.

    Args:
        layout: a key of :data:`~adamcore.conformance.candidates.sharded.layouts.CUTS`.
        ranks: how many devices.
        platform: of which platform.
        exchange: the processes that have a device each; None if this process has all devices.
        resumed: True for the arrays of a run that is resumed, which are cut otherwise.

    Raises:
        UnavailableError: there are fewer devices.
    """

    def __init__(
        self,
        layout: str,
        ranks: int,
        platform: str = "cpu",
        exchange: Exchange | None = None,
        *,
        resumed: bool = False,
    ) -> None:
        import jax

        found = jax.devices(platform)
        if exchange is not None:
            found = [next(d for d in found if d.process_index == k) for k in range(jax.process_count())]
        if len(found) < ranks:
            raise UnavailableError(f"JAX has {len(found)} devices of {platform!r}, expected {ranks}")
        self.jax, self.layout, self.ranks, self.platform = jax, layout, ranks, platform
        self.exchange, self.is_resumed = exchange, resumed
        self.shape = mesh_shape(layout, ranks)
        self.mesh = jax.sharding.Mesh(np.array(found[:ranks]).reshape(self.shape), AXES[: len(self.shape)])

    def elsewhere(self) -> Devices:
        """Return the same devices for a run that is resumed."""
        return Devices(self.layout, self.ranks, self.platform, self.exchange, resumed=True)

    @property
    def rounds_alike(self) -> bool:
        """True if a run that is resumed has parts of the same sizes, and so the same programs.

        For each size XLA decides anew which product of ``a*b - c*d`` it does not round.
        """
        return self.layout in ("ddp", "zero", "shard_map")

    def named(self, device: str) -> str:
        """Return the device for the report."""
        kind = "devices" if self.exchange is None else "processes"
        return f"{device}, {self.ranks} {kind} ({self.layout})"

    # ------------------------------------------------------------------------------- where arrays lie

    def cuts(self, shape: Shape) -> Cuts:
        """Return how an array of this shape is cut, otherwise once it is resumed."""
        return cuts_of(self.layout, shape, resumed=self.is_resumed)

    def spec(self, shape: Shape, cuts: Cuts) -> Any:
        """Return these cuts in JAX's words."""
        axes: list[list[str]] = [[] for _ in shape]
        for name, dim in zip(self.mesh.axis_names, cuts, strict=True):
            if dim is not None:
                axes[dim].append(name)
        return self.jax.sharding.PartitionSpec(*[tuple(names) or None for names in axes])

    def place(self, shape: Shape, cuts: Cuts | None = None) -> Any:
        """Return the sharding of an array with these cuts, those of its layout if none are given."""
        spec = self.spec(shape, self.cuts(shape) if cuts is None else cuts)
        return self.jax.sharding.NamedSharding(self.mesh, spec)

    def is_even(self, shape: Shape, cuts: Cuts) -> bool:
        """Return whether all parts are of one size."""
        parts = [1] * len(shape)
        for dim, count in zip(cuts, self.shape, strict=True):
            if dim is not None:
                parts[dim] *= count
        return all(n % count == 0 for n, count in zip(shape, parts, strict=True))

    def resting(self, shape: Shape) -> Any:
        """Return where an array lies between steps: whole, if it cannot be cut evenly."""
        cuts = self.cuts(shape)
        return self.place(shape, cuts if self.is_even(shape, cuts) else (None,) * len(cuts))

    # ------------------------------------------------------------------------------- arrays

    def array(self, value: FloatArray) -> Any:
        """Return an array on these devices."""
        place, value = self.resting(np.shape(value)), np.asarray(value)
        if self.exchange is None:
            return self.jax.device_put(value, place)
        return self.jax.make_array_from_callback(value.shape, place, value.__getitem__)

    def numpy(self, array: Any) -> FloatArray:
        """Return the values of an array.

        Raises:
            RankError: two devices have other bits of the same elements.
        """
        here = [(shard.index, np.asarray(shard.data)) for shard in getattr(array, "addressable_shards", ())]
        if self.exchange is None:
            parts = here
        else:
            parts = [part for each in self.exchange.gather(here) for part in each]
        seen: dict[str, tuple[int, bytes]] = {}
        for rank, (index, part) in enumerate(parts):
            mine = part.tobytes()
            first, theirs = seen.setdefault(str(index), (rank, mine))
            if mine != theirs:
                raise RankError(f"a parameter has other bits on rank {rank} than on rank {first}")
        return np.asarray(array) if self.exchange is None else whole(array, parts)

    # ------------------------------------------------------------------------------- steps

    def inside(self, tree: Any) -> Any:
        """Return a tree of traced arrays, those cut that cannot be cut between steps."""
        return self.jax.tree.map(lambda x: self.constrained(x, self.place(np.shape(x))), tree)

    def at_rest(self, tree: Any) -> Any:
        """Return a tree of traced arrays, those whole that cannot be cut between steps."""
        return self.jax.tree.map(lambda x: self.constrained(x, self.resting(np.shape(x))), tree)

    def in_parts(self, tree: Any) -> Any:
        """Return a state whose arrays are cut by rows where that is even, as ZeRO-1 has it."""

        def part(x: Any) -> Any:
            shape, cuts = np.shape(x), by_rows(np.shape(x))
            return self.constrained(x, self.place(shape, cuts if self.is_even(shape, cuts) else (None,)))

        return self.jax.tree.map(part, tree)

    def constrained(self, x: Any, place: Any) -> Any:
        """Return an array that the compiler has to put there; what is no array of a program stays."""
        return self.jax.lax.with_sharding_constraint(x, place) if self.is_traced(x) else x

    def is_traced(self, x: Any) -> bool:
        return isinstance(x, self.jax.core.Tracer)

    def divided(self, step: Callable[..., Any]) -> Callable[..., Any]:
        """Return a step that runs as the layout says.

        Args:
            step: takes trees of arrays, and returns the new parameters, then the new state.
        """
        if self.layout == "shard_map":
            return self.mapped(step)

        def on_mesh(*given: Any) -> Any:
            if self.layout == "zero":
                params, state = step(*given)
                return self.at_rest(params), self.in_parts(state)
            cut = [self.inside(tree) if self.has_uneven(tree) else tree for tree in given]
            found = step(*cut)
            return tuple(self.at_rest(tree) if self.has_uneven(tree) else tree for tree in found)

        return on_mesh

    def has_uneven(self, tree: Any) -> bool:
        """Return whether some array of a tree cannot be cut between steps."""
        shapes = [np.shape(x) for x in self.jax.tree.leaves(tree)]
        return any(not self.is_even(shape, self.cuts(shape)) for shape in shapes)

    def mapped(self, step: Callable[..., Any]) -> Callable[..., Any]:
        """Return a step that each device makes of its own parts alone."""

        def specs(tree: Any) -> Any:
            return self.jax.tree.map(lambda x: self.resting(np.shape(x)).spec, tree)

        def on_mesh(*given: Any) -> Any:
            out = specs(self.jax.eval_shape(step, *given))
            made = self.jax.shard_map(
                step, mesh=self.mesh, in_specs=tuple(map(specs, given)), out_specs=out, check_vma=False
            )
            return made(*given)

        return on_mesh


def whole(array: Any, parts: Sequence[tuple[tuple[slice, ...], FloatArray]]) -> FloatArray:
    """Return an array of its parts on all processes; each stands with its place in the whole."""
    if not parts:  # an array of NumPy, which each process has
        return np.asarray(array)
    found = np.empty(array.shape, parts[0][1].dtype)
    for index, part in parts:
        found[index] = part
    return found


class MeshOptaxCandidate(OptaxCandidate):
    """Runs a factory's transformation on a mesh of devices.

    Args:
        one: the candidate, as it runs on one device.
        layout: how parameters lie on the devices.
        ranks: how many devices.
        exchange: the processes that have a device each; None if this process has all devices.
    """

    def __init__(
        self, one: OptaxCandidate, layout: str, ranks: int, exchange: Exchange | None = None
    ) -> None:
        self.factory, self.device, self.arguments = one.factory, one.device, one.arguments
        self.devices = Devices(layout, ranks, one.device.platform, exchange)

    @property
    def info(self) -> CandidateInfo:
        info = super().info
        return dataclasses.replace(
            info, device=self.devices.named(info.device), rounds_alike=self.devices.rounds_alike
        )

    def run(self, probe: Probe, dtype: str) -> Run:
        if self.devices.layout == "shard_map" and len(probe.params) > MOST_COMPILED:
            return Run(unsupported=f"under shard_map a step of {len(probe.params)} arrays takes minutes")
        return super().run(probe, dtype)

    def stepper(self, probe: Probe, dtype: str) -> MeshOptaxStepper:
        return MeshOptaxStepper(self, probe, dtype, self.devices)


class MeshOptaxStepper(OptaxStepper):
    """One transformation of parameters on a mesh."""

    candidate: MeshOptaxCandidate

    def __init__(self, candidate: MeshOptaxCandidate, probe: Probe, dtype: str, devices: Devices) -> None:
        self.devices = devices
        super().__init__(candidate, probe, dtype)

    def arrays(self, tree: Any) -> Any:
        return self.jax.tree.map(self.devices.array, tree)

    def numpy(self, array: Any) -> FloatArray:
        return self.devices.numpy(array)

    def begun(self, init: Callable[..., Any]) -> Any:
        return init(self.params)

    def compiled(self, step: Callable[..., Any]) -> Callable[..., Any]:
        divided = self.devices.divided(step)
        return self.jax.jit(divided) if len(self.params) <= MOST_COMPILED else divided

    def again(self) -> MeshOptaxStepper:
        return MeshOptaxStepper(self.candidate, self.probe, self.dtype, self.devices.elsewhere())
