"""What is checked of the arrays of a step before anything is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from adamcore.config import AdamConfig
from adamcore.dtypes import PARTS, parts_of, wanted
from adamcore.errors import GradientError, StateError, TreeError
from adamcore.jobs import Columns, Job, UniformJobs, columns_of
from adamcore.protocol import Backend
from adamcore.registry import owns_all
from adamcore.state import AdamState, check_state
from adamcore.trees import ParamTree
from adamcore.types import Array, Device, DType


def check_parts(adam: AdamConfig, state: AdamState) -> None:
    """Raise unless the state has exactly the parts that the axes ask for."""
    check_state(state)
    wants = {
        "v_max": ("amsgrad", adam.amsgrad != "none"),
        "mu_product": ("nesterov", adam.nesterov == "dozat"),
        **parts_of(adam),
    }
    for name, (axis, there) in wants.items():
        if there != (getattr(state, name) is not None):
            came, expected = ("None", "a tree") if there else ("there", "None")
            raise StateError(
                f"state.{name} is {came}: expected {expected}, as {axis}={getattr(adam, axis)!r}; make the "
                "state with the init of the Adam that steps"
            )


def check_apart(tree: ParamTree, indices: Sequence[int], jobs: Sequence[Job]) -> None:
    """Raise if two leaves that take part share memory, so that they cannot be stepped in place."""
    columns = columns_of(jobs)
    for name in PARTS:  # a part that a job does not have is its p once more
        parts = [] if isinstance(jobs, UniformJobs) else [getattr(job, name) for job in jobs]
        if any(x is not None for x in parts):
            own = [job.p if x is None else x for job, x in zip(jobs, parts, strict=True)]
            columns = columns._replace(**{name: own})
    found = tree.backend.overlap(columns)
    if found is not None:
        one, other = (tree.path(indices[i]) for i in sorted(found))
        raise TreeError(
            f"{one} and {other}, or gradients and moments of theirs, share memory: expected memory of their "
            "own with donate=True, since in place the step of one would change the other; copy one of "
            "them, or step without donate"
        )


def check_leaves(tree: ParamTree, formats: list[Any], columns: Columns) -> None:
    """Raise unless gradient and state of each leaf fit its parameter.

    The columns are looked at as a whole, since a tree may have 100,000 leaves; if anything differs, the
    leaves are looked at one by one for the message.
    """
    gs, ms, vs, maxima = columns.g, columns.m, columns.v, columns.v_max
    if tree.large:
        state = [("m", ms, [f and f.m for f in formats]), ("v", vs, [f and f.v for f in formats])]
        if maxima:
            state.append(("v_max", maxima, state[1][2]))
        if fits_everywhere(tree, gs, state):
            return
    for i, f in enumerate(formats):
        parts = [] if f is None else [("m", ms[i], f.m), ("v", vs[i], f.v)]
        if maxima and f is not None:
            parts.append(("v_max", maxima[i], f.v))
        check_leaf(tree, i, f is not None, gs[i], parts)


def check_kept(tree: ParamTree, formats: Sequence[Any], kept: Mapping[str, Sequence[Any]]) -> None:
    """Raise unless these parts of the state fit the parameters."""
    for name, leaves in kept.items():
        for i, x in enumerate(leaves):
            part = wanted(name, tree.leaves[i], formats[i])
            if part is None or x is None:
                came, expected = ("None", "an array") if x is None else (type(x).__name__, "None")
                misfit = None if x is part else f"{came}: expected {expected}"
            else:
                misfit = differs(tree, x, tree.leaves[i], *part)
            if misfit:
                field = "p_storage" if name == "p_rest" else f"{name[0]}_storage"
                raise StateError(
                    f"{tree.path(i, f'state.{name}')} is {misfit}; this state was made for other parameters "
                    f"or another {field}: make it anew with init"
                )


def fits_everywhere(
    tree: ParamTree, gs: Sequence[Any], state: Sequence[tuple[str, Sequence[Any], list[DType]]]
) -> bool:
    """True if :func:`check_leaf` has nothing against any leaf."""
    b, ps = tree.backend, tree.leaves
    if any(p is None for p in ps):
        return False
    facts = shapes_and_devices(b, ps)
    for _, xs, dtypes in state:
        if not owns_all(b, xs) or [x.dtype for x in xs] != dtypes or shapes_and_devices(b, xs) != facts:
            return False
    pairs = [(p, g) for p, g in zip(ps, gs, strict=True) if g is not None]
    given = [g for _, g in pairs]
    if len(given) < len(ps):
        facts = shapes_and_devices(b, [p for p, _ in pairs])
    return (
        owns_all(b, given)
        and all(g.dtype == p.dtype for p, g in pairs)
        and shapes_and_devices(b, given) == facts
        and not any(map(b.refuse, given))
    )


def shapes_and_devices(b: Backend, xs: Sequence[Array]) -> tuple[list[Any], list[Device]]:
    return [x.shape for x in xs], list(map(b.device, xs))


def check_leaf(
    tree: ParamTree, i: int, has_parameter: bool, g: Any, state: Sequence[tuple[str, Any, DType]]
) -> None:
    """Raise unless gradient and state of one leaf fit its parameter.

    Args:
        tree: the parameters.
        i: the number of the leaf.
        has_parameter: False if None stands there for a parameter.
        g: its gradient, or None.
        state: the name, the array and the dtype of each part of its state.
    """
    p = tree.leaves[i]
    if not has_parameter:
        if g is not None:
            raise GradientError(
                f"{tree.path(i, 'grads')} is {type(g).__name__} where {tree.path(i)} is None: expected None"
            )
        return
    if g is not None:
        misfit = differs(tree, g, p, p.shape, p.dtype) or tree.backend.refuse(g)
        if misfit:
            raise GradientError(
                f"{tree.path(i, 'grads')} is {misfit}; convert the gradient, or give None for an absent one"
            )
    for name, x, dtype in state:
        misfit = differs(tree, x, p, p.shape, dtype)
        if misfit:
            raise StateError(
                f"{tree.path(i, 'state.' + name)} is {misfit}; this state was made for other parameters or "
                "another moment_dtype, m_dtype, v_dtype, m_storage or v_storage: give those that it was made "
                "with, or make it anew with init"
            )


def differs(tree: ParamTree, x: Any, p: Array, shape: Any, dtype: DType) -> str | None:
    """Return how ``x`` differs from an array of this form beside ``p``; None if it does not."""
    b = tree.backend
    if not b.owns(x):
        return f"{type(x).__name__}: expected an array of {b.name}"
    if x.shape != shape:
        return f"of shape {tuple(x.shape)}: expected {tuple(shape)}"
    if x.dtype != dtype:
        return f"of dtype {x.dtype}: expected {dtype}"
    if b.device(x) != b.device(p):
        return f"on device {b.device(x)}: expected {b.device(p)}"
    return None
