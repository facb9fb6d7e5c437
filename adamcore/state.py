"""The state that Adam keeps between steps."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

from adamcore.errors import StateError
from adamcore.types import Tree


class AdamState(NamedTuple):
    """The state of one tree of parameters (MOM.3, CLK.2).

    It is a named tuple, so that every library takes it as a pytree.

    Attributes:
        t: the clock, the number of updates made: a tree like params of int32 0-d arrays, or one
            array under ``clock="global"``.
        m: first moments: a tree like params, of the parameters' shapes, in their dtypes or in those
            that ``moment_dtype`` or ``m_dtype`` asks for; codes where ``m_storage`` keeps them in 8 bits.
        v: second moments, of the same form (real where ``complex="modulus"``); ``v_dtype`` and ``v_storage``
            are theirs.
        v_max: the largest v (AMS.1) or v_hat (AMS.2) so far, of the form of v; None without AMSGrad.
        mu_product: the product of Dozat's momentum schedule so far (NES.1): floating 0-d arrays in
            the structure of t; None without ``nesterov="dozat"``.
        p_rest: what ``p_storage`` keeps of the parameters besides themselves (STORE.1): a tree like params,
            None in the leaves that need nothing; None without such a policy.
        m_scale, v_scale, v_max_scale: the scales of the blocks of m, v and v_max where ``m_storage`` and
            ``v_storage`` keep these in 8 bits (STORE.9): trees like params, of vectors; else None.

    Example:
        >>> from adamcore import Adam
        >>> import numpy as np
        >>> Adam(amsgrad="uncorrected").init(np.zeros(2))
        AdamState(t=array(0, dtype=int32), m=array([0., 0.]), v=array([0., 0.]), \
v_max=array([0., 0.]), mu_product=None, p_rest=None, m_scale=None, v_scale=None, v_max_scale=None)
    """

    t: Tree
    m: Tree
    v: Tree
    v_max: Tree = None
    mu_product: Tree = None
    p_rest: Tree = None
    m_scale: Tree = None
    v_scale: Tree = None
    v_max_scale: Tree = None


class PackedTree:
    """A field of a state whose arrays a library keeps in fewer arrays: a base class, by which it is known."""

    unpacking: ClassVar[str] = "unpack(state)"  #: what returns the state as trees of arrays

    def step(
        self, adam: Any, params: Tree, grads: Tree, state: AdamState, *rest: Any
    ) -> tuple[Tree, AdamState]:
        """Make a step of a state whose m is this tree, from the arguments of :func:`adamcore.step.step`."""
        raise NotImplementedError


def check_is_state(state: object) -> None:
    """Raise :class:`StateError` unless ``state`` is an :class:`AdamState`."""
    if not isinstance(state, AdamState):
        raise StateError(
            f"state is {type(state).__name__}: expected an AdamState, as init, step and reset return it; the "
            "order of the arguments is step(params, grads, state)"
        )


def check_state(state: object) -> None:
    """Raise :class:`StateError` unless ``state`` is an :class:`AdamState` of trees of arrays."""
    check_is_state(state)
    m = getattr(state, "m", None)
    if isinstance(m, PackedTree):
        raise StateError(f"state.m is packed: expected a tree of arrays; {m.unpacking} returns such a state")
