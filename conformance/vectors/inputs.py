"""The inputs of an edition, and the claims under which they are answered.

An edition does not change, but probes may, so its inputs are not probes.  An input has at most eight steps,
so that bfloat16 has useful bounds.  It has few elements, so that the edition is small enough for a package.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from adamcore import Adam
from adamcore.conformance.claims import Claim, all_claims, claim_of_dialect
from adamcore.conformance.oracle.sharing import LONG
from adamcore.conformance.probes.design import ODD, array, gradients, moving, numbers
from adamcore.conformance.types import Probe, Start

EDITION = "2026.1"
DTYPES = ("float32", "float64", "bfloat16", "float16")

#: The claims, each a dialect with its options.  Together they have every value of the arithmetic's axes that
#: an implementation has.
CLAIMS: tuple[tuple[str, dict[str, str]], ...] = (
    ("paper", {}),
    ("paper.AMSGrad", {}),
    ("torch.Adam", {"amsgrad": "True"}),
    ("torch.AdamW", {}),
    ("torch.AdamW", {"maximize": "True"}),
    ("torch.NAdam", {}),
    ("timm.NAdamW", {}),
    ("transformers4.AdamW", {}),
    ("BertAdam", {}),
    ("apex.contrib.FusedAdam", {}),
    ("apex.contrib.FusedAdam", {"eps_inside_sqrt": "True"}),
    ("optax.adam", {}),
    ("optax.amsgrad", {}),
    ("optax.nadam", {}),
    ("keras.Adam", {}),
    ("tf1.Adam", {}),
    ("mlx.Adam", {}),
    ("chainer.Adam", {}),
    ("paper.CautiousAdamW", {}),
    ("flashoptim.FlashAdamW", {"decouple_lr": "True"}),
    ("timm.AdamW", {"corrected_weight_decay": "True"}),
)


@dataclass(frozen=True)
class Input:
    """A designed input with its flags."""

    probe: Probe
    flags: tuple[str, ...]


def hyper(lr: float, b1: float, b2: float, eps: float, weight_decay: float = 0.0) -> dict[str, float]:
    return {"lr": lr, "b1": b1, "b2": b2, "eps": eps, "weight_decay": weight_decay}


def late(name: str, about: str, t: int, b2: float, *flags: str) -> Input:
    """Return an input of one step from a state with clock ``t``.

    ``b2`` is so near 1 that its bias correction still has an effect.
    """
    start = Start(t, array([0.25, -0.5]), array([0.5, 0.125]), array([0.75, 0.25]))
    probe = Probe(
        name, about, (array([0.0, 0.5]),), gradients([[-0.5, 0.75]]),
        hyper(0.5, 0.9, b2, 0.03), needs={"nesterov": ("none", "optax", "same-t")}, start=(start,),
    )  # fmt: skip
    return Input(probe, flags)


B, C = [[0.5], [-0.25], [1.0], [0.5], [-1.0]], [[1.0], [0.25], [-0.5], [1.0], [0.5]]

INPUTS = (
    Input(
        Probe("STEP.1/fingerprint", "five scalar steps that keep every combination of choices apart",
              (array(-1.5),), gradients([0.07, -0.79, -0.29, -1.0, -0.26]), ODD),
        ("EpsilonPlacement", "NoCorrection", "DecayCoupling", "DecayOrder", "SwappedBetas"),
    ),
    Input(
        Probe("STEP.1/odd-size", "seventeen elements: one more than vectors of 4, 8 and 16",
              (numbers(1, 17),), moving(2, 2, (17,)), ODD),
        ("VectorTail",),
    ),
    Input(
        Probe("MOM.1/defaults", "everybody's betas and lr",
              (numbers(3, 3),), moving(4, 4, (3,)), hyper(0.0009765625, 0.9, 0.999, 1e-8)),
        ("CoefficientPrecision", "EpsilonUnderflow"),
    ),
    Input(
        Probe("MOM.1/b1-zero", "b1=0: the first moment is the gradient",
              (numbers(5, 2),), gradients([[1.0, 8.0], [0.5, -0.0625], [-0.25, 0.5]]),
              hyper(0.5, 0.0, 0.8, 0.03)),
        ("SwappedBetas",),
    ),
    Input(
        Probe("MOM.2/b2-zero", "b2=0: the second moment is the squared gradient",
              (numbers(6, 2),), gradients([[1.0, 0.5], [0.5, -0.25], [-0.25, 0.5]]),
              hyper(0.5, 0.5, 0.0, 0.25)),
        ("SwappedBetas",),
    ),
    Input(
        Probe("EPS.1/small-gradient", "gradients a quarter of eps: where it stands is most of the step",
              (array([0.0, 0.25]),), gradients([[0.25, -0.5], [0.5, 0.25], [-0.25, 0.75]]),
              hyper(0.5, 0.9, 0.999, 1.0)),
        ("EpsilonPlacement", "EpsilonSign"),
    ),
    Input(
        Probe("EPS.6/zero-gradient", "a zero gradient from the start: the step is 0, not 0/0",
              (array([1.0, -0.5]),), gradients([[0.0, 0.0], [0.0, 1.0]]), hyper(0.5, 0.9, 0.999, 1e-8)),
        ("EpsilonUnderflow",),
    ),
    Input(
        Probe("BC.1/first-steps", "five steps of a constant and of a sign-changing gradient",
              (array([0.0, 0.0]),), gradients([[0.5, (-1) ** t * 0.5] for t in range(5)]),
              hyper(0.5, 0.9, 0.999, 1e-4)),
        ("NoCorrection", "FrozenClock", "CorrectionKept"),
    ),
    late("BC.2/t300", "update 300, from a given state", 299, 0.9999, "NarrowClock", "FrozenClock"),
    late("BC.2/t1e6", "update 1000000, from a given state", 10**6 - 1, 1 - 2.0**-20, "NarrowClock"),
    late("CLK.3/t2p24", "update 2**24-1, from a given state", 2**24 - 2, 1 - 2.0**-24, "NarrowClock"),
    late("CLK.3/beyond-float32", "update 2**24+1, no number of float32", 2**24, 1 - 2.0**-24, "NarrowClock"),
    Input(
        Probe("DEC.1/coupling", "a large parameter and a small gradient: decay is most of what happens",
              (array([2.0, -2.0]),), gradients([[0.125, 0.25], [0.25, -0.125], [-0.125, 0.125]]),
              hyper(0.5, 0.75, 0.9, 0.125, 0.25)),
        ("DecayCoupling", "DecayMissing"),
    ),
    Input(
        Probe("DEC.5/order", "steps as large as the parameter under strong decay",
              (array([0.5, -0.25]),), moving(7, 3, (2,)), hyper(0.5, 0.5, 0.8, 0.03, 0.5)),
        ("DecayOrder", "DecayCoupling"),
    ),
    Input(
        Probe("DEC.2/lr-changed", "lr falls to an eighth: decay that is multiplied by it falls with it",
              (array([1.0, -1.0]),),
              tuple(replace(s, lr=0.0625 if k == 2 else None) for k, s in enumerate(moving(8, 4, (2,)))),
              hyper(0.5, 0.5, 0.8, 0.03, 0.25)),
        ("DecayCoupling", "ScheduleIgnored"),
    ),
    Input(
        Probe("AMS.1/shrinking", "one large gradient, then small ones: only the maximum remembers",
              (array([0.0, 0.5]),), gradients([[10.0, 8.0], [0.5, -1.0], [0.5, 0.5], [-0.5, 0.5]]),
              hyper(0.5, 0.5, 0.8, 0.03)),
        ("AmsgradOfWhat",),
    ),
    Input(
        Probe("NES.1/look-ahead", "alternating gradients: the look-ahead term changes sign",
              (array([0.5, -0.5]),), gradients([[1.0, 0.5], [-1.0, 1.0], [0.5, -0.5], [-0.5, 1.0]]),
              {**hyper(0.5, 0.75, 0.9, 0.03), "momentum_decay": 4e-3}),
        ("NesterovForm",),
    ),
    Input(
        Probe("NUM.2/tiny", "gradients whose square underflows in float32: eps alone is the denominator",
              (array([0.0, 1e-20]),), gradients([[1e-25, -2e-25], [2e-25, 1e-25]]),
              hyper(1.0, 0.9, 0.999, 1e-8), needs={"epsilon": ("outside-corrected", "outside-uncorrected")}),
        ("SquareUnderflow",),
    ),
    Input(
        Probe("NUM.4/near-one", "b2=0.9999: 1-b**t formed in float32 is over a thousand ULP off",
              (array([0.0]),), gradients([[1.0], [1.0], [1.0]]), hyper(1.0, 0.9, 0.9999, 1e-4)),
        ("CoefficientPrecision",),
    ),
    Input(
        Probe("F1/absent", "the second parameter has no gradient in steps 2 and 3: it stands still",
              (array([1.0]), array([2.0])),
              gradients(B, [None if s in (1, 2) else g for s, g in enumerate(C)]),
              hyper(0.25, 0.75, 0.9375, 0.03, 0.25), needs={"missing": ("skip",)}),
        ("AbsentIsNotZero", "SharedClock"),
    ),
    Input(
        Probe("F2/zero-gradient", "a zero gradient is a gradient: momentum, decay and clock go on",
              (array([1.0, -0.5]),), gradients([[1.0, -0.5], [0.5, 1.0], [0.0, 0.0], [0.0, 0.0]]),
              hyper(0.25, 0.75, 0.9375, 0.03, 0.25)),
        ("AbsentIsNotZero", "DecayMissing"),
    ),
    Input(
        Probe("MOM.2/swallowed", "a second moment that changes by less than bfloat16 can store",
              (array([0.0]),), gradients([[0.875]]), hyper(0.5, 0.5, 0.999, 0.03),
              needs={"nesterov": ("none", "optax", "same-t")},
              start=(Start(1000, array([0.875]), array([1.0]), array([1.0])),)),
        ("SwallowedUpdate",),
    ),
)  # fmt: skip


#: The axes of rows of the table that have been corrected since the edition was published.
AS_PUBLISHED: dict[str, dict[str, str]] = {
    "chainer.Adam": {"missing": "skip", "clock": "global", "all_missing": "tick"},
}


def claims() -> list[Claim]:
    """Return the claims of the edition."""
    found = (claim_of_dialect(name, settings) for name, settings in CLAIMS)
    return [replace(c, adam=replace(c.adam, **AS_PUBLISHED.get(c.name, {}))) for c in found]  # type: ignore[arg-type]


def long_claims() -> list[Claim]:
    """Return the claims of the longer set: the edition's, and one dialect for each choice of axes."""
    every: dict[Adam, Claim] = {}
    for claim in [*claims(), *all_claims()]:
        every.setdefault(claim.adam, claim)
    return list(every.values())


def is_of_edition(probe: Probe) -> bool:
    """Return whether a vector of this edition can say what the probe asks for.

    A vector has neither groups, nor lr_max, nor changes of any hyperparameter but lr.  It does not say how
    arrays lie in memory, so a probe of another layout adds nothing.
    """
    changes = any(step.changes for step in probe.steps)
    return not (
        changes
        or probe.groups
        or probe.is_scaled
        or "lr_max" in probe.hyper
        or probe.has_closure
        or probe.is_set_from_outside
        or probe.layout in ("offset", "reversed", "broadcast")
    )


@cache
def long_inputs() -> tuple[Input, ...]:
    """Return the inputs of the longer set: the edition's, and every probe with real parameters.

    Probes with long arrays are left out.  Their text would be half of the files, and few of their elements
    are different.
    """
    from adamcore.conformance.probes import PROBES

    probes = [p for p in PROBES.values() if not any(np.iscomplexobj(x) or x.size > LONG for x in p.params)]
    probes = [p for p in probes if is_of_edition(p) and not p.only]
    known = {i.probe.name for i in INPUTS}
    return INPUTS + tuple(
        Input(replace(p, name=p.name if p.name not in known else f"{p.name}-probe"), ())
        for p in probes
        if all(np.isfinite(g).all() for s in p.steps for g in s.grads if g is not None)
        and all(s.present is None for s in p.steps)
    )
