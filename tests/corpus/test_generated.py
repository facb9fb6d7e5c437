"""The bound against the generator: no order of evaluation of the stated family leaves it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import adams
import numpy as np
import pytest
import score
from orders import form_of, reordered, reordered_narrow, traced
from register import ITEMS
from sixteen import Sixteen

from adamcore.conformance.candidates import judged_hyper, served_probe
from adamcore.conformance.candidates.targets import make_candidate
from adamcore.conformance.checking.runs import judge_run
from adamcore.conformance.claims import axes_of, claim_of_dialect
from adamcore.conformance.dtypes import round_to
from adamcore.conformance.probes import PROBES
from adamcore.conformance.types import Probe, Result, Step
from adamcore.conformance.workers.worker import try_probe

BASES = (
    adams.AdamW, adams.Adam, adams.AMSGrad, adams.NAdam, adams.Keras, adams.Optax, adams.OptaxAMSGrad,
    adams.OptaxNAdam, adams.TimmNAdam, adams.Uncorrected, adams.Unscaled, adams.Late,
)  # fmt: skip


def wide(dtype: str, eps: float, lr: float, b2: float, p: float) -> Probe:
    """Gradients of every size: in float32 every subnormal power of two, too."""
    powers = np.arange(-149, 60) if dtype == "float32" else np.arange(-480, 480, 4)
    g = np.concatenate([2.0**powers, 1.375 * 2.0**powers]).astype(dtype).astype(np.float64)
    rows = [x.astype(dtype).astype(np.float64) for x in (g, -0.3 * g, 0 * g, 2.0**-6 * g)]
    hyper = {"lr": lr, "b1": 0.9, "b2": b2, "eps": eps, "weight_decay": 0.125}
    start = (p * g).astype(dtype).astype(np.float64)
    return Probe(f"test/{dtype}-{lr}-{p}", "", (start,), tuple(Step((x,)) for x in rows), hyper)


WIDE = [
    (dtype, wide(dtype, *given))
    for dtype in ("float32", "float64")
    for given in (
        (1e-8, 2.0**-10, 0.999, 0.0),
        (1e-8, 2.0**-10, 0.999, 1.0),
        (0.0, 2.0**-10, 0.99, 0.0),
        (1e-8, 2.0**-30, 0.9999, 0.25),
        (2.0**-10, 2.0**-20, 0.999, 2.0**-30),
    )
]


def narrow(dtype: str, eps: float, p: float) -> Probe:
    """Gradients of every power of two that 16 bits have, and of odd numbers beside them."""
    powers = np.arange(-24, 12) if dtype == "float16" else np.arange(-133, 30)
    g = np.concatenate([2.0**powers, 1.375 * 2.0**powers])
    rows = [round_to(x, dtype) for x in (g, -0.3 * g, 0 * g, 2.0**-6 * g)]
    hyper = {"lr": 2.0**-6, "b1": 0.9, "b2": 0.99, "eps": eps, "weight_decay": 0.125}
    return Probe(
        f"test/{dtype}-{eps}-{p}", "", (round_to(p * g, dtype),), tuple(Step((x,)) for x in rows), hyper
    )


def results(made: type[adams.Adam] | type[Sixteen], probes: Iterator[tuple[str, Probe]]) -> Iterator[Result]:
    """Yield what a judge says of an Adam on each probe that applies to its claim."""
    claim = claim_of_dialect(made.dialect, made.options).adam
    candidate = make_candidate(f"test:{made.__name__}", made, made.options, None)
    info = candidate.info
    for dtype, probe in probes:
        hyper = judged_hyper(probe.hyper, info.lacks, info.fixed)
        served = replace(served_probe(probe, info.lacks, info.fixed), hyper=hyper)
        if served.applies_to(claim):
            run, _ = try_probe(candidate, probe, dtype)
            yield judge_run(claim, served, dtype, run, flushes=info.flushes)


def failures(
    made: type[adams.Adam] | type[Sixteen], probes: Iterator[tuple[str, Probe]]
) -> list[tuple[str, str, str]]:
    with np.errstate(all="ignore"):
        return [(r.probe, r.dtype, r.reason) for r in results(made, probes) if r.status == "failed"]


@pytest.mark.parametrize("base", BASES[:5], ids=lambda base: base.__name__)
def test_no_order_leaves_the_bound_whatever_the_size_of_the_gradient(base: type[adams.Adam]) -> None:
    for seed in (2, 8):
        made = reordered(base, seed, __name__)
        assert failures(made, iter(WIDE)) == [], made.__doc__


def narrow_failures(seed: int) -> list[tuple[str, str, str]]:
    made = reordered_narrow(Sixteen, seed, __name__)
    probes = [
        (dtype, narrow(dtype, eps, p))
        for dtype in ("bfloat16", "float16")
        for eps, p in ((2.0**-10, 0.0), (2.0**-10, 1.0), (0.0, 0.25))
    ]
    return failures(made, iter(probes))


@pytest.mark.parametrize("seed", [3, 11])
def test_no_order_leaves_the_bound_in_16_bits(seed: int) -> None:
    pytest.importorskip("ml_dtypes")
    assert narrow_failures(seed) == []


@pytest.mark.slow
def test_no_order_of_sixty_leaves_the_bound_in_16_bits() -> None:
    pytest.importorskip("ml_dtypes")
    assert {seed: found for seed in range(1000, 1060) if (found := narrow_failures(seed))} == {}


@pytest.mark.slow
@pytest.mark.parametrize("base", BASES, ids=lambda base: base.__name__)
def test_no_order_of_sixty_more_leaves_the_bound_on_any_probe(base: type[adams.Adam]) -> None:
    must = [p for p in PROBES.values() if p.level == "must" and not (p.twin or p.only)]
    probes = [*((dtype, p) for dtype in ("float32", "float64") for p in must), *WIDE]
    for seed in range(1000, 1005):
        made = reordered(base, seed, __name__)
        assert failures(made, iter(probes)) == [], made.__doc__


def test_a_generated_adam_is_not_accused() -> None:
    score.load(["right_generated"])
    assert score.examine(ITEMS["tests/corpus/right_generated.py:AdamW5"]).verdict == "conforms"


def test_the_forms_differ_and_a_seed_always_gives_the_same() -> None:
    step = traced(axes_of(claim_of_dialect("torch.AdamW").adam))
    forms = [tuple(form_of(step, seed).items()) for seed in range(60)]
    assert len(set(forms)) > 50
    assert tuple(form_of(step, 7).items()) == forms[7]
    texts = "\n".join(text for form in forms for _, text in form)
    operations = ["xp.fma", "xp.lerp", "xp.addcmul", "xp.addcdiv", "sqrt((", "(1.0 / ", "(lr * new_m0)"]
    assert [each for each in operations if each not in texts] == []
