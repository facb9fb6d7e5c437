"""AdamW without get_state and set_state: for those whose state is no m, v and t."""

from __future__ import annotations

from adams import Stateless
from flat import A


class Unsaved(Stateless):
    """AdamW without get_state and set_state."""

    dialect = "torch.AdamW"

    def coupled(self, p: A, g: A) -> A:
        return g

    def apply(self, i: int, p: A, u: A) -> A:
        return p - self.lr * self.wd * p - self.lr * u
