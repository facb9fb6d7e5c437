"""The adapter of optax factories: callables that return a GradientTransformation."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from adamcore.conformance.candidates.adapter.arguments import (
    REQUIRED,
    Arguments,
    effective_hyper,
    map_arguments,
    own_dialect,
    served_probe,
)
from adamcore.conformance.candidates.adapter.base import (
    CandidateInfo,
    Refusal,
    Stepper,
    UnsupportedProbe,
    describe,
    unsupported_reason,
)
from adamcore.conformance.candidates.adapter.runs import run_probe, use
from adamcore.conformance.candidates.programs.elementwise import Programs
from adamcore.conformance.candidates.schedules import functions, refused
from adamcore.conformance.dtypes import arithmetic_of
from adamcore.conformance.errors import CandidateError, UnavailableError
from adamcore.conformance.types import FloatArray, Moments, Probe, Run, Start, Step

MOST_COMPILED = 256  #: arrays; to compile a step of more as a whole would take minutes


class OptaxCandidate:
    """Runs a factory's transformation under jax.jit, as its users do.

    A step that treats each element alone is run by programs that the probes share
    (:mod:`adamcore.conformance.candidates.programs.elementwise`).

    For a probe that changes hyperparameters the factory is wrapped in ``inject_hyperparams``, but only for
    the arguments that change.  The others stay Python numbers, so that they are not rounded to the probe's
    dtype.  A factory that injects them itself is left as it is.
    """

    injects: frozenset[str] | None = None  #: the arguments that it injects itself, once it is known

    def __init__(
        self,
        factory: Callable[..., Any],
        settings: Mapping[str, str],
        known: Mapping[str, str] | None,
        device: str | None,
        required: Sequence[str] = REQUIRED,
    ) -> None:
        self.factory = factory
        self.device = jax_device(device)
        self.arguments = map_arguments(factory, settings, known, required=required)
        self.programs = Programs()

    @property
    def info(self) -> CandidateInfo:
        a = self.arguments
        flushes = self.device.platform == "cpu"
        device = jax_device_name(self.device)
        dialect = own_dialect(self.factory, a.extra) or conventional(a)
        return CandidateInfo(
            "optax factory",
            dialect,
            a.lacks,
            a.fixed,
            flushes,
            device,
            a.names,
            a.written,
            defaults=a.defaults,
        )

    def run(self, probe: Probe, dtype: str) -> Run:
        import jax

        probe = served_probe(probe, self.arguments.lacks, self.arguments.fixed)
        if reason := unsupported_reason(
            probe, lr=True, changes=True, found_inf=True, manners=("used", "scheduled")
        ):
            return Run(unsupported=reason)
        with jax.default_device(self.device):
            return run_probe(lambda variant: self.stepper(variant, dtype), probe)

    def stepper(self, probe: Probe, dtype: str) -> OptaxStepper:
        """Return the transformation that runs a variant of a probe."""
        return OptaxStepper(self, probe, dtype)


def conventional(arguments: Arguments) -> str:
    """Return the Adam of optax that a factory claims that says nothing.

    As all of optax, it has one clock and refuses absent gradients; what takes a weight decay decouples it.

    >>> conventional(Arguments({"lr": "learning_rate"}, {}, ("weight_decay",), {}))
    'optax.adam'
    """
    return "optax.adam" if "weight_decay" in arguments.lacks else "optax.adamw"


class OptaxStepper(Stepper):
    def __init__(self, candidate: OptaxCandidate, probe: Probe, dtype: str) -> None:
        import jax
        import jax.numpy as jnp
        import optax

        self.jax, self.jnp, self.dtype = jax, jnp, dtype
        self.candidate, self.probe = candidate, probe
        a = candidate.arguments
        keywords = a.call(effective_hyper(probe.hyper, a.lacks, a.fixed))
        factory = candidate.factory
        self.names = a.names
        steps = probe.steps
        if probe.manner == "scheduled":  # where functions make the changes
            keywords |= functions(probe, a.names)
            steps = ()
        self.changed = {name for step in steps for name in step.changes or ()}
        if any("[" in a.names[name] for name in self.changed):
            raise UnsupportedProbe("inject_hyperparams cannot change an argument that is a pair")
        self.moving = {"lr", *self.changed} if any(step.lr is not None for step in steps) else self.changed
        if missing := self.moving - a.names.keys():
            raise UnsupportedProbe(
                f"it has no argument for {', '.join(sorted(missing))}, which the probe sets"
            )
        injected = {a.names[name] for name in self.moving}
        try:
            if candidate.injects is None:
                self.made(factory, keywords)
                candidate.injects = frozenset(self.hyperparams())
            if not injected <= candidate.injects:
                others = tuple(n for n in inspect.signature(factory).parameters if n not in injected)
                number = jnp.dtype(arithmetic_of(dtype))  # no number of the parameters' 16 bits
                factory = optax.inject_hyperparams(factory, static_args=others, hyperparam_dtype=number)
            transformation = self.made(factory, keywords)
        except CandidateError:
            raise
        except Exception as error:
            if self.probe.manner == "scheduled":
                raise refused(error) from error
            if self.changed:
                raise UnsupportedProbe(f"inject_hyperparams is refused: {describe(error)}") from error
            raise Refusal(describe(error)) from error
        self.check_skipping(self.skips_what_is_not_finite())

        self.init, self.update = transformation.init, transformation.update

        def step(grads: Any, state: Any, params: Any) -> tuple[Any, Any]:
            updates, state = transformation.update(grads, state, params)
            return optax.apply_updates(params, updates), state

        self.step_all = self.compiled(step)

    def made(self, factory: Callable[..., Any], keywords: Mapping[str, Any]) -> Any:
        """Return the transformation that a factory makes, and begin with it."""
        transformation = factory(**keywords)
        if not (hasattr(transformation, "init") and hasattr(transformation, "update")):
            raise CandidateError(
                "a function is taken for a factory of optax, and this one returned "
                f"{type(transformation).__name__}, no GradientTransformation; a function of one step is "
                "named kernel:module:function, and anything else is put into a class with "
                "init(params, hyper) and step(grads)"
            )
        self.params = self.arrays(self.cast(self.probe.params))
        self.state = self.begun(transformation.init)
        return transformation

    def share(self, other: OptaxStepper) -> None:
        """Begin the transformation of another one once more, for one parameter fewer where it has several."""
        self.probe = self.probe.of(range(max(len(self.params) - 1, 1)))
        self.params = self.params[: len(self.probe.params)]
        self.state = self.begun(other.init)
        self.init, self.update, self.step_all = other.init, other.update, other.step_all

    def hyperparams(self) -> dict[str, Any]:
        """Return the hyperparameters in the state, which may be changed; none if nothing was injected."""
        nodes = self.jax.tree.leaves(self.state, is_leaf=is_injected)
        return next((node.hyperparams for node in nodes if is_injected(node)), {})

    def arrays(self, tree: Any) -> Any:
        """Return a tree of copies of arrays as a step takes it; shared programs take arrays of NumPy."""
        return tree

    def numpy(self, array: Any) -> FloatArray:
        """Return the values of one of JAX's arrays."""
        return np.asarray(array)

    def begun(self, init: Callable[..., Any]) -> Any:
        """Return the state at the start."""
        return self.shared(init, init)(self.params)

    def compiled(self, step: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``step(grads, state, params)`` as it is run."""
        few = len(self.params) <= MOST_COMPILED
        return self.shared(step, self.jax.jit(step) if few else step)

    def shared(self, function: Callable[..., Any], otherwise: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function run by programs that the probes share, or ``otherwise`` where it can't be.

        Many arrays are not traced in vain: if a step of few treated no element alone, theirs won't.
        """

        def as_it_is(*trees: Any) -> Any:
            return otherwise(*in_jax(trees))

        programs = self.candidate.programs
        in_vain = programs.refused and len(self.params) > MOST_COMPILED
        return as_it_is if in_vain else programs.shared(function, as_it_is)

    def again(self) -> OptaxStepper:
        """Return another one, of the same probe, in which a run is resumed."""
        return OptaxStepper(self.candidate, self.probe, self.dtype)

    def skips_what_is_not_finite(self) -> bool:
        """Return whether ``apply_if_finite`` is around the transformation, or in it."""
        import optax

        kind = optax.ApplyIfFiniteState
        found = self.jax.tree.leaves(self.state, is_leaf=lambda node: isinstance(node, kind))
        return any(isinstance(node, kind) for node in found)

    def check_skipping(self, skips: bool) -> None:
        """Raise :class:`UnsupportedProbe` where the probe skips other steps than the transformation does."""
        for step in self.probe.steps:
            finite = all(g is None or np.isfinite(g).all() for g in step.grads)
            if step.found_inf and not skips:
                raise UnsupportedProbe("its step takes no found_inf")
            if skips and finite == step.found_inf:
                raise UnsupportedProbe("it skips the steps whose gradients are not finite, and no others")

    def begin(self, start: Sequence[Start]) -> None:
        def given(name: str) -> list[Any]:
            values: list[Any] = self.arrays(self.cast([getattr(s, name) for s in start]))
            return values

        def replaced(node: Any) -> Any:
            if not is_moments(node):
                return node
            parts = {"mu": given("m"), "nu": given("v")}
            if "nu_max" in node._fields:
                parts["nu_max"] = given("v_max")
            if not is_held(node, len(start)):
                raise UnsupportedProbe("its moments are no list like the parameters")
            has = [is_array(m) for m in node.mu]
            t = next((s.t for s, is_mine in zip(start, has, strict=True) if is_mine), start[0].t)
            for name, values in parts.items():
                old = getattr(node, name)
                parts[name] = [x if mine else o for x, o, mine in zip(values, old, has, strict=True)]
            return node._replace(count=self.jnp.asarray(t, node.count.dtype), **parts)

        if not self.parts():
            raise UnsupportedProbe("its state has no part with count, mu and nu")
        self.state = self.jax.tree.map(replaced, self.state, is_leaf=is_moments)

    def resumed(self) -> Stepper:
        again = self.again()
        if self.probe.manner == "used":
            use(again, self.probe)
        saved = self.jax.tree.map(lambda x: np.array(self.numpy(x)), (self.params, self.state))
        again.params, again.state = again.arrays(saved)
        return again

    def place(self, params: Sequence[FloatArray]) -> None:
        self.params = self.arrays(list(params))

    def parts(self) -> list[Any]:
        """Return the parts of the state that are moments: one for all parameters, or one for each mask."""
        return [node for node in self.jax.tree.leaves(self.state, is_leaf=is_moments) if is_moments(node)]

    def part_of_each(self) -> list[Any]:
        """Return for each parameter the part of the state that has its moments; the first one if none has."""
        parts, count = self.parts(), len(self.params)
        held = [node for node in parts if is_held(node, count)]
        return [next((n for n in held if is_array(n.mu[k])), parts[0]) for k in range(count)] if parts else []

    def clocks(self) -> list[int] | None:
        t = {id(node): int(node.count) for node in self.parts()}  # read once, whatever the number of arrays
        return [t[id(node)] for node in self.part_of_each()] or None

    def rests(self) -> list[FloatArray | None] | None:
        for node in self.parts():
            kept = getattr(node, "p_rest", None)
            if kept is not None:
                return [x if x is None else self.numpy(x) for x in kept]
        return None

    def moments(self) -> list[Moments | None] | None:
        parts = self.part_of_each()
        if not parts or not all(is_held(node, len(parts)) for node in parts):
            return None
        kept: list[Moments | None] = []
        for k, node in enumerate(parts):
            maximum = (getattr(node, "nu_max", None) or [None] * len(parts))[k]
            mine = Moments(node.mu[k], node.nu[k], maximum)
            kept.append(mine.each(self.numpy) if is_array(node.mu[k]) else None)
        return kept

    def step(self, index: int, step: Step) -> tuple[list[Any], list[str]]:
        changes = {**({} if step.lr is None else {"lr": step.lr}), **(step.changes or {})}
        for name in changes.keys() & self.moving:
            number = np.asarray(changes[name], arithmetic_of(self.dtype))
            self.hyperparams()[self.names[name]] = self.jax.device_put(number)
        grads = self.arrays(self.cast(step.grads[: len(self.params)]))
        written = self.taken(grads) if self.probe.manner == "fresh" and index == 1 else []
        try:
            self.params, self.state = self.step_all(grads, self.state, self.params)
        except Exception as error:
            if self.probe.manner == "scheduled" and index == 1:
                raise refused(error) from error
            if self.changed and index == 1:  # such as a comparison of a traced argument with a number
                raise UnsupportedProbe(f"inject_hyperparams is refused: {describe(error)}") from error
            raise
        return [self.numpy(p) for p in self.params], written

    def taken(self, grads: Any) -> list[str]:
        """Return whose memory an update takes outside of ``jit``; nobody can write to arrays of JAX.

        It does if a part of it is compiled so that inputs of the whole are donated.  Inside of another
        compiled function nothing is.
        """
        given = {"gradients": grads, "the state": self.state, "parameters": self.params}
        try:
            program = self.jax.make_jaxpr(self.update)(*given.values()).jaxpr
        except Exception:  # it may look at numbers
            return []
        inputs = [name for name, tree in given.items() for _ in self.jax.tree.leaves(tree)]
        named = dict(zip(program.invars, inputs, strict=True))
        lost = {
            named[x]: None
            for part in program.eqns
            for x, donated in zip(part.invars, part.params.get("donated_invars", ()), strict=False)
            if donated and x in program.invars
        }
        return [f"{name}, whose memory it takes outside of jit" for name in lost]


def is_moments(node: Any) -> bool:
    """True if a node of a state has the fields of optax' moments, with one clock for all."""
    fields = {"count", "mu", "nu"} <= set(getattr(node, "_fields", ()))
    return fields and isinstance(node, tuple) and hasattr(getattr(node, "count", None), "dtype")


def is_injected(node: Any) -> bool:
    """True if a node of a state has hyperparameters that ``inject_hyperparams`` put there."""
    return isinstance(node, tuple) and isinstance(getattr(node, "hyperparams", None), dict)


def is_held(node: Any, count: int) -> bool:
    """True if moments are kept in lists, as the parameters are; an array that is masked has its place."""
    return all(isinstance(kept, list) and len(kept) == count for kept in (node.mu, node.nu))


def in_jax(tree: Any) -> Any:
    """Return a tree with NumPy's arrays as JAX's; ``jnp.asarray`` compiles a program for each shape."""
    import jax

    leaves, structure = jax.tree.flatten(tree)
    places = [k for k, leaf in enumerate(leaves) if isinstance(leaf, np.ndarray)]
    for k, array in zip(places, jax.device_put([leaves[k] for k in places], may_alias=False), strict=True):
        leaves[k] = array
    return jax.tree.unflatten(structure, leaves)


def is_array(kept: Any) -> bool:
    """True if this is the moment of a parameter, and no sign that a mask leaves it out."""
    return hasattr(kept, "dtype")


def jax_device(device: str | None) -> Any:
    """Return the JAX device "PLATFORM[:NUMBER]" of this process; None means the CPU.

    Raises:
        UnavailableError: there is no such device.
    """
    import jax

    platform, _, number = (device or "cpu").partition(":")
    try:
        return jax.local_devices(backend=platform)[int(number or 0)]
    except (RuntimeError, IndexError) as error:
        raise UnavailableError(
            f"jax {jax.__version__} has no device {device!r}: {describe(error)}"
        ) from error


def jax_device_name(device: Any) -> str:
    return "cpu" if device.platform == "cpu" else f"{device} ({device.device_kind})"
