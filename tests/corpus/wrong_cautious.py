"""Cautious weight decay that masks by something else, or where it should not."""

from __future__ import annotations

import numpy as np
from adams import AdamW, Cautious
from flat import A, F
from register import wrong


class Masked(Cautious):
    """Decay of the elements that ``where`` picks."""

    def where(self, p: A, u: A) -> A:
        return u * p >= 0

    def apply(self, i: int, p: A, u: A) -> A:
        return p - self.lr * (u + self.wd * np.where(self.where(p, u), p, 0))


@wrong("decay cautious_decay", "DEC.6")
class CautionByGradient(Masked):
    """The mask is made of the gradient, not of the step."""

    def coupled(self, p: A, g: A) -> A:
        self.g = g
        return g

    def where(self, p: A, u: A) -> A:
        return self.g * p >= 0


@wrong("decay cautious_decay", "DEC.6")
class CautionInverted(Masked):
    """Only where the step moves the parameter away from 0."""

    def where(self, p: A, u: A) -> A:
        return u * p < 0


@wrong("decay cautious_decay", "DEC.6", like="the update of p += u taken for that of p -= u")
class CautionOfNegative(Masked):
    """The mask is made of the negated step; nothing else is."""

    def where(self, p: A, u: A) -> A:
        return -u * p >= 0


@wrong("decay cautious_decay zero_gradient", "DEC.6", like="optax pull request 1611 before review")
class CautionStrict(Masked):
    """Not where the step is 0."""

    def where(self, p: A, u: A) -> A:
        return u * p > 0


@wrong("decay cautious_decay", "DEC.6", like="burn's AdamW, heavyball")
class CautionOfSigns(Masked):
    """A step of 0 counts as positive, so that a negative parameter does not decay under it."""

    def where(self, p: A, u: A) -> A:
        return (u >= 0) == (p >= 0)


@wrong("decay cautious_decay", "DEC.6")
class CautionOfOldMoment(Masked):
    """The mask is made of the moment before this step."""

    def first(self, m: A, g: A) -> A:
        self.old = m
        return super().first(m, g)

    def where(self, p: A, u: A) -> A:
        return self.old * p >= 0


@wrong("decay cautious_decay", "DEC.6")
class CautionOfNewParameter(Masked):
    """The mask is made of the updated parameter, the decay is of the old one."""

    def where(self, p: A, u: A) -> A:
        return u * (p - self.lr * u) >= 0


@wrong("decay cautious_decay", "DEC.6", like="timm's caution")
class CautionRescaled(Masked):
    """The decay that is left is scaled up by the share of the elements that do not decay."""

    def apply(self, i: int, p: A, u: A) -> A:
        mask = (u * p >= 0).astype(p.dtype)
        return p - self.lr * (u + self.wd * p * mask / max(float(mask.mean()), 1e-3))


@wrong("decay cautious_decay", "DEC.6")
class CautionIgnored(AdamW):
    """The mask is forgotten: every element decays."""

    dialect = "paper.CautiousAdamW"


@wrong("decay cautious_decay", "DEC.6")
class CautionOfNormedStep(Masked):
    """The mask of the whole array: it decays if the step goes its way in sum."""

    def where(self, p: A, u: A) -> A:
        return np.full(p.shape, float(np.sum(u * p)) >= 0)


@wrong("decay cautious_decay moments", "DEC.6", like="Cautious Optimizers")
class CautionOfStep(Cautious):
    """The step is masked by the sign of the gradient as well."""

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:
        return np.where(m * g >= 0, m, 0) / c1
