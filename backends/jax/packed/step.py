"""A step of a packed state: one call where that can be, else unpacked, stepped as ever and packed again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax

from adamcore.backends.jax.in_jit import is_on
from adamcore.backends.jax.packed import donated, in_jit
from adamcore.backends.jax.packed.tree import Packed, pack, unpack
from adamcore.config import AdamConfig
from adamcore.errors import BackendError, StateError
from adamcore.state import AdamState, check_is_state
from adamcore.step import Clip, LossScale, checked_step
from adamcore.trees import ParamTree
from adamcore.types import Tree


def step(
    adam: AdamConfig,
    params: Tree,
    grads: Tree,
    state: AdamState,
    lr: Any = None,
    present: Tree = None,
    donate: bool = False,
    hyper: Mapping[str, Any] | None = None,
    loss_scale: LossScale | None = None,
    clip: Clip | None = None,
) -> tuple[Tree, AdamState]:
    """Make one update by a packed state: see :func:`adamcore.step.step`.

    Raises:
        StateError: a part of the state is packed, and another is not.
        BackendError: parameters lie on several devices.
        The errors of :meth:`adamcore.Adam.step`.
    """
    check_is_state(state)
    for name, x in zip(AdamState._fields, state, strict=True):
        if x is not None and not isinstance(x, Packed):
            raise StateError(
                f"state.m is packed, and state.{name} is {type(x).__name__}: expected all of a state packed, "
                "or nothing of it; pack(unpack(state)) packs all"
            )
    if present is None and not hyper and loss_scale is None:
        done = donated.step(adam, params, grads, state, lr, clip) if donate else None
        if done is None and clip is None and is_on():
            done = in_jit.step(adam, params, grads, state, lr)
        if done is not None:
            return done
    check_place(params)
    plain = unpack(state), lr, present, donate, hyper, None, loss_scale, clip
    params, new = checked_step(adam, ParamTree(params), grads, *plain)
    return params, pack(new)


def check_place(params: Tree) -> None:
    """Raise BackendError for parameters on several devices: a vector of moments cannot lie as they do."""
    for p in jax.tree.leaves(params):
        if isinstance(p, jax.Array) and not isinstance(p, jax.core.Tracer) and len(p.devices()) > 1:
            raise BackendError(
                f"a parameter of shape {tuple(p.shape)} lies on {len(p.devices())} devices: expected those "
                f"of a packed state on one; {Packed.unpacking} returns a state that may lie as the parameters"
            )
