"""The state of the optax transformations: optax' own, or one with optax' names of the fields.

An Adam that optax has too keeps its state as optax does, so that what reads, writes, shards and maps the one
does so with the other: a tuple of ``ScaleByAdamState(count, mu, nu)`` and the states of weight decay and
learning rate.  Any other Adam keeps an :class:`OptaxAdamState`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from adamcore.coefficients import MAX_CLOCK
from adamcore.errors import StateError
from adamcore.state import AdamState, check_state
from adamcore.types import Tree

FIRST = (optax.ScaleByAdamState, optax.ScaleByAmsgradState)  #: what the moments and their clock stand in

OURS = {"count": "t", "mu": "m", "nu": "v", "nu_max": "v_max"}  #: optax' name -> ours


class OptaxAdamState(AdamState):
    """An :class:`adamcore.AdamState` in which optax' tools find ``count``, ``mu``, ``nu`` and ``nu_max``.

    ``optax.tree.get``, ``optax.tree.set``, and the paths of JAX go by these names.  Attributes, and
    ``_replace``, have both names: ``state.mu`` is ``state.m``.

    Example:
        >>> import optax
        >>> state = OptaxAdamState(count=3, mu=0.5, nu=0.25)
        >>> optax.tree.get(state, "count"), optax.tree.set(state, mu=1.0).m
        (3, 1.0)
    """

    __slots__ = ()
    _fields = ("count", "mu", "nu", "nu_max", "mu_product", "p_rest", "m_scale", "v_scale", "v_max_scale")

    def __new__(
        cls,
        count: Tree,
        mu: Tree,
        nu: Tree,
        nu_max: Tree = None,
        mu_product: Tree = None,
        p_rest: Tree = None,
        m_scale: Tree = None,
        v_scale: Tree = None,
        v_max_scale: Tree = None,
    ) -> OptaxAdamState:
        scales = (m_scale, v_scale, v_max_scale)
        return super().__new__(cls, count, mu, nu, nu_max, mu_product, p_rest, *scales)

    @property
    def count(self) -> Tree:
        """The clock: the number of updates made."""
        return self.t

    @property
    def mu(self) -> Tree:
        """The first moments."""
        return self.m

    @property
    def nu(self) -> Tree:
        """The second moments."""
        return self.v

    @property
    def nu_max(self) -> Tree:
        """The largest second moments so far, or None."""
        return self.v_max

    def _replace(self, **changes: Any) -> OptaxAdamState:
        return super()._replace(**{OURS.get(name, name): value for name, value in changes.items()})

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={x!r}" for name, x in zip(self._fields, self, strict=True))
        return f"{type(self).__name__}({fields})"


def chained(state: AdamState, rest: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a state as optax keeps it.

    Args:
        state: the moments, and one clock for all leaves.
        rest: the states of what follows in optax' chain.
    """
    if state.v_max is None:
        return optax.ScaleByAdamState(state.t, state.m, state.v), *rest
    return optax.ScaleByAmsgradState(state.t, state.m, state.v, state.v_max), *rest


class Unpacked(NamedTuple):
    """A state of any form."""

    own: AdamState
    counts: dict[str, Any]  #: the numbers of steps that optax' schedules see, by hyperparameter
    packed: Callable[[AdamState, Any], Any]  #: from the state after a step, and whether it was skipped


def unpacked(state: Any) -> Unpacked:
    """Return a state as ours.

    Raises:
        StateError: it is neither an AdamState nor as optax keeps it, or it is packed.
    """
    if isinstance(state, AdamState):
        check_state(state)
        kind = type(state)
        return Unpacked(AdamState(*state), {}, lambda after, skipped: kind(*after))
    if not (isinstance(state, tuple) and state and isinstance(state[0], FIRST)):
        raise StateError(
            f"state is {type(state).__name__}: expected the state that init or the last update returned, or "
            "that of the optimizer of optax in whose place this one stands"
        )
    first, *rest = state
    own = AdamState(first.count, first.mu, first.nu, getattr(first, "nu_max", None))
    counts = {}
    for name, part in zip(("lr", "weight_decay"), reversed(rest), strict=False):
        for count in jax.tree.leaves(part):
            counts[name] = count

    def packed(after: AdamState, skipped: Any) -> Any:
        return chained(after, tuple(jax.tree.map(lambda count: following(count, skipped), rest)))

    return Unpacked(own, counts, packed)


def following(count: Any, skipped: Any) -> Any:
    """Return the next number of a count, which stays at the largest, and where a step is skipped."""
    count = jnp.asarray(count)
    return jnp.where((count < MAX_CLOCK) & (jnp.asarray(skipped) == 0), count + 1, count)
