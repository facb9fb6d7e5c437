"""Probes of clipping: wrong clips are killed and named, right ones conform, and so do our own backends."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import clips
import numpy as np
import pytest

from adamcore import Adam
from adamcore.conformance.candidates.own import OwnCandidate, library_for
from adamcore.conformance.candidates.targets import make_candidate
from adamcore.conformance.checking.third_party import ThirdParty
from adamcore.conformance.errors import UsageError
from adamcore.conformance.probes import PROBES
from adamcore.conformance.probes.clipping import for_clipping, scaled_to
from adamcore.conformance.report.report import Entry
from adamcore.conformance.settings import parse_clipping
from adamcore.conformance.types import Clipping, Probe
from adamcore.conformance.verdict.judge import judge
from adamcore.conformance.workers.worker import try_probe

WAYS = (Clipping("global_norm", 1.0), Clipping("norm", 0.7, 1e-6), Clipping("value", 0.5))
FEW = ("STEP.1/fingerprint", "DEC.1/coupling")


def probes(clip: Clipping, *names: str) -> list[Probe]:
    chosen = [p for name, p in PROBES.items() if name.startswith("CLIP") or name in (*FEW, *names)]
    return for_clipping(chosen, clip)


def entry(made: Any) -> Entry:
    """Return what a check says of one of the corpus that clips."""
    target = f"tests/corpus/clips.py:{made.__name__}"
    subject = ThirdParty(
        target, made.dialect, {}, None, probes(made.clip), ("float32", "float64"), clip=str(made.clip)
    )
    with np.errstate(all="ignore"):
        candidate = make_candidate(target, made, {}, None)
        subject.on_ready(candidate.info)
        for job in subject.jobs:
            for number in range(len(job.tasks)):
                subject.on_run(job, number, try_probe(candidate, job.probe_of(number), job.dtype)[0])
        [found] = subject.entries()
    return found


def first_alone(all_made: tuple[Any, ...]) -> list[Any]:
    """Return parameters of which all but the first are slow."""
    return [all_made[0], *(pytest.param(made, marks=pytest.mark.slow) for made in all_made[1:])]


@pytest.mark.parametrize("made", first_alone(clips.RIGHT), ids=lambda made: made.__name__)
def test_right_ones_conform(made: Any) -> None:
    found = entry(made)
    assert found.verdict == "conforms", [f.observed for f in found.findings]
    assert sum(r.status == "passed" and r.probe.startswith("CLIP") for r in found.results) >= 12


@pytest.mark.parametrize("made", clips.WRONG, ids=lambda made: made.__name__)
def test_wrong_ones_are_killed(made: Any) -> None:
    """By one probe in float64 at the least."""
    claim = Adam.like(made.dialect)
    for probe in probes(made.clip):
        candidate = make_candidate("clips.py", made, {}, None)
        with np.errstate(all="ignore"):
            run, _ = try_probe(candidate, probe, "float64")
        if judge(claim, probe, "float64", run).status == "failed":
            return
    raise AssertionError("no probe failed")


@pytest.mark.slow
@pytest.mark.parametrize("made", clips.WRONG, ids=lambda made: made.__name__)
def test_wrong_ones_are_killed_and_named(made: Any) -> None:
    found = entry(made)
    first = next(f for f in found.findings if f.level == "error")
    assert (first.area, first.rule) == (made.area, made.rule), first.observed
    assert first.repro is not None
    assert f"--clip {made.clip}" in first.repro


@pytest.mark.parametrize("dtype", ["float32", "float64", pytest.param("bfloat16", marks=pytest.mark.slow)])
@pytest.mark.parametrize("clip", WAYS, ids=str)
@pytest.mark.parametrize(
    "target", ["numpy", *(pytest.param(x, marks=pytest.mark.slow) for x in ("torch", "jax"))]
)
def test_our_own_backends(target: str, clip: Clipping, dtype: str) -> None:
    """With loss scales, masks and absent gradients."""
    xp = pytest.importorskip(target)
    library = library_for(target)
    assert library is not None
    claim = Adam.like("torch.AdamW", maximize=True)
    candidate = OwnCandidate(library, claim)
    for probe in probes(clip, "F3/mask", "SCALE.2/backoff"):
        with xp.enable_x64(dtype == "float64") if target == "jax" else nullcontext():
            run, _ = try_probe(candidate, probe, dtype)
        result = judge(claim, probe, dtype, run, our_bits=True, flushes=library.flushes)
        assert result.status == "passed", (probe.name, result.reason)


def test_probes_without_a_claim_that_clips() -> None:
    plain = for_clipping(PROBES.values(), None)
    assert not any(p.ways or p.clip for p in plain)
    names = {p.name for p in plain}
    assert PROBES.keys() - names == {name for name in PROBES if name.startswith("CLIP")}


def test_gradients_are_as_large_as_the_number_asks() -> None:
    [probe] = for_clipping([PROBES["CLIP.2/large"]], Clipping("norm", 0.1))
    for step, old in zip(probe.steps, PROBES["CLIP.2/large"].steps, strict=True):
        for g, before in zip(step.grads, old.grads, strict=True):
            assert g is not None
            assert before is not None
            np.testing.assert_allclose(g, 0.1 * before, rtol=1e-6)
            assert (g == g.astype(np.float32)).all()
    assert scaled_to(probe.steps, 0.0) is probe.steps


@pytest.mark.parametrize(
    "text", ["", "norm", "norm=x", "norm=1,value=2", "value=1,eps=1e-6", "norm=-1", "n=1"]
)
def test_wrong_options(text: str) -> None:
    with pytest.raises(UsageError, match="--clip"):
        parse_clipping(text)
