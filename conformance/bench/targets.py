"""The steps of candidates, in float32: what ``adamcore bench TARGET`` times beside a copy of memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from adamcore.backends.kernels import llvm
from adamcore.conformance.bench import steps_cuda
from adamcore.conformance.bench.contenders import EVICT, Contender
from adamcore.conformance.bench.measure import Row, run_workload
from adamcore.conformance.bench.situations import SITUATIONS
from adamcore.conformance.bench.step import Step
from adamcore.conformance.bench.steps import arrays, tensors
from adamcore.conformance.bench.workloads import BYTES, WORKLOADS, Shapes, elements
from adamcore.conformance.candidates import Candidate, load_candidates
from adamcore.conformance.candidates.adapter.arguments import complete_hyper, effective_hyper
from adamcore.conformance.candidates.adapter.base import describe
from adamcore.conformance.candidates.array import ArrayCandidate, init_defaults
from adamcore.conformance.candidates.calls import Convention, Request
from adamcore.conformance.candidates.keras import KerasCandidate
from adamcore.conformance.candidates.kernel import KernelCandidate
from adamcore.conformance.candidates.optax import OptaxCandidate
from adamcore.conformance.candidates.programs import compilations
from adamcore.conformance.candidates.torch.candidate import TorchCandidate
from adamcore.conformance.errors import CandidateError, UsageError
from adamcore.errors import AdamcoreError

HYPER = {"lr": 1e-3, "b1": 0.9, "b2": 0.999, "eps": 1e-8, "weight_decay": 1e-2}
"""The hyperparameters of a timed step; those that a candidate does not take are left out."""
Run = Callable[[], object]
UNTIMED = "adamcore bench times a class, a factory or a kernel, and not"


def load_target(target: str, settings: Mapping[str, str], device: str | None) -> Candidate:
    """Return the candidate that is timed, in this process.

    Raises:
        UsageError: it is of a kind that is not timed.
        CandidateError: the target cannot be imported, or is of no known kind.
    """
    if target.startswith("cmd:"):
        raise UsageError(f"{UNTIMED} {target}: a step that is sent through a pipe does not tell its speed")
    [candidate] = load_candidates(target, [None], settings, device, required=())
    if not isinstance(candidate, tuple(MAKERS)):
        raise UsageError(f"{UNTIMED} {target}: of our own backends it times a whole framework")
    return candidate


def run_target(
    target: str, candidate: Candidate, names: Sequence[str], budget: float, progress: Callable[[str], None]
) -> list[Row]:
    """Time a candidate on each workload; the row before its own is a copy of memory.

    Args:
        target: its name in the rows.
        candidate: what :func:`load_target` returned.
        names: the workloads.
        budget: seconds for one workload.
        progress: called with a line of text before each part.
    """
    on_cuda, framework = is_on_cuda(candidate), framework_of(candidate)
    contender = Contender(framework, target, partial(step_of, candidate), ours=False)
    rows: list[Row] = []
    for name in names:
        shapes = WORKLOADS[name]
        copy = None if on_cuda or llvm.available() else plain_copy(shapes)
        rows += run_workload(name, shapes, [SITUATIONS["hot"]], [contender], budget, progress, copy)
    return rows


def is_on_cuda(candidate: Candidate) -> bool:
    """True if a candidate's step has to be waited for in PyTorch's way; JAX's own step waits."""
    return candidate.info.device.startswith("cuda") and not isinstance(candidate, OptaxCandidate)


def framework_of(candidate: Candidate) -> str:
    """Return the framework whose arrays a candidate steps; NumPy for one that is not timed by itself."""
    name = "numpy"
    if is_on_cuda(candidate):
        return "torch:cuda"
    if isinstance(candidate, TorchCandidate):
        name = "torch"
    elif isinstance(candidate, OptaxCandidate):
        name = "jax"
    elif isinstance(candidate, KerasCandidate):
        import keras

        name = keras.backend.backend()
    elif isinstance(candidate, KernelCandidate):
        convention = candidate.in_dtype("float32")
        if isinstance(convention, Convention):
            name = convention.library.xp.__name__.partition(".")[0]
    return name if name in EVICT else "numpy"


def plain_copy(shapes: Shapes) -> Step:
    """Return a step that copies half of what a step of Adam moves, and so moves as much, with NumPy."""
    source = np.ones(BYTES // 2 * elements(shapes), np.uint8)
    return Step(partial(np.copyto, np.empty_like(source), source))


def step_of(candidate: Candidate, shapes: Shapes) -> Step:
    """Return a candidate's step on arrays of these shapes, with the bytes that it moves at least.

    Raises:
        CandidateError: it cannot be made for them.
    """
    make = next(make for kind, make in MAKERS.items() if isinstance(candidate, kind))
    try:
        run, begun = make(candidate, shapes), compilations.count()
    except AdamcoreError:
        raise
    except Exception as error:
        raise CandidateError(f"it could not be made for arrays of this size: {describe(error)}") from error
    moved = BYTES * elements(shapes)
    step = steps_cuda.synchronized(run, moved) if is_on_cuda(candidate) else Step(run, bytes=moved)
    return replace(step, compilations=lambda: compilations.count() - begun)


def hyper_of(candidate: Any) -> dict[str, float]:
    """Return the hyperparameters that a candidate is timed with."""
    return effective_hyper(HYPER, candidate.info.lacks, candidate.info.fixed)


def torch_step(candidate: TorchCandidate, shapes: Shapes) -> Run:
    ps, _ = tensors(shapes, candidate.device)
    optimizer: Any = candidate.cls(ps, **candidate.arguments.call(hyper_of(candidate)))
    run: Run = optimizer.step
    return run


def optax_step(candidate: OptaxCandidate, shapes: Shapes) -> Run:
    import jax
    import optax

    from adamcore.conformance.bench.steps_jax import jax_arrays

    adam: Any = candidate.factory(**candidate.arguments.call(hyper_of(candidate)))

    def update(ps: Any, gs: Any, state: Any) -> Any:
        updates, state = adam.update(gs, state, ps)
        return optax.apply_updates(ps, updates), state

    with jax.default_device(candidate.device):
        ps, gs = jax_arrays(shapes, 0), jax_arrays(shapes, 1)
        state = adam.init(ps)
    compiled = jax.jit(update, donate_argnums=(0, 2))

    def step() -> None:
        nonlocal ps, state
        ps, state = compiled(ps, gs, state)
        jax.block_until_ready(ps)

    return step


def keras_step(candidate: KerasCandidate, shapes: Shapes) -> Run:
    import keras

    variables = [keras.Variable(p) for p in arrays(shapes, 0)]
    grads = [keras.ops.convert_to_tensor(g) for g in arrays(shapes, 1)]
    optimizer: Any = candidate.cls(**candidate.arguments.call(hyper_of(candidate)))
    optimizer.build(variables)
    wait = getattr(variables[0].value, "block_until_ready", None) is not None

    def step() -> None:
        optimizer.apply(grads, variables)
        if wait:
            for variable in variables:
                variable.value.block_until_ready()

    return step


def array_step(candidate: ArrayCandidate, shapes: Shapes) -> Run:
    optimizer: Any = candidate.cls(**candidate.keywords)
    hyper = complete_hyper(HYPER, candidate.lacks, candidate.fixed, init_defaults(candidate.lacks))
    optimizer.init(arrays(shapes, 0), hyper)
    return partial(optimizer.step, arrays(shapes, 1))


def kernel_step(candidate: KernelCandidate, shapes: Shapes) -> Run:
    convention = candidate.in_dtype("float32")
    if not isinstance(convention, Convention):
        raise convention
    library = convention.library
    slots = [convention.slot(p) for p in arrays(shapes, 0)]
    grads = [library.array(g) for g in arrays(shapes, 1)]
    request = Request(complete_hyper(HYPER, candidate.lacks, candidate.signature.fixed))

    def step() -> None:
        if convention.signature.of_lists:
            convention.step(slots, grads, request)
        else:
            for slot, g in zip(slots, grads, strict=True):
                convention.step([slot], [g], request)
        for slot in slots:
            if hasattr(slot.p, "block_until_ready"):
                slot.p.block_until_ready()

    return step


MAKERS: dict[type, Callable[[Any, Shapes], Run]] = {
    TorchCandidate: torch_step,
    OptaxCandidate: optax_step,
    KerasCandidate: keras_step,
    ArrayCandidate: array_step,
    KernelCandidate: kernel_step,
}
"""How the step of each kind of candidate is made."""
