"""The bound: how far from the exact answer roundings alone can take a right Adam.

Each step is run once in affine arithmetic (:mod:`adamcore.conformance.oracle.affine`).  That gives the
step's Jacobian J over the state (p, m, v, v_max), and the effect d of the step's own roundings on the
state.  The error after step T is then at most the sum over the steps s <= T of
``|J_T ... J_(s+1) d_s|``.  The absolute value is taken after the product, so that what Adam forgets is
forgotten.

The bound covers a family of evaluation orders: two rounded weights or one (lerp), folded step sizes,
reciprocals, fused multiply-add.  docs/tolerance.md says what is in the family and why.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from adamcore import Adam
from adamcore.config import MOMENT_DTYPES
from adamcore.conformance.dtypes import DTYPES, arithmetic_of
from adamcore.conformance.oracle.affine import (
    AffineCoefficients,
    AffineNamespace,
    AffineNumber,
    Format,
    NoiseSymbols,
)
from adamcore.conformance.oracle.clipped import clipped
from adamcore.conformance.oracle.orders import add_kept, add_scaled_numerators, add_two_updates
from adamcore.conformance.oracle.perturbation import Fault, StepFault
from adamcore.conformance.oracle.sharing import canonical_claim, first_alike, without_repeats
from adamcore.conformance.oracle.trajectory import Trajectory, simulate
from adamcore.conformance.types import FloatArray, Probe
from adamcore.definition import coefficients, update
from adamcore.dtypes import named_by
from adamcore.storage.policies import NARROW

FACTOR = 1.0  #: every derived bound is multiplied by this
BOTH = ("float32", "float64")  #: the dtypes whose bounds are derived together


def format_of(dtype: str, flushes: bool) -> Format:
    """Return how a dtype rounds, with its subnormals or with subnormals flushed to zero."""
    d = DTYPES[dtype]
    return Format(d.unit, d.normal if flushes else d.half_subnormal)


@dataclass(frozen=True)
class Storage:
    """The formats in which p, m and v are stored; None: that of the arithmetic (NUM.1)."""

    p: Format | None = None  #: of p as the next step has it
    m: Format | None = None
    v: Format | None = None  #: of v and v_max
    shown: Format | None = (
        None  #: of p as it is seen, where a part of it is in the state (STORE.1); None: p's
    )


@dataclass(frozen=True)
class Bound:
    """The bound of one real vector after one step."""

    p: FloatArray  #: for each element, the largest error that roundings can make
    size: FloatArray  #: max(|p|, |update|), at which an ULP of the element is taken
    arithmetic: FloatArray | None = None  #: without the last rounding, if that is what is seen of p


class AffineSlot:
    """A slot of affine numbers (:class:`~adamcore.conformance.oracle.trajectory.Slot`).

    The state variables are ``(p..., m..., v, v_max)``.  ``past`` holds, for each element, the effect of
    every past rounding on every state variable; it replaces the noise symbols of the steps before.
    """

    def __init__(
        self, adam: Adam, parts: list[FloatArray], arithmetic: Format, storage: Storage | None = None
    ) -> None:
        self.adam, self.format, self.parts = adam, arithmetic, len(parts)
        self.storage = storage or Storage()
        zero = np.zeros(parts[0].shape)
        self.centre = [p.astype(float) for p in parts] + [zero] * len(parts) + [zero, zero]
        self.past = np.zeros((len(zero), 0, len(self.centre)))  # element, rounding, state variable
        self.mu_product: tuple[float | FloatArray, float | FloatArray] = (1.0, 0.0)  # value, error
        self.update_size = [zero for _ in parts]

    def step(
        self, t: int, lr: float, grads: list[FloatArray], mask: FloatArray | None, fault: StepFault | None
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
            if self.adam.cautious_decay and self.adam.decay != "l2":
                add_kept(c)
            inputs = [(state[i], symbols.constant(g), state[n + i]) for i, g in enumerate(grads)]
            xp = AffineNamespace()
            new, v, v_max = update(xp, self.adam, c, inputs, state[2 * n], state[2 * n + 1])
            for (p, m), g, old in zip(new, grads, self.centre[:n], strict=True):
                add_scaled_numerators(p, m, g, c, self.adam, lr, xp.root)
                add_two_updates(p, m, g, c, old, xp.root)
            after = [store(p, self.storage.p) for p, _ in new]
            kinds = [self.storage.m] * n + [self.storage.v] * 2
            after += map(store, (*(m for _, m in new), v, v_max), kinds)
            effect = np.stack([x.sensitivity[: symbols.count].T for x in after], axis=2)
            fresh = merge_parallel(np.stack([symbols.effect(x.sensitivity)[k:].T for x in after], axis=2))
            past = np.concatenate([self.past @ effect[:, :k], fresh], axis=1)
        self.keep_mu_product(c.mu_product)
        centre = [x.centre for x in after]
        if mask is not None:
            old = np.pad(self.past, ((0, 0), (0, past.shape[1] - self.past.shape[1]), (0, 0)))
            past = np.where(mask[:, None, None], past, old)
            centre = [np.where(mask, x, y) for x, y in zip(centre, self.centre, strict=True)]
        self.update_size = [np.abs(x - y) for x, y in zip(centre[:n], self.centre[:n], strict=True)]
        self.past, self.centre = past, centre

    def tick(self, t: int, lr: float) -> None:
        symbols = NoiseSymbols(len(self.centre[0]), self.format)
        numbers, (value, error) = AffineCoefficients(symbols, self.adam.coefficients), self.mu_product
        mu = symbols.constant(value).add_error(error)
        self.keep_mu_product(coefficients(numbers, self.adam, t, numbers.number(lr), mu).mu_product)

    def keep_mu_product(self, mu_product: AffineNumber | None) -> None:
        if mu_product is not None:
            self.mu_product = mu_product.centre, mu_product.error

    def set_state(self, m: list[FloatArray], v: FloatArray, v_max: FloatArray, mu_product: float) -> None:
        self.set_moments(m, v, v_max)
        self.mu_product = (mu_product, 0.0)

    def set_moments(self, m: list[FloatArray], v: FloatArray, v_max: FloatArray) -> None:
        self.centre[self.parts :] = [x.astype(float) for x in (*m, v, v_max)]
        self.past[:, :, self.parts :] = 0.0

    def set_parameter(self, parts: list[FloatArray]) -> None:
        self.centre[: self.parts] = [x.astype(float) for x in parts]
        self.past[:, :, : self.parts] = 0.0
        shown = self.storage.shown
        if shown is not None:  # the value is any that is shown as p
            off = np.zeros((len(parts[0]), self.parts, len(self.centre)))
            for i, x in enumerate(self.centre[: self.parts]):
                off[:, i, i] = np.where(x == 0, 0.0, shown.unit * np.abs(x)) + shown.tiny
            self.past = np.concatenate([self.past, off], axis=1)

    def reset_moments(self) -> None:
        for i in range(self.parts, len(self.centre)):
            self.centre[i] = np.zeros_like(self.centre[i])
        self.past[:, :, self.parts :] = 0.0
        self.mu_product = (1.0, 0.0)

    def radius(self) -> FloatArray:
        """Return the largest error of each state variable (row) in each element (column)."""
        radius: FloatArray = np.abs(self.past).sum(axis=1).T
        return radius

    def read(self) -> list[Bound]:
        radius = FACTOR * self.radius()
        sizes = [np.maximum(np.abs(self.centre[i]), self.update_size[i]) for i in range(self.parts)]
        shown = self.storage.shown
        if shown is None:
            return [Bound(radius[i], sizes[i]) for i in range(self.parts)]
        reached = np.abs(self.centre) + radius
        seen = radius + np.where(reached == 0, 0.0, shown.unit * reached + shown.tiny)
        return [Bound(seen[i], sizes[i], radius[i]) for i in range(self.parts)]


class BothFormatsSlot(AffineSlot):
    """A slot in float32 and float64 at once: each element stands in it twice, at little more cost."""

    def __init__(self, adam: Adam, parts: list[FloatArray], flushes: bool) -> None:
        n = len(parts[0])
        formats = [format_of(dtype, flushes) for dtype in BOTH]
        both = Format(np.repeat([f.unit for f in formats], n), np.repeat([f.tiny for f in formats], n))
        super().__init__(adam, [np.tile(p, 2) for p in parts], both)

    def step(
        self, t: int, lr: float, grads: list[FloatArray], mask: FloatArray | None, fault: StepFault | None
    ) -> None:
        twice = None if mask is None else np.tile(mask, 2)
        super().step(t, lr, [np.tile(g, 2) for g in grads], twice, fault)

    def set_moments(self, m: list[FloatArray], v: FloatArray, v_max: FloatArray) -> None:
        super().set_moments([np.tile(x, 2) for x in m], np.tile(v, 2), np.tile(v_max, 2))

    def set_parameter(self, parts: list[FloatArray]) -> None:
        super().set_parameter([np.tile(p, 2) for p in parts])


def store(x: AffineNumber, into: Format | None) -> AffineNumber:
    """Return a result as it is stored: rounded once more if ``into`` is narrower than the arithmetic."""
    if into is None:
        return x
    return AffineNumber(x.symbols, x.centre, x.sensitivity.copy(), x.error).rounded_to(into)


def merge_parallel(fresh: FloatArray) -> FloatArray:
    """Return the roundings of one step, those with parallel effects on the state added up.

    A rounding on the way to m reaches p only through m, and so on.  Roundings that touch the same
    state variables therefore have parallel effects, and parallel effects add exactly.

    Args:
        fresh: the effects, by element, rounding and state variable.
    """
    bits = 2 ** np.arange(fresh.shape[2])
    groups: dict[int, list[int]] = {}
    for row, touched in enumerate((np.any(fresh != 0, axis=0) @ bits).tolist()):
        if touched:
            groups.setdefault(touched, []).append(row)
    result = []
    for touched, rows in groups.items():
        last = touched.bit_length() - 1
        members = fresh[:, rows]
        total = np.add.reduce(members * np.copysign(1.0, members[:, :, last : last + 1]), axis=1)
        parallel = np.abs(total) >= (1.0 - 1e-6) * np.add.reduce(np.abs(members), axis=1)
        result.append(total[:, None] if parallel.all() else members)
    return np.concatenate(result, axis=1) if result else fresh[:, :0]


def bounds(
    claim: Adam, probe: Probe, dtype: str, flushes: bool = False, fault: Fault | None = None
) -> Trajectory[Bound]:
    """Return the bound of every step and element of a probe.

    Args:
        claim: the axes; the hyperparameters are the probe's, and the dtypes of the moments are the claim's.
        probe: the input.
        dtype: the dtype of the parameters, and of the moments unless the claim has others.  The
            arithmetic is in the widest of them, and in float32 at least (NUM.1).
        flushes: whether the arithmetic flushes subnormals to zero, as XLA does on CPUs.
        fault: a fault that the candidate has besides.

    Returns:
        A :class:`Bound` for each step, parameter and real vector, in the units of p; infinite where
        the error has no bound.

    >>> from adamcore.conformance.probes import PROBES
    >>> first = bounds(Adam(), PROBES["STEP.1/fingerprint"], "float32").steps[0][0][0]
    >>> bool(0 < first.p[0] < 1e-6)
    True
    """
    probe = probe if fault else first_alike(probe)
    same = replace(canonical_claim(claim, probe, fault), coefficients=claim.coefficients)
    if dtype in BOTH and not any(getattr(claim, name) for name in MOMENT_DTYPES):
        return bounds_in_both(same, probe, flushes, fault)[BOTH.index(dtype)]
    return bounds_in_one(same, probe, dtype, flushes, fault)


@lru_cache(maxsize=2048)
def bounds_in_one(
    claim: Adam, probe: Probe, dtype: str, flushes: bool, fault: Fault | None
) -> Trajectory[Bound]:
    """Return the bounds in one dtype of parameters, with moments in the claim's dtypes."""
    arithmetic, storage = formats_of(claim, dtype, flushes)
    return simulate(claim, probe, lambda a, parts: AffineSlot(a, parts, arithmetic, storage), fault)


@lru_cache(maxsize=2048)
def bounds_in_both(claim: Adam, probe: Probe, flushes: bool, fault: Fault | None) -> list[Trajectory[Bound]]:
    """Return the bounds in each dtype of :data:`BOTH`."""
    if fault is not None and fault.probe is not None and fault.is_of_input:
        probe, fault = fault.probe(probe), None
    # with a fault, an element's bound may depend on its index
    short, whole = without_repeats(clipped(probe)) if fault is None else (probe, unchanged)
    both = simulate(claim, short, lambda a, parts: BothFormatsSlot(a, parts, flushes), fault)
    halves = (
        replace(both, steps=[[[half(x, k) for x in parts] for parts in step] for step in both.steps])
        for k in range(len(BOTH))
    )
    return [whole(one) for one in halves]


def unchanged(trajectory: Trajectory[Bound]) -> Trajectory[Bound]:
    return trajectory


def half(bound: Bound, k: int) -> Bound:
    """Return the bound in ``BOTH[k]`` from that of a :class:`BothFormatsSlot`."""
    n = len(bound.p) // 2
    mine = slice(k * n, (k + 1) * n)
    return Bound(bound.p[mine], bound.size[mine])


def formats_of(claim: Adam, dtype: str, flushes: bool) -> tuple[Format, Storage]:
    """Return the formats of the arithmetic and of what is stored, for parameters of this dtype."""
    names = (dtype, *(named_by(claim, field)[1] or dtype for field in ("m_dtype", "v_dtype")))
    work = arithmetic_of(*names)
    p, m, v = (None if name == work else format_of(name, flushes) for name in names)
    if claim.m_storage == "stochastic" and m is not None:
        m = kept_format("stochastic", names[1], flushes)
    if claim.v_storage == "stochastic" and v is not None:
        v = kept_format("stochastic", names[2], flushes)
    if claim.p_storage == "plain" or dtype not in NARROW:
        return format_of(work, flushes), Storage(p, m, v)
    shown = None if claim.p_storage == "stochastic" else p
    return format_of(work, flushes), Storage(kept_format(claim.p_storage, dtype, flushes), m, v, shown)


def kept_format(policy: str, dtype: str, flushes: bool) -> Format:
    """Return how the value of a 16-bit parameter is rounded from step to step (STORE.2 to STORE.6).

    >>> kept_format("split8", "bfloat16", False).unit == 2.0**-16
    True
    """
    single, narrow = format_of("float32", flushes), format_of(dtype, flushes)
    if policy == "stochastic":  # to either neighbour: a whole distance of the two
        return Format(2 * narrow.unit, 2 * narrow.tiny)
    if policy == "split8":
        return Format(2.0**-16, single.tiny * 256)
    if (
        policy == "kahan"
    ):  # half a distance of the rest, which is half a distance of p; and the sum in float32
        return Format(narrow.unit**2 + single.unit, narrow.tiny + single.tiny)
    lost = narrow.tiny if (policy, dtype) == ("split", "float16") else 0.0
    return Format(single.unit, single.tiny + lost)
