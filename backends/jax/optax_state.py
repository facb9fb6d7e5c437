"""The state of the optax transformations: an :class:`adamcore.AdamState` with optax' names of the fields."""

from __future__ import annotations

from typing import Any

from adamcore.state import AdamState
from adamcore.types import Tree

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
    _fields = ("count", "mu", "nu", "nu_max", "mu_product", "p_rest")

    def __new__(
        cls,
        count: Tree,
        mu: Tree,
        nu: Tree,
        nu_max: Tree = None,
        mu_product: Tree = None,
        p_rest: Tree = None,
    ) -> OptaxAdamState:
        return super().__new__(cls, count, mu, nu, nu_max, mu_product, p_rest)

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
