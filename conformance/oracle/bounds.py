"""The tolerance: how far from the exact answer roundings alone can take a right Adam.

Each step is run once with noisy numbers (:mod:`adamcore.conformance.oracle.affine`), which gives its
Jacobian J over the state (p, m, v, v_max) and the effect d of its own roundings on it.  The error
after step T is then at most the sum over the steps s <= T of |J_T ... J_(s+1) d_s|: signed
sensitivities, multiplied before the absolute value is taken, so that what Adam forgets is forgotten.

The bound covers a family of evaluation orders: two rounded weights or one (lerp), folded step
sizes, reciprocals, fused multiply-add; see docs/tolerance.md for what is in it and why.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from adamcore import Adam
from adamcore.conformance.dtypes import DTYPES, arithmetic_of
from adamcore.conformance.oracle.affine import (
    AffineCoefficients,
    AffineNamespace,
    AffineNumber,
    Format,
    NoiseSymbols,
)
from adamcore.conformance.oracle.perturbation import Fault, StepFault
from adamcore.conformance.oracle.sharing import canonical_claim, expand, unique_elements
from adamcore.conformance.oracle.trajectory import Trajectory, simulate
from adamcore.conformance.types import FloatArray, Probe
from adamcore.definition import coefficients, update

FACTOR = 1.0  #: the one factor on the derived bound, the same everywhere
PAIR = ("float32", "float64")  #: the formats whose bounds are derived together


def format_of(dtype: str, flushes: bool) -> Format:
    """The rounding of a format, with subnormals or with subnormals flushed to zero."""
    d = DTYPES[dtype]
    return Format(d.unit, d.normal if flushes else d.half_subnormal)


@dataclass(frozen=True)
class Storage:
    """The formats of p and of the moments where they are narrower than the arithmetic (NUM.1)."""

    p: Format | None = None
    moments: Format | None = None


@dataclass(frozen=True)
class Bound:
    """How far from exact, an element each."""

    p: FloatArray
    size: FloatArray  #: max(|p|, |update|), where its ULP is taken


class AffineSlot:
    """State of real vectors with the sensitivities of (p..., m..., v, v_max) to all past roundings."""

    def __init__(
        self, adam: Adam, parts: list[FloatArray], arithmetic: Format, storage: Storage | None = None
    ) -> None:
        self.adam, self.format, self.parts = adam, arithmetic, len(parts)
        self.storage = storage or Storage()
        zero = np.zeros(parts[0].shape)
        self.centre = [p.astype(float) for p in parts] + [zero] * len(parts) + [zero, zero]
        self.past = np.zeros((len(zero), 0, len(self.centre)))  # element, source, state variable
        self.mu_product: tuple[float | FloatArray, float | FloatArray] = (1.0, 0.0)
        self.moved = [zero for _ in parts]

    def step(
        self,
        t: int,
        lr: float,
        grads: list[FloatArray],
        mask: FloatArray | None,
        fault: StepFault | None = None,
    ) -> None:
        n, k, size = self.parts, len(self.centre), len(self.centre[0])
        symbols = NoiseSymbols(size, self.format)
        numbers = AffineCoefficients(symbols, self.adam.coefficients)
        state = [symbols.constant(x).add_error(r) for x, r in zip(self.centre, self.radius(), strict=True)]
        value, error = self.mu_product
        mu = symbols.constant(value).add_error(error)
        with np.errstate(all="ignore"):
            c = coefficients(numbers, self.adam, t, numbers.number(lr), mu)
            c = c if fault is None else fault.coefficients(c, numbers)
            inputs = [(state[i], symbols.constant(g), state[n + i]) for i, g in enumerate(grads)]
            moved, v, v_max = update(AffineNamespace, self.adam, c, inputs, state[2 * n], state[2 * n + 1])
            after = [stored(p, self.storage.p) for p, _ in moved]
            after += [stored(x, self.storage.moments) for x in (*(m for _, m in moved), v, v_max)]
            effect = np.stack([x.sensitivity[: symbols.count].T for x in after], axis=2)
            fresh = merged(np.stack([symbols.effect(x.sensitivity)[k:].T for x in after], axis=2))
            past = np.concatenate([self.past @ effect[:, :k], fresh], axis=1)
        self.carry(c.mu_product)
        centre = [x.centre for x in after]
        if mask is not None:
            old = np.pad(self.past, ((0, 0), (0, past.shape[1] - self.past.shape[1]), (0, 0)))
            past = np.where(mask[:, None, None], past, old)
            centre = [np.where(mask, new, old) for new, old in zip(centre, self.centre, strict=True)]
        self.moved = [np.abs(new - old) for new, old in zip(centre[:n], self.centre[:n], strict=True)]
        self.past, self.centre = past, centre

    def tick(self, t: int, lr: float) -> None:
        symbols = NoiseSymbols(len(self.centre[0]), self.format)
        numbers, (value, error) = AffineCoefficients(symbols, self.adam.coefficients), self.mu_product
        mu = symbols.constant(value).add_error(error)
        self.carry(coefficients(numbers, self.adam, t, numbers.number(lr), mu).mu_product)

    def carry(self, mu_product: AffineNumber | None) -> None:
        """Keep the product of momenta."""
        if mu_product is not None:
            self.mu_product = mu_product.centre, mu_product.error

    def begin(self, m: list[FloatArray], v: FloatArray, v_max: FloatArray, mu_product: float) -> None:
        self.centre[self.parts :] = [x.astype(float) for x in (*m, v, v_max)]
        self.past[:, :, self.parts :] = 0.0
        self.mu_product = (mu_product, 0.0)

    def put(self, parts: list[FloatArray]) -> None:
        self.centre[: self.parts] = [x.astype(float) for x in parts]
        self.past[:, :, : self.parts] = 0.0

    def reset(self) -> None:
        for i in range(self.parts, len(self.centre)):
            self.centre[i] = np.zeros_like(self.centre[i])
        self.past[:, :, self.parts :] = 0.0
        self.mu_product = (1.0, 0.0)

    def radius(self) -> FloatArray:
        """The largest error of each state variable, an element each."""
        radius: FloatArray = np.abs(self.past).sum(axis=1).T
        return radius

    def read(self) -> list[Bound]:
        radius = FACTOR * self.radius()
        return [
            Bound(radius[i], np.maximum(np.abs(self.centre[i]), self.moved[i])) for i in range(self.parts)
        ]


class Pair(AffineSlot):
    """Float32 and float64 at once: the elements stand there twice, and cost hardly more than once."""

    def __init__(self, adam: Adam, parts: list[FloatArray], flushes: bool) -> None:
        n = len(parts[0])
        formats = [format_of(dtype, flushes) for dtype in PAIR]
        both = Format(np.repeat([f.unit for f in formats], n), np.repeat([f.tiny for f in formats], n))
        super().__init__(adam, [np.tile(p, 2) for p in parts], both)

    def step(
        self,
        t: int,
        lr: float,
        grads: list[FloatArray],
        mask: FloatArray | None,
        fault: StepFault | None = None,
    ) -> None:
        twice = None if mask is None else np.tile(mask, 2)
        super().step(t, lr, [np.tile(g, 2) for g in grads], twice, fault)

    def begin(self, m: list[FloatArray], v: FloatArray, v_max: FloatArray, mu_product: float) -> None:
        super().begin([np.tile(x, 2) for x in m], np.tile(v, 2), np.tile(v_max, 2), mu_product)

    def put(self, parts: list[FloatArray]) -> None:
        super().put([np.tile(p, 2) for p in parts])


def stored(x: AffineNumber, into: Format | None) -> AffineNumber:
    """A result on its way to memory: rounded once more where that is narrower."""
    if into is None:
        return x
    return AffineNumber(x.symbols, x.centre, x.sensitivity.copy()).rounded_to(into)


def merged(fresh: FloatArray) -> FloatArray:
    """The symbols of one step, those that act on the state in one direction added up.

    Roundings on the way to m reach p only through m, and so on: symbols that touch the same
    state variables are parallel, and parallel ones add exactly.
    """
    groups: dict[bytes, list[int]] = {}
    for row, touched in enumerate(np.any(fresh != 0, axis=0)):
        groups.setdefault(touched.tobytes(), []).append(row)
    result = []
    for touched, rows in groups.items():
        direction = np.frombuffer(touched, dtype=bool)
        if not direction.any():
            continue
        last = int(np.flatnonzero(direction)[-1])
        members = fresh[:, rows]
        total = (members * np.copysign(1.0, members[:, :, last : last + 1])).sum(axis=1)
        parallel = np.abs(total) >= (1.0 - 1e-6) * np.abs(members).sum(axis=1)
        result.append(total[:, None] if parallel.all() else members)
    return np.concatenate(result, axis=1) if result else fresh[:, :0]


def bounds(
    claim: Adam, probe: Probe, dtype: str, flushes: bool = False, fault: Fault | None = None
) -> Trajectory[Bound]:
    """The tolerance of every step and element of a probe under a claim in ``dtype``.

    Args:
        claim: the axes, ``coefficients`` among them; hyperparameters are the probe's.
        dtype: that of the parameters, and of the state unless the claim has a ``moment_dtype``;
            the arithmetic is in the widest of them, in float32 at least.
        flushes: whether the arithmetic flushes subnormals to zero (XLA on CPUs does).

    Returns:
        Trajectory of :class:`Bound`, in the units of p; infinite where nothing can be said.
    """
    same = replace(canonical_claim(claim, probe, fault), coefficients=claim.coefficients)
    if dtype in PAIR and claim.moment_dtype is None:
        return pair(same, probe, flushes, fault)[PAIR.index(dtype)]
    return single(same, probe, dtype, flushes, fault)


@lru_cache(maxsize=2048)
def single(claim: Adam, probe: Probe, dtype: str, flushes: bool, fault: Fault | None) -> Trajectory[Bound]:
    """The bounds in one format, with moments of another if the claim has them."""
    arithmetic, storage = formats_of(dtype, claim.moment_dtype, flushes)
    return simulate(claim, probe, lambda a, parts: AffineSlot(a, parts, arithmetic, storage), fault)


@lru_cache(maxsize=2048)
def pair(claim: Adam, probe: Probe, flushes: bool, fault: Fault | None) -> list[Trajectory[Bound]]:
    """The bounds in both formats of :data:`PAIR`."""
    few, back = (probe, []) if fault else unique_elements(probe)  # a fault may ask where an element stands
    both = simulate(claim, few, lambda a, parts: Pair(a, parts, flushes), fault)
    halves = (
        Trajectory(
            [[[half(x, k) for x in parts] for parts in step] for step in both.steps], both.raises, both.clocks
        )
        for k in range(2)
    )
    return [expand(one, back) for one in halves]


def half(bound: Bound, k: int) -> Bound:
    p, size = np.split(bound.p, 2)[k], np.split(bound.size, 2)[k]
    return Bound(p, size)


def formats_of(dtype: str, moment_dtype: str | None, flushes: bool) -> tuple[Format, Storage]:
    """The formats of arithmetic and storage that go with those of parameters and moments."""
    moments = moment_dtype or dtype
    work = arithmetic_of(dtype, moments)
    p, m = (None if name == work else format_of(name, flushes) for name in (dtype, moments))
    return format_of(work, flushes), Storage(p, m)
