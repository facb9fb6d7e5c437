"""The exact answer where every step is stored in 16 bits, or moments in 8: the oracle of NUM.1 and STORE.9.

In 16 bits the rounding on storage is far larger than all others.  So it is not bounded but made: a step
begins at the parameter that the candidate itself has stored, and at moments that are rounded as NUM.1 says.
What is left to bound is the arithmetic between two storages.  The exact value and that bound give the numbers
of the dtype that a right candidate can have stored, most often one.

Under a policy of storage (STORE.1) a step begins at the value that the parameter and the candidate's rest of
it stand for, and what is judged is the value after the step.

The moments of the candidate are not looked at.  They are what the exact ones, at most that bound away, are
rounded to; where two numbers are possible, both are allowed for.  Moments that are rounded at random are
looked at, where the candidate shows them: then a step begins at those that it has stored (STORE.16).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from flint import ctx

from adamcore import Adam
from adamcore.config import MOMENT_STORAGE
from adamcore.conformance.dtypes import round_to
from adamcore.conformance.oracle.bounds import AffineSlot, Bound, Storage, format_of, formats_of
from adamcore.conformance.oracle.clipped import clipped
from adamcore.conformance.oracle.coded import codings_of, possible
from adamcore.conformance.oracle.exact import PRECISION, ExactSlot, Value, _ball
from adamcore.conformance.oracle.kept import RESTS, Draw, drawn, kept, neighbours
from adamcore.conformance.oracle.perturbation import StepFault
from adamcore.conformance.oracle.sharing import without_repeats
from adamcore.conformance.oracle.trajectory import Trajectory, simulate
from adamcore.conformance.settings import NARROW
from adamcore.conformance.types import FloatArray, Moments, Probe
from adamcore.dtypes import named_by
from adamcore.storage.moments import IN_8_BITS
from adamcore.storage.policies import PStorage


class Ends(NamedTuple):
    """Between which numbers a moment lies before it is stored, and what it is without errors."""

    low: FloatArray
    exact: FloatArray
    high: FloatArray


@dataclass(frozen=True)
class Unrounded:
    """One real vector after a step, before it is stored: ``high + low``, and what arithmetic may be off."""

    high: FloatArray
    low: FloatArray
    arithmetic: FloatArray
    size: FloatArray
    moments: dict[str, Ends] | None = None  #: by name, if each step begins at moments that were stored

    @property
    def value(self) -> Value:
        return Value(self.high, self.low, np.zeros_like(self.high))

    def bound(self, dtype: str, policy: PStorage = "plain", draw: Draw | None = None) -> Bound:
        """Return how far from the exact value the numbers are that may have been stored.

        Args:
            dtype: the dtype of the parameters.
            policy: how they are kept (STORE.1).  The numbers of a policy with a rest are values.
            draw: for "stochastic", whose random bits are asked for; None allows for both neighbours.
        """
        ends = [self.high + sign * self.arithmetic for sign in (-1.0, 1.0)]
        if policy in RESTS:
            stored = [kept(policy, x, dtype).astype(np.float64) for x in ends]
        elif policy == "stochastic" and draw is None:
            stored = [neighbours(x, dtype)[k] for k, x in enumerate(ends)]
        elif policy == "stochastic":
            assert draw is not None
            stored = [drawn(x, dtype, draw) for x in ends]
        else:
            stored = [round_to(x, dtype) for x in ends]
        with np.errstate(invalid="ignore"):
            off = [np.abs((x - self.high) - self.low) for x in stored]
        return Bound(np.maximum(*off), self.size, self.arithmetic)


class StoredSlot:
    """A slot of exact balls beside one of affine numbers (:class:`~.trajectory.Slot`)."""

    def __init__(
        self, adam: Adam, parts: list[FloatArray], dtype: str, flushes: bool, wide: str | None
    ) -> None:
        arithmetic, storage = formats_of(adam, dtype, flushes)
        if wide is not None:  # arithmetic in another dtype than NUM.1 says
            arithmetic, storage = format_of(wide, flushes), Storage()
        self.exact, self.affine = ExactSlot(adam, parts), AffineSlot(adam, parts, arithmetic)
        n = len(parts)
        names = [named_by(adam, field)[1] or dtype for field in ("m_dtype", "v_dtype", "v_dtype")]
        kinds = [storage.m] * n + [storage.v] * 2
        stored = [names[0]] * n + names[1:]
        self.stored = {n + k: name for k, (name, kind) in enumerate(zip(stored, kinds, strict=True)) if kind}
        policies = [adam.m_storage] * n + [adam.v_storage] * 2
        random = (n + k for k, policy in enumerate(policies) if policy == "stochastic")
        self.random = {k for k in random if self.stored.get(k) in NARROW}
        self.codings = codings_of(adam, n, parts[0].shape)
        self.stored |= dict.fromkeys(self.codings, "float32")
        self.ends: dict[str, Ends] | None = None

    @property
    def adam(self) -> Adam:
        return self.exact.adam

    @adam.setter
    def adam(self, adam: Adam) -> None:
        self.exact.adam = self.affine.adam = adam

    def step(
        self, t: int, lr: float, grads: list[FloatArray], mask: FloatArray | None, fault: StepFault | None
    ) -> None:
        self.exact.step(t, lr, grads, mask, fault)
        self.affine.step(t, lr, grads, mask, fault)
        radius = self.affine.radius()
        self.off = radius[: self.affine.parts]
        self.keep_ends(radius)
        for k, dtype in self.stored.items():
            self.store(k, dtype, radius[k])
        self.affine.past = self.affine.past[:, np.any(self.affine.past != 0, axis=(0, 2))]

    def keep_ends(self, radius: FloatArray) -> None:
        """Keep the moments as they are now, before they are stored."""
        n, centre = self.affine.parts, self.affine.centre
        if self.ends is not None and n == 1:
            self.ends = {
                name: Ends(centre[k] - radius[k], np.array(centre[k]), centre[k] + radius[k])
                for k, name in enumerate(Moments._fields, start=n)
            }

    def store(self, k: int, dtype: str, radius: FloatArray) -> None:
        """Round state variable ``k``: to a number, or to the middle of two, half their distance off."""
        centre, coding = self.affine.centre[k], self.codings.get(k)
        with np.errstate(invalid="ignore", over="ignore"):
            if coding is None and k in self.random:  # to either neighbour
                low, high = neighbours(centre - radius, dtype)[0], neighbours(centre + radius, dtype)[1]
            elif coding is None:
                low, high = round_to(centre - radius, dtype), round_to(centre + radius, dtype)
            else:
                low, high = possible(coding, centre, radius)
            middle, gap = (low + high) / 2, (high - low) / 2
        finite = np.isfinite(low) & np.isfinite(high)
        middle, gap = (
            np.where(finite, middle, np.nan),
            np.where(finite, gap, 0.0),
        )  # NF.3: what overflows is free
        self.affine.centre[k], self.affine.past[:, :, k] = middle, 0.0
        if gap.any():
            fresh = np.zeros((len(gap), 1, self.affine.past.shape[2]))
            fresh[:, 0, k] = gap
            self.affine.past = np.concatenate([self.affine.past, fresh], axis=1)
        n, balls = self.affine.parts, _ball(middle.astype(object))
        if k < 2 * n:
            self.exact.m = [*self.exact.m[: k - n], balls, *self.exact.m[k - n + 1 :]]
        elif k == 2 * n:
            self.exact.v = balls
        else:
            self.exact.v_max = balls

    def set_state(self, m: list[FloatArray], v: FloatArray, v_max: FloatArray, mu_product: float) -> None:
        self.exact.set_state(m, v, v_max, mu_product)
        self.affine.set_state(m, v, v_max, mu_product)

    def set_moments(self, m: list[FloatArray], v: FloatArray, v_max: FloatArray) -> None:
        self.exact.set_moments(m, v, v_max)
        self.affine.set_moments(m, v, v_max)
        self.ends = {}
        self.keep_ends(self.affine.radius())

    def set_parameter(self, parts: list[FloatArray]) -> None:
        self.exact.set_parameter(parts)
        self.affine.set_parameter(parts)
        self.off = np.zeros_like(self.affine.radius()[: self.affine.parts])

    def tick(self, t: int, lr: float) -> None:
        self.exact.tick(t, lr)
        self.affine.tick(t, lr)

    def reset_moments(self) -> None:
        self.exact.reset_moments()
        self.affine.reset_moments()

    def read(self) -> list[Unrounded]:
        sizes = [bound.size for bound in self.affine.read()]
        off = getattr(self, "off", np.zeros((len(sizes), len(sizes[0]))))
        return [
            Unrounded(value.high, value.low, np.where(np.isnan(error), np.inf, error), size, self.ends)
            for value, error, size in zip(self.exact.read(), off, sizes, strict=True)
        ]


def stored(
    claim: Adam,
    probe: Probe,
    dtype: str,
    returned: Sequence[Sequence[FloatArray]],
    flushes: bool = False,
    arithmetic: str | None = None,
    moments: Sequence[Sequence[Moments]] | None = None,
) -> Trajectory[Unrounded]:
    """Return what is stored after each step of a run, before it is rounded.

    Args:
        claim: the axes; the hyperparameters are the probe's, and the dtypes of the moments are the claim's.
        probe: the input, in numbers of the dtype.
        dtype: the dtype of the parameters: one of :data:`adamcore.conformance.settings.NARROW`, or any where
            moments are kept in 8 bits.
        returned: the parameters after each step as the candidate stored them, or their values under a policy
            with a rest; each step begins at them.
        flushes: whether the arithmetic flushes subnormals to zero.
        arithmetic: the dtype of the arithmetic; None for that of NUM.1.  In a narrower one the moments are
            not known, and their errors add up.
        moments: those of each parameter after each step, as the candidate stored them; each step begins at
            them.  None: at those that the claim says.
    """
    probe = clipped(probe)
    steps, before = [], probe.params
    kept = None if moments is None else tuple(Moments.zeros(np.shape(p)) for p in probe.params)
    for number, step in enumerate(probe.steps):
        steps.append(replace(step, before=before, moments=kept))
        kept = tuple(moments[number]) if moments is not None and number < len(moments) else kept
        if number < len(returned) and len(returned[number]) == len(before):
            before = tuple(map(like, returned[number], before))
    probe = replace(probe, steps=tuple(steps))
    in_blocks = any(getattr(claim, name) in IN_8_BITS for name in MOMENT_STORAGE)
    each = in_blocks or moments is not None  # a block is of all elements, and moments are of one
    short, whole = (probe, unchanged) if each else without_repeats(probe)
    with ctx.workprec(PRECISION):
        return whole(
            simulate(claim, short, lambda a, parts: StoredSlot(a, parts, dtype, flushes, arithmetic))
        )


def unchanged(trajectory: Trajectory[Unrounded]) -> Trajectory[Unrounded]:
    return trajectory


def like(p: FloatArray, before: FloatArray) -> FloatArray:
    """Return a parameter as the one before the step is kept; that one itself if the shapes differ."""
    return np.asarray(p, dtype=before.dtype) if np.shape(p) == np.shape(before) else before
