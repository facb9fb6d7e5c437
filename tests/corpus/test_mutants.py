"""Mutants: what is wrong with an Adam that a generator has broken is named by the part that it broke."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import score
from mutants import Mutant, broken, mutant
from register import ITEMS, Item

from adamcore.conformance.anatomy.anatomy import EVERY_EXPERIMENT, anatomy_of
from adamcore.conformance.anatomy.words.findings import first_finding
from adamcore.conformance.candidates.targets import make_candidate
from adamcore.conformance.checking.third_party import ThirdParty
from adamcore.conformance.probes import PROBES
from adamcore.conformance.types import Finding
from adamcore.conformance.workers.worker import try_probe

score.load(score.files("numpy"))
SEEDS = range(3000, 3060)  #: no mutant of these was looked at before the suite was as it is
ENOUGH = 0.9  #: the share of mutants of which a check has to name the part that was broken

BROKEN = [
    broken("torch.AdamW", "m = b1 * m + (1 - b1) * sign(g)", "moments"),
    broken("torch.AdamW", "m_hat = abs(m) / c1", "moments bias_correction", maximize="True"),
    broken("torch.AdamW", "m_hat = cut(m, 1.0) / c1", "clipping"),
    broken("torch.AdamW", "m_hat = rounded(m / c1, 'bfloat16')", "mixed_precision"),
    broken("torch.AdamW", "c1 = 1 - (0.9) ** t", "bias_correction"),
    broken("torch.AdamW", "c1 = 1 - min(b1, 0.95) ** t", "bias_correction"),
    broken("timm.NAdamW", "c1 = 2 - b1 ** t", "bias_correction"),
    broken("torch.AdamW", "p = roll(p - lr * wd * p, 1)", "layout"),
    broken("torch.AdamW", "m_hat = m / (1 if p.size > 100 else c1)", "layout"),
    broken("paper.AdamW", "c1 = 0 - b1 ** t", "bias_correction"),
    broken("optax.adamw", "c2 = 0 - b2 ** t", "bias_correction"),
    broken("torch.NAdam", "mu = mu", "nesterov"),
    broken("torch.AdamW", "v = b2 * v + (rounded((1 - b2) * g, 'float32')) * g", "mixed_precision"),
    broken("torch.AdamW", "v = b2 * v + ((1 - b2) * g) * roll(g, 1)", "layout"),
    broken("torch.AdamW", "v = b2 * v + ((1 - b2) * last['g']) * g", "moments"),
    broken("torch.AdamW", "root = sqrt(v * (v > 1e-6)) / sqrt(c2)", "moments"),
    broken("optax.adamw", "v_hat = v / (1 if p.size > 3 else c2)", "layout"),
    broken("optax.adamw", "v_hat = (0.5 * v if s.index > 0 else v) / c2", "layout"),
    broken("BertAdam", "d = sqrt(0.5 * v if len(s.shape) > 1 else v) + eps", "layout moments"),
    broken("torch.Adam", "d = v + eps", "moments", amsgrad="True"),
    broken("timm.NAdamW", "d = root + (0 if t > 1 else eps)", "epsilon"),
    broken("torch.NAdam", "g = g + normed(wd * p, 1000.0)", "decay clipping"),
    broken("torch.AdamW", "p = p - lr * wd * roll(p, 1)", "decay layout"),
    broken("optax.adamw", "p = p - lr * (0 if t > 30 else wd) * p", "decay"),
    broken("keras.AdamW", "p = -(p - lr * wd * p)", "moments"),
    broken("apex.FusedAdam", "p = rounded(p, 'bfloat16') - lr * wd * p", "mixed_precision"),
    broken("paper.AdamW", "v = b2 * v - ((1 - b2) * g) * g", "moments maximize"),
    broken("apex.FusedAdam", "m = b1 * maximum(m, 0) + (1 - b1) * g", "moments"),
    broken("torch.AdamW", "p = p * (abs(p) > 1e-6) - lr * wd * p", "moments mixed_precision"),
    broken("torch.AdamW", "p = sign(p) - lr * wd * p", "moments decay"),
    broken("torch.AdamW", "p = m - lr * wd * p", "moments decay"),
    broken("torch.AdamW", "p = abs(p - lr * wd * p)", "moments decay"),
    broken("keras.AdamW", "v = b2 * -v + ((1 - b2) * g) * g", "moments maximize"),
    broken("optax.adamw", "v = b2 * v + ((1 - b2) * g) * g * (abs(g) > 1e-6)", "moments mixed_precision"),
    broken("torch.Adam", "v = b2 * v + ((1 - b2) * g) * roll(g, 1)", "layout", amsgrad="True"),
    broken("timm.NAdamW", "m = b1 * m + (1 - last['b1']) * g", "moments schedule"),
    broken("torch.NAdam", "m = last['b1'] * m + (1 - b1) * g", "moments schedule"),
    broken("torch.AdamW", "v = last['b2'] * v + ((1 - b2) * g) * g", "moments schedule"),
    mutant(5039),  # a square with the other sign, whose root is NaN until there is more in v
    mutant(4043),  # torch.NAdam with a clock that begins with 100
]
"""One change of each kind that was found by the generator, and the areas that it may be called."""


def measured(item: Item) -> Finding | None:
    """Return the first part of an Adam that is not as claimed, in float64."""
    first = [PROBES["STEP.1/fingerprint"]]
    subject = ThirdParty(item.target, item.claim, item.options, None, first, ("float64",))
    with np.errstate(all="ignore"):
        candidate = make_candidate(item.target, item.made, item.options, None)
        subject.on_ready(candidate.info)
        assert subject.claim is not None
        probes = EVERY_EXPERIMENT.values()
        runs = {p.name: try_probe(candidate, p, "float64")[0] for p in probes}
        served = {p.name: subject.effective_probe(p) for p in probes}
        return first_finding(anatomy_of(runs, served, "float64", subject.claim.adam, candidate.info.lacks))


OF_THE_CORPUS = (
    "blind_step.py:BlindRateDrops", "blind_variants.py:BlindMaximumWrittenToV",
    "wrong_amsgrad.py:AmsgradOfArray", "wrong_amsgrad.py:AmsgradOfGradient", "wrong_clipping.py:ClipsUpdate",
    "wrong_clipping.py:ClipsUpdateNorm", "wrong_clock.py:ClockInByte", "wrong_epsilon.py:EpsilonSubtracted",
    "wrong_layout.py:ShapeLost", "fifth_blind_d.py:FifthMaximumCorrectedInPlace",
    "held_out_wrong.py:OldMomentum", "wrong_clipping.py:ClipsAll", "held_out_more.py:AdaptiveClipping",
    "held_out_more.py:HiddenSchedule", "second_blind_decay.py:FreshEpsilonBySize",
    "second_blind_state.py:FreshWrittenIntoFirst", "sixth_blind_a.py:SixthOneSecondForAll",
    "sixth_blind_a.py:SixthRescaledByRows", "sixth_blind_a.py:SixthSpikesCut",
    "sixth_blind_b.py:SixthCorrectionsOfDefaults", "sixth_blind_b.py:SixthFirstUncorrected",
    "sixth_blind_d.py:SixthMaximumOfLists",
)  # fmt: skip
"""What the words on mutants could take for something else."""


def unnamed(chosen: Mutant) -> list[str]:
    found = measured(chosen.item)
    named = found is not None and found.area in chosen.areas
    return [] if named else [f"{chosen.about} {chosen.areas}: {found and (found.area, found.observed)}"]


@pytest.mark.parametrize("chosen", BROKEN[::4], ids=lambda chosen: chosen.about)
def test_a_broken_line_is_named(chosen: Mutant) -> None:
    assert unnamed(chosen) == []


@pytest.mark.slow
@pytest.mark.parametrize("chosen", BROKEN, ids=lambda chosen: chosen.about)
def test_every_broken_line_is_named(chosen: Mutant) -> None:
    assert unnamed(chosen) == []


@pytest.mark.parametrize("place", OF_THE_CORPUS)
def test_the_parts_of_others_keep_their_names(place: str) -> None:
    item = ITEMS[f"tests/corpus/{place}"]
    found = measured(item)
    assert found is not None
    assert found.area in item.areas, found.observed


def test_a_seed_always_gives_the_same_mutant() -> None:
    assert [mutant(seed).about for seed in SEEDS] == [mutant(seed).about for seed in SEEDS]
    assert len({mutant(seed).about for seed in SEEDS}) > 50


def scores() -> Iterator[score.Score]:
    for seed in SEEDS:
        chosen = mutant(seed)
        ITEMS[chosen.item.target] = chosen.item
        yield score.examine(chosen.item)


@pytest.mark.slow
def test_mutants_that_are_killed_are_named() -> None:
    killed = [s for s in scores() if s.killed]
    missed = [(s.item.about, s.item.areas, s.area, s.observed) for s in killed if not s.named]
    assert len(killed) > ENOUGH * len(SEEDS)
    assert len(missed) <= (1 - ENOUGH) * len(killed), missed
