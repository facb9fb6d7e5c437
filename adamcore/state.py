"""What Adam remembers between steps."""

from __future__ import annotations

from typing import NamedTuple

from adamcore.types import Tree


class AdamState(NamedTuple):
    """The state of one tree of parameters; a named tuple, so a pytree in every library.

    Attributes:
        t: the clock, the number of updates made: a tree like params of int32 0-d arrays, or a
            single one under ``clock="global"``.
        m: first moments, a tree like params.
        v: second moments, a tree like params (real where ``complex="modulus"``).
        v_max: the largest v (or v_hat) so far, a tree like params; None without AMSGrad.
        mu_product: the product of Dozat's momentum schedule so far, of the clock's structure,
            floating 0-d arrays; None without ``nesterov="dozat"``.
    """

    t: Tree
    m: Tree
    v: Tree
    v_max: Tree = None
    mu_product: Tree = None
