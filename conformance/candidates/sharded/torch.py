"""The adapter of torch optimizers on several processes: parameters in shards, and what becomes of the wholes.

Every process makes the same steps of the same probe.  After each step they exchange what each has, put the
parameters together, and compare what must be the same on all of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from adamcore.conformance.candidates.adapter.base import (
    CandidateInfo,
    Stepper,
    UnsupportedProbe,
    describe,
    laid_out,
)
from adamcore.conformance.candidates.sharded.layouts import (
    Cuts,
    RankError,
    Shape,
    assemble,
    cuts_of,
    mesh_shape,
    place_of,
)
from adamcore.conformance.candidates.torch.candidate import TorchCandidate
from adamcore.conformance.candidates.torch.stepper import REST, TorchStepper
from adamcore.conformance.candidates.torch.tensors import as_tensor, to_numpy
from adamcore.conformance.errors import CandidateError
from adamcore.conformance.types import FloatArray, Layout, Moments, Probe, Start, Step


class RankReport(NamedTuple):
    """What one process has after a step."""

    error: str | None
    unsupported: str | None
    parts: list[FloatArray]
    clocks: list[int | None]  #: None where it has no clock of a parameter
    rests: list[FloatArray | None]  #: what its state has of the parameters besides themselves
    written: list[str]


class Group:
    """The processes of a candidate as a mesh, and how arrays lie on them.

    Args:
        layout: a key of :data:`~adamcore.conformance.candidates.sharded.layouts.CUTS`.
    """

    def __init__(self, layout: str) -> None:
        import torch
        import torch.distributed as dist
        from torch.distributed.device_mesh import DeviceMesh

        self.layout, self.ranks, self.rank = layout, dist.get_world_size(), dist.get_rank()
        self.shape = mesh_shape(layout, self.ranks)
        self.mesh = DeviceMesh("cpu", torch.arange(self.ranks).reshape(self.shape))

    @property
    def has_shards(self) -> bool:
        """Whether parameters are DTensors."""
        return self.layout not in ("ddp", "zero")

    def named(self, device: str) -> str:
        """Return the device for the report."""
        return f"{device}, {self.ranks} ranks ({self.layout})"

    def here(self, shape: Shape, cuts: Cuts) -> tuple[slice, ...]:
        """Return what this process has of an array."""
        return place_of(shape, cuts, self.shape, self.rank)

    def distributed(self, part: Any, shape: Shape, cuts: Cuts) -> Any:
        """Return the DTensor of which this process has ``part``, in the memory of that."""
        import torch
        from torch.distributed.tensor import DTensor, Replicate, Shard

        strides = [int(np.prod(shape[k + 1 :], dtype=np.int64)) for k in range(len(shape))]
        placements = [Replicate() if dim is None else Shard(dim) for dim in cuts]
        return DTensor.from_local(
            part, self.mesh, placements, run_check=False, shape=torch.Size(shape), stride=tuple(strides)
        )


class ShardedTorchCandidate(TorchCandidate):
    """Runs an optimizer class on each process of the group that this one is in.

    Args:
        one: the candidate, as it runs on one process.
        group: the processes.
    """

    def __init__(self, one: TorchCandidate, group: Group) -> None:
        self.cls, self.device, self.arguments = one.cls, one.device, one.arguments
        self.group = group

    @property
    def info(self) -> CandidateInfo:
        info = super().info
        return dataclasses.replace(info, device=self.group.named(info.device))

    def refuses(self, probe: Probe) -> str | None:
        if self.group.layout == "zero" and probe.layout == "strided":
            return "ZeroRedundancyOptimizer on gloo sends other elements of a parameter that skips memory"
        if probe.manner in ("joining", "frozen", "used") or probe.is_set_from_outside:
            return "on ranks parameters are neither added later, nor frozen, nor set from outside"
        return super().refuses(probe)

    def stepper(self, probe: Probe, dtype: str) -> ShardedTorchStepper:
        return ShardedTorchStepper(self, probe, dtype)


class ShardedTorchStepper(TorchStepper):
    """One optimizer of the shards that this process has."""

    candidate: ShardedTorchCandidate

    def __init__(
        self, candidate: ShardedTorchCandidate, probe: Probe, dtype: str, *, resumed: bool = False
    ) -> None:
        self.is_resumed, self.group = resumed, candidate.group
        self.whole: dict[int, FloatArray] = {}  #: by the id of a gradient: all of it, not the part here
        self.known_clocks: list[int] | None = None
        self.known_rests: list[FloatArray | None] = []
        super().__init__(candidate, probe, dtype)
        self.assembled: list[FloatArray] = self.cast(probe.params)  #: the parameters after the last step

    def again(self) -> ShardedTorchStepper:
        return ShardedTorchStepper(self.candidate, self.probe, self.dtype, resumed=self.is_resumed)

    # ------------------------------------------------------------------------------- parts of arrays

    def cuts(self, shape: Shape) -> Cuts:
        """Return how an array of this shape is cut, otherwise once it is resumed."""
        return cuts_of(self.group.layout, shape, resumed=self.is_resumed)

    def tensor(self, array: Any, layout: Layout | None = None) -> Any:
        made = self.sharded(array, layout or self.probe.layout)
        self.whole[id(made)] = array
        return made

    def sharded(self, values: FloatArray, layout: Layout = "C") -> Any:
        """Return a tensor of these values, a DTensor in most layouts, whose part here lies so in memory."""
        cuts = self.cuts(values.shape)
        part = values[self.group.here(values.shape, cuts)]
        here = as_tensor(laid_out(part, layout), self.device)
        return self.group.distributed(here, values.shape, cuts) if self.group.has_shards else here

    def refill(self, old: Any, new: FloatArray) -> None:
        local(old).copy_(local(self.sharded(np.array(new))))
        self.whole[id(old)] = new

    def bits(self, tensor: Any) -> FloatArray:
        """Return a gradient: what it was made of, with the values of the part that is here now."""
        whole = self.whole.get(id(tensor))
        if whole is None:
            return to_numpy(local(tensor))
        found = np.array(whole)
        found[self.group.here(whole.shape, self.cuts(whole.shape))] = to_numpy(local(tensor))
        return found

    def assemble(self, i: int, parts: Sequence[FloatArray]) -> FloatArray:
        """Return a parameter of its parts on all processes."""
        shape = self.probe.params[i].shape
        try:
            return assemble(parts, shape, self.cuts(shape), self.group.shape)
        except RankError as error:
            raise RankError(f"parameter {i} has {error}") from None

    # ------------------------------------------------------------------------------- the optimizer

    def construct(self, params: Any, arguments: Mapping[str, Any]) -> Any:
        error, made = None, None
        try:
            made = self.construct_here(params, arguments)
        except Exception as raised:
            error = raised
        self.exchange(error, [], [])
        return made

    def construct_here(self, params: Any, arguments: Mapping[str, Any]) -> Any:
        if self.group.layout != "zero":
            return self.candidate.cls(params, **arguments)
        from torch.distributed.optim import ZeroRedundancyOptimizer

        cls: Any = self.candidate.cls
        return ZeroRedundancyOptimizer(params, optimizer_class=cls, **arguments)

    def owners(self) -> Any:
        return self.optimizer.optim.state if self.group.layout == "zero" else self.optimizer.state

    def has_no_state(self, p: Any) -> bool:
        """Return whether another process has a parameter's state; with ZeRO this one may have none at all."""
        if self.group.layout != "zero":
            return super().has_no_state(p)
        return p not in self.owners() and self.known_clocks is not None

    def begin(self, start: Sequence[Start]) -> None:
        error: Exception | None = None
        try:
            super().begin(start)
        except Exception as raised:
            error = raised
        self.exchange(error, [], [])

    def like(self, values: FloatArray, other: Any) -> Any:
        if not self.torch.is_tensor(other):
            return other
        if not hasattr(other, "device_mesh"):
            return self.torch.tensor(values).to(other)
        made = self.sharded(values)
        return made.to(other.dtype)

    def closure_loss(self, grads: Sequence[Any]) -> Any:
        for p, g in zip(self.params, grads, strict=True):
            p.grad = g
        return self.torch.zeros(())

    def outcome(self, index: int, step: Step, error: Exception | None) -> tuple[list[Any], list[str]]:
        written = [] if error is not None else self.written(index, step)
        parts = [] if error is not None else [to_numpy(local(p)) for p in self.params]
        every = self.exchange(error, parts, written)
        self.known_clocks = self.clocks_of(every)
        self.known_rests = [self.rest_of(i, every) for i in range(len(self.params))]
        found = [[report.parts[i] for report in every] for i in range(len(self.params))]
        self.assembled = [self.assemble(i, parts) for i, parts in enumerate(found)]
        return self.assembled, sorted({name for report in every for name in report.written})

    def exchange(
        self, error: Exception | None, parts: list[FloatArray], written: list[str]
    ) -> list[RankReport]:
        """Return what every process has; raise the error that one of them has, this one's own first."""
        import torch.distributed as dist

        refusal = str(error) if isinstance(error, UnsupportedProbe) else None
        clocks = self.clocks_here() if parts else []
        rests = self.rests_here() if parts else []
        seen = None if error is None else describe(error)
        mine = RankReport(seen, refusal, parts, clocks, rests, written)
        every: list[Any] = [None] * self.group.ranks
        try:
            dist.all_gather_object(every, mine)
        except RuntimeError as lost:
            raise CandidateError(f"the ranks have lost each other: {describe(lost)}") from lost
        if error is not None:
            raise error
        for rank, report in enumerate(every):
            if report.unsupported is not None:
                raise UnsupportedProbe(report.unsupported)
            if report.error is not None:
                raise RankError(f"on rank {rank}: {report.error}")
        return every

    def clocks_here(self) -> list[int | None]:
        states = [self.owners().get(p, {}) for p in self.params]
        return [int(local(state["step"])) if "step" in state else None for state in states]

    def rests_here(self) -> list[FloatArray | None]:
        kept = [self.owners().get(p, {}).get(REST) for p in self.params]
        return [None if x is None else to_numpy(local(x)) for x in kept]

    def rest_of(self, i: int, every: Sequence[RankReport]) -> FloatArray | None:
        """Return what the states of all processes have of a parameter besides itself; None if they do not."""
        parts = [rest for report in every if (rest := report.rests[i]) is not None]
        if not parts:
            return None
        shape = self.probe.params[i].shape
        return assemble(parts, shape, self.cuts(shape), self.group.shape)

    def rests(self) -> list[FloatArray | None] | None:
        return self.known_rests if any(x is not None for x in self.known_rests) else None

    def moments(self) -> list[Moments | None] | None:
        return None  # each process has a part of them

    def clocks_of(self, every: Sequence[RankReport]) -> list[int] | None:
        """Return the clock of each parameter, the lowest of all processes; one that has none is at 0.

        With ZeRO a parameter has a state, and so a clock, on one process alone.
        """
        columns = list(zip(*(report.clocks for report in every), strict=True))
        if all(t is None for column in columns for t in column):
            return None
        if self.group.layout == "zero":
            columns = [tuple(t for t in column if t is not None) for column in columns]
        return [min((t or 0 for t in column), default=0) for column in columns]

    def clocks(self) -> list[int] | None:
        return self.known_clocks

    # ------------------------------------------------------------------------------- saved and loaded

    def held(self) -> None:
        """Return None: a parameter's parts lie on several processes until a step puts them together."""

    def resumed(self) -> Stepper:
        again = ShardedTorchStepper(self.candidate, self.probe, self.dtype, resumed=True)
        if self.group.layout == "ddp":
            again.optimizer.load_state_dict(self.optimizer.state_dict())
        elif self.group.layout == "zero":
            again.optimizer.load_state_dict(self.consolidated())
        else:
            self.checkpoint(again)
        for p, value in zip(again.params, self.assembled, strict=True):
            local(p).copy_(local(again.sharded(value)))
        again.assembled = list(self.assembled)
        return again

    def consolidated(self) -> Any:
        """Return the whole state of ZeRO, which the first process collects, on every process."""
        import torch.distributed as dist

        self.optimizer.consolidate_state_dict(to=0)
        found: list[Any] = [self.optimizer.state_dict() if self.group.rank == 0 else None]
        dist.broadcast_object_list(found, src=0)
        return found[0]

    def checkpoint(self, again: ShardedTorchStepper) -> None:
        """Save the state in a folder, and load it for parameters that are cut otherwise."""
        import torch.distributed as dist
        from torch.distributed.checkpoint.api import CheckpointException  # no Exception
        from torch.distributed.checkpoint.state_dict import (
            StateDictOptions,
            get_optimizer_state_dict,
            set_optimizer_state_dict,
        )
        from torch.distributed.checkpoint.state_dict_loader import load
        from torch.distributed.checkpoint.state_dict_saver import save

        with TemporaryDirectory() as mine:
            folder: list[Any] = [mine]
            dist.broadcast_object_list(folder, src=0)
            place, model, other = Path(folder[0]) / "state", self.module(), again.module()
            error: Exception | None = None
            try:
                kept: Any = get_optimizer_state_dict(model, self.optimizer)
                wanted: Any = get_optimizer_state_dict(other, again.optimizer)
            except Exception as raised:
                error = UnsupportedProbe(f"torch.distributed.checkpoint does not take it: {describe(raised)}")
            self.exchange(error, [], [])
            try:
                save({"optim": kept}, checkpoint_id=place)
                for name in wanted["state"].keys() - kept["state"].keys():
                    del wanted["state"][name]  # a parameter that has had no gradient yet
                load({"optim": wanted}, checkpoint_id=place)
                loose = StateDictOptions(strict=False)
                set_optimizer_state_dict(other, again.optimizer, wanted, options=loose)
            except (Exception, CheckpointException) as raised:
                error = RankError(f"a saved state is not loaded by other shards: {describe(raised)}")
            self.exchange(error, [], [])

    def module(self) -> Any:
        """Return a module with the parameters, by which torch.distributed.checkpoint knows their names."""
        module = self.torch.nn.Module()
        for i, p in enumerate(self.params):
            module.register_parameter(f"p{i}", p)
        return module


def local(x: Any) -> Any:
    """Return the part of a DTensor that is here; a whole tensor, or a number, as it is."""
    if hasattr(x, "device_mesh"):
        return x.detach().to_local()
    return x.detach() if hasattr(x, "detach") else x
