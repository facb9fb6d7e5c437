"""Right Adams with cautious weight decay, written in other orders."""

from __future__ import annotations

import numpy as np
from adams import Cautious
from flat import A
from register import right


@right()
class CautiousPlain(Cautious):
    """As the paper writes it."""


@right()
class CautiousFactor(Cautious):
    """p times 1 - lr*wd*mask, then the step."""

    def apply(self, i: int, p: A, u: A) -> A:
        mask = (u * p >= 0).astype(p.dtype)
        return p * (1 - self.lr * self.wd * mask) - self.lr * u


@right()
class CautiousBySigns(Cautious):
    """np.sign of both; the decay is selected, not masked."""

    def apply(self, i: int, p: A, u: A) -> A:
        kept = p * (1 - self.lr * self.wd)
        return np.where(np.sign(u) * np.sign(p) < 0, p, kept) - self.lr * u


@right()
class CautiousByMoment(Cautious):
    """The mask of the first moment, which has the sign of the step."""

    def apply(self, i: int, p: A, u: A) -> A:
        opposed = ((self.m[i] > 0) & (p < 0)) | ((self.m[i] < 0) & (p > 0))
        return p - self.lr * u - self.lr * self.wd * np.where(opposed, 0, p)


@right()
class CautiousInPlace(Cautious):
    """Decay first, in the elements that are picked."""

    def apply(self, i: int, p: A, u: A) -> A:
        p = p.copy()
        picked = ~(u * p < 0)
        p[picked] -= self.lr * self.wd * p[picked]
        return p - self.lr * u
