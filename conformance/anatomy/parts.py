"""The parts of an Adam, in causal order, each as the numbers that its experiments show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from adamcore.conformance.anatomy.circumstances import AFTER, FIRST, SECOND, read
from adamcore.conformance.anatomy.experiments import (
    CONSTANT,
    CROSS,
    DECAYED,
    DUST,
    FIRST_PAIR,
    LARGE,
    LATE,
    MINUS,
    NEIGHBOURS,
    PAIR,
    PAIRS,
    POWERS,
    RESUMED,
    SCALES,
    TINY,
    ZERO,
    T,
)
from adamcore.conformance.anatomy.measured import Measured, join
from adamcore.conformance.anatomy.precision import precision
from adamcore.conformance.anatomy.readings import Readings
from adamcore.conformance.anatomy.sweeps import hyperparameters

Values = dict[str, Measured]
VISIBLE = POWERS.index(-20)  #: a gradient from which on an element has to move, however small others count
COARSE = 2.0**-16  #: 1 - b**t is less exact than other numbers where b is near 1


@dataclass(frozen=True)
class Part:
    """One part of the definition: its measured numbers, and those of the claim."""

    name: str  #: "first moment"
    values: Values  #: the numbers by what they are, NaN where they could not be measured
    claimed: Values = field(default_factory=dict)  #: the same of the claim; empty if there is none
    unmeasured: frozenset[str] = frozenset()  #: the values whose experiment could not be run

    @property
    def measured(self) -> Values:
        """The values whose experiment was run."""
        return {name: value for name, value in self.values.items() if name not in self.unmeasured}

    @property
    def differs(self) -> list[str]:
        """The measured values that are not as claimed; of some the claim has none."""
        return [
            name
            for name, value in self.measured.items()
            if name in self.claimed and not value.all_equal(self.claimed[name]) and not self.is_longer(name)
        ]

    def is_longer(self, name: str) -> bool:
        """True if numbers have more digits than those of the claim, which happen to be short."""
        return name.startswith("digits") and bool(self.values[name].value > self.claimed[name].value)

    @property
    def as_claimed(self) -> bool:
        """True if no value differs from the claim's."""
        return not self.claimed or not self.differs


def arrays(r: Readings) -> Values:
    """Whether all elements are stepped, and whether an array's step depends on its place or on the others."""
    large = r.moves("neighbours", len(NEIGHBOURS) * 2)
    steps = [
        np.diag(r.moves("normal").value[:, :T]),
        r.curve("response").value[VISIBLE:],
        r.moves("last").value[0],
    ]
    steps += [r.moves("neighbours", len(NEIGHBOURS) * 2 + k).value[0] for k in range(2)]
    whole = [r.moves("normal").value[0, :1], r.moves("normal").value[:, CONSTANT]]
    ran = np.nan if r.why_not("main") or r.why_not("response") else 1.0
    return {
        "finite": Measured(np.isfinite(np.concatenate(whole)) * ran),
        "stepped": Measured((np.concatenate(steps) != 0) * ran),
        "place": r.moves("last")[1, 0] / large[1, 0],
        "alone": r.moves("alone")[1, 0] / large[1, 0],
    }


def beside(r: Readings, size: int) -> Measured:
    """Return the second step of one gradient beside larger ones and beside zeros, by that of it alone."""
    arrays = [r.moves("neighbours", size * len(NEIGHBOURS) + k)[1, 0] for k in range(len(NEIGHBOURS))]
    return join([array / arrays[0] for array in arrays[1:]])


def gradient(r: Readings) -> Values:
    """What becomes of a gradient before anything else."""
    curve = r.curve("large")
    tiny, t = r.linear, PAIR[1] - 1
    after = (tiny[1:3, DUST] - tiny[1:3, 0]) / tiny[0, 0]
    return {
        "sign": Measured(np.sign(np.diag(tiny.value[:, :T]))),
        "without": r.moves("normal")[:, ZERO] / r.hyper("lr"),
        "zero": Measured(after.value, after.error + COARSE),
        "opposite": opposite(tiny[:, MINUS], tiny[:, 0]),
        "doubled": r.exponents[0][0],
        "proportion": curve / curve[0] / Measured(2.0 ** np.arange(len(curve))),
        "sum of two": tiny[t, FIRST_PAIR] / (tiny[t, 0] + tiny[t, t]),
        "beside others": r.moves("large", 2)[0, 0] / r.moves("large", 1)[0, 0],
    }


def opposite(minus: Measured, plus: Measured) -> Measured:
    """Return the steps after a gradient of the other sign by those after it; none is the opposite of none."""
    ratio, still = minus / plus, (minus.value == 0) & (plus.value == 0)
    return Measured(np.where(still, -1.0, ratio.value), np.where(still, 0.0, ratio.error))


def first_moment(r: Readings) -> Values:
    """The weights of earlier gradients in a step, far below eps."""
    k = r.linear
    last = T - 1
    return {
        "fading": join([k[last, s] / k[last, s + 1] for s in range(last - 1)][::-1]),
        "fading in step": join([k[t, t - 2] / k[t, t - 1] for t in range(2, T)]),
        "look-ahead": join([k[t, t - 1] / k[t, t] for t in range(1, T)]),
    }


def second_moment(r: Readings) -> Values:
    """The weights of earlier squares under the root, far above eps."""
    q = r.roots
    last, t = T - 1, PAIR[1] - 1
    same, opposite = q[1, CROSS], q[1, CROSS + 1]
    pairs = []
    for k, (a, b) in enumerate(PAIRS):
        newest = q[t, t] * (b * b)
        pairs.append((q[t, FIRST_PAIR + k] - newest) / (q[t, t] * (a * a)))
    return {
        "power": r.exponents[1],
        "fading": ((same + opposite) * 0.5 - q[1, 1]) / q[1, 1],
        "kept": join([q[last, s] / q[last, s + 1] for s in range(last)][::-1]),
        "kept in step": join([q[t, t - 1] / q[t, t] for t in range(1, T)]),
        "cross term": (same - opposite) * 0.25 / q[1, 1],
        "two squares": join(pairs),
        "beside others": beside(r, 2),
    }


def correction(r: Readings) -> Values:
    """The sums of the weights in each step, relative to those in the last one; and the last ones."""
    first, second = r.first_sums, r.second_sums
    return {
        "first": first / first[T - 1],
        "second": second / second[T - 1],
        "sum of the first": first[T - 1],
        "sum of the second": second[T - 1],
    }


def epsilon(r: Readings) -> Values:
    """Where the first step bends, and how; and how large eps counts in each step."""
    curve = r.curve("response") / r.hyper("lr", "response")
    g = 2.0 ** np.array(POWERS, dtype=np.float64)
    slope, top = curve[0] / float(g[0]), curve[len(g) - 1]
    knee, eps, main = top / slope, r.hyper("eps", "response"), r.hyper("eps")
    middle = int(np.argmin(np.abs(np.log2(np.maximum(np.abs((Measured(g) / knee).value), 1e-300)))))
    bend = bend_of(Measured(g[middle]) / knee, curve[middle] / top)
    ratio = (knee / (r.normal[0, 0] / (r.linear[0, 0] / main))).log2()
    return {
        "slope": (curve[1] / curve[0]).log2(),
        "power": ratio / float(np.log2(eps / main)) if eps != main else Measured(np.nan),
        "bend": bend,
        "knee": knee / eps,
        "in step": r.normal[:, CONSTANT] / r.first_sums,
    }


def bend_of(x: Measured, y: Measured) -> Measured:
    """Return the share of the full step where gradient and eps count the same, told from one point.

    ``y = x / (1 + x**n)**(1/n)`` is the curve of eps beside the root (n=1, 1/2), under it (n=2, 0.7071), and
    of the larger of the two (no bound on n, 1).

    Far from where the two count the same there is no such point, but there is an answer.

    >>> bend_of(Measured(0.75), Measured(0.6)).value.round(6).item()
    0.707107
    >>> bend_of(Measured(1e30), Measured(0.5)).value.item() < 1e-5
    True
    """
    a, b, low, high = float(x.value), float(y.value), 0.05, 64.0
    if not (0.0 < a < np.inf and 0.0 < b < np.inf):
        return Measured(np.nan)
    for _ in range(60):
        n = 0.5 * (low + high)
        large = max(a, 1.0)  # neither power overflows
        share = a / large / ((1.0 / large) ** n + (a / large) ** n) ** (1.0 / n)
        low, high = (n, high) if share < b else (low, n)
    return Measured(2.0 ** (-1.0 / low) if low < 63.0 else 1.0, 8.0 * (x.error / a + y.error / b) + 1e-9)


def step(r: Readings) -> Values:
    """What multiplies the update: lr, or the parameter itself."""
    moved = [r.moves("scale", i)[0] for i in range(len(SCALES) + 1)]
    whole = r.curve("response")[len(POWERS) - 1] / r.moves("normal")[0, 0]
    if abs(r.exponents[1].value[0] - 1.0) < COARSE:
        whole = whole * (LARGE / 2.0 ** POWERS[-1])
    factor = r.hyper("lr", "response") / r.hyper("lr")
    changed = r.moves("lr")
    sizes = (TINY, TINY, 1.0)
    return {
        "power of lr": whole.log2() * (1.0 / np.log2(factor)) if factor != 1 else Measured(np.nan),
        "parameters": join([move[k] / r.hyper("lr") / r.normal[0, 0] for move in moved for k in range(4)]),
        "changed lr": join(
            [changed[t, k] / (size * r.hyper("lr", "lr")) for t in (3, 4, 5) for k, size in enumerate(sizes)]
        ),
    }


def decay(r: Readings) -> Values:
    """What zero gradients do to a parameter."""
    one = DECAYED.index(1.0)

    def rates(name: str, i: int = 0) -> Measured:
        return r.moves(name, i) / Measured(r.positions(name, i)[:-1])

    base = rates("decay")
    turned, p = r.normal[1, 0] * r.hyper("lr", "decay"), r.positions("decay", 4)[1]
    steps = join([turned, turned * -1.0])  # towards 0, and away from it
    late = join([r.moves("late-decay")[t - 1, 0] for t in LATE])
    against = (r.moves("decay", 4)[1] - steps) / Measured(p) / rates("decay", 3)[1, 0]
    moved, held, dusty = r.normal[0, 0] * r.hyper("lr", "decay"), base[0, one], rates("decay", 3)[0, 0]
    return {
        "zero": dusty - held,
        "without decay": rates("decay-none")[:, one],
        "sizes without decay": rates("decay-none")[0],
        "sizes": base[0],
        "rate": base[:, one],
        "two dimensions": rates("decay", 1)[0],
        "power of lr": (rates("decay-lr")[0, one] / held).log2(),
        "power of decay": (rates("decay-wd")[0, one] / held).log2(),
        "order": (moved + dusty - r.moves("decay", 2)[0, 0]) / (moved * dusty),
        "opposite": (dusty - moved - r.moves("decay", 2)[0, 1]) / (moved * dusty) * -1.0,
        "away": (r.moves("decay", 2)[0, 1] + moved) / dusty,
        "against the gradient": against,
        "changed lr": r.moves("lr-decay")[3:, 0],
        **({"late": late} if np.isfinite(late.value).all() else {}),  # else another part has spoiled p
    }


def clock(r: Readings) -> Values:
    """Impulses in late steps: where the corrections stand then; and the sums of the weights in all steps."""
    moved, lr = r.moves("late"), r.hyper("lr", "late")
    tiny = join([moved[t - 1, 2 * k] for k, t in enumerate(LATE)]) / (lr * TINY)
    large = join([moved[t - 1, 2 * k + 1] for k, t in enumerate(LATE)]) / lr
    rough = Measured(1.0, COARSE)
    return {
        "late first": tiny * r.hyper("eps", "late") * rough,
        "late steps": large * rough,
        "late sums": moved[:, -2] / (lr * TINY) * r.hyper("eps", "late") * rough,
        "late shares": moved[:, -1] / lr * rough,
    }


def absence(r: Readings) -> Values:
    """What a step does to a parameter without a gradient, and to its moments and clock."""
    values: Values = {}
    lr, eps = r.hyper("lr", "absence"), r.hyper("eps", "absence")
    for i, name in enumerate(("the first", "the second")):
        moved = r.moves("absence", i)
        values[f"moves of {name}"] = moved[:, 1] / lr
        values[f"weights of {name}"] = moved[RESUMED - 1 :, 0] / (lr * TINY) * eps
        values[f"newest of {name}"] = join([moved[RESUMED - 1, 2] / TINY * eps, moved[RESUMED - 1, 3]]) / lr
        values[f"decay of {name}"] = r.moves("absence-decay", i)[:, 0]
    return values


PARTS: dict[str, tuple[Callable[[Readings], Values], tuple[str, ...]]] = {
    "runs": (partial(read, FIRST), ()),
    "arrays": (arrays, ("main", "response", "alone")),
    "gradient": (gradient, ("main", "large")),
    "steps": (partial(read, SECOND), ()),
    "first moment": (first_moment, ("main",)),
    "second moment": (second_moment, ("main",)),
    "correction": (correction, ("main",)),
    "epsilon": (epsilon, ("main", "response")),
    "step": (step, ("main", "response", "lr")),
    "decay": (decay, ("main", "decay", "decay-lr", "decay-wd", "lr-decay", "late-decay")),
    "clock": (clock, ("late",)),
    "absence": (absence, ("absence", "absence-decay")),
    "precision": (precision, ("response",)),
    "hyperparameters": (hyperparameters, ()),
    "circumstances": (partial(read, AFTER), ()),
}
"""The parts in causal order, each with its experiments: a fault in one part can show in those after it."""


def measure(measured: Readings, claimed: Readings | None = None) -> list[Part]:
    """Return every part, measured and claimed."""
    parts = []
    for name, (part, needed) in PARTS.items():
        values, theirs = part(measured), {} if claimed is None else part(claimed)
        unmeasured: list[str] = []
        if any(measured.why_not(experiment) for experiment in needed):
            unmeasured = [what for what, value in values.items() if np.isnan(value.value).all()]
        parts.append(Part(name, values, theirs, frozenset(unmeasured)))
    return parts
