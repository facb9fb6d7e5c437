"""Findings and identification of an entry: adamcore's own backends are not identified."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from array_adam import CLAIM, Good, judged
from measured_adams import LrVariable

from adamcore import AXES, Adam
from adamcore.conformance.candidates.array import ArrayCandidate
from adamcore.conformance.checking.explain import SEVERAL, explain
from adamcore.conformance.checking.third_party import ThirdParty
from adamcore.conformance.probes import PROBES
from adamcore.conformance.report.report import Entry
from adamcore.conformance.types import Finding
from adamcore.conformance.verdict.judge import judge

PROBE = "STEP.1/fingerprint"


def explained(cls: type, kind: str) -> Entry:
    """Return the entry of a class after one probe."""
    probe, run, result = judged(cls, PROBE, "float64")
    entry = Entry("m:A", "torch.AdamW", {axis: list(values) for axis, values in AXES.items()}, kind=kind)
    entry.results = [result]
    explain(entry, CLAIM, {PROBE: probe}, {(PROBE, "float64"): run}, flushes=False)
    return entry


class Inside(Good):
    """An Adam with eps twice as large."""

    def init(self, params: Any, hyper: Any) -> None:
        super().init(params, hyper | {"eps": 2 * hyper["eps"]})


def test_a_third_partys_adam_is_identified() -> None:
    entry = explained(Good, "array candidate")
    assert entry.identified == "torch.AdamW"
    assert entry.axes["decay"] == ["decoupled"]
    assert entry.findings == []


class Claiming(Good):
    """It says that complex parameters are among what it claims."""

    complex = True


@pytest.mark.parametrize(("cls", "level"), [(Good, "note"), (Claiming, "error")])
def test_real_code_is_not_accused_of_complex_parameters_unless_it_claims_them(cls: type, level: str) -> None:
    probes = [PROBES[name] for name in (PROBE, "CPX.1/complex", "CPX.3/real-gradient") if name in PROBES]
    subject = ThirdParty("m:A", "torch.AdamW", {}, None, probes, ["float64"])
    candidate = ArrayCandidate(cls, {})
    subject.on_ready(candidate.info)
    for number, probe in enumerate(probes):
        subject.on_run(subject.jobs[0], number, candidate.run(probe, "float64"))
    [entry] = subject.entries()
    [found] = entry.findings
    assert (found.area, found.rule, found.level) == ("complex", "CPX.1", level)
    assert entry.verdict == ("conforms" if level == "note" else "deviates")
    assert entry.identified == ("torch.AdamW" if level == "note" else None)


@pytest.mark.parametrize(("cls", "findings"), [(Good, False), (Inside, True)])
def test_an_own_backend_is_diagnosed_if_it_fails_and_never_identified(cls: type, findings: bool) -> None:
    entry = explained(cls, "own backend")
    assert entry.identified is None
    assert bool(entry.findings) is findings


class OfTheMean(Good):
    """v is of the array's mean of g*g, as in Adam-mini: in one element that is g*g."""

    def step(self, grads: list[Any]) -> Any:
        old = [v.copy() for v in self.v]
        super().step(grads)
        for i, g in enumerate(grads):
            b2, f = self.h["b2"], self.p[i].dtype.type
            self.v[i] = np.asarray(f(b2) * old[i] + f(1 - b2) * np.mean(g * g))
        return [p.copy() for p in self.p]


def fault_of(
    measured: Finding | None, claim: Adam = CLAIM, cls: type = OfTheMean, decay: float | None = None
) -> str:
    """Return what a class is said to do; ``decay`` is that of the probe of one element, if it is another."""
    probes = {name: PROBES[name] for name in (PROBE, *SEVERAL)}
    if decay is not None:
        probes[PROBE] = replace(probes[PROBE], hyper={**probes[PROBE].hyper, "weight_decay": decay})
    candidate = ArrayCandidate(cls, {})
    runs = {(name, "float64"): candidate.run(probe, "float64") for name, probe in probes.items()}
    entry = Entry("m:A", "torch.AdamW", {}, kind="array candidate")
    entry.results = [judge(CLAIM, probes[n], d, run) for (n, d), run in runs.items()]
    explain(entry, claim, probes, runs, flushes=False, measured=measured, is_measured=measured is not None)
    assert entry.identified is None
    return entry.fault or ""


def test_like_adam_in_one_element_is_said_so_with_what_it_does_otherwise() -> None:
    assert "in one element, but " in fault_of(None)


class ByPlace(Good):
    """The step of an array goes with its place, which no fault that is known here does."""

    def step(self, grads: list[Any]) -> Any:
        before = [p.copy() for p in self.p]
        after = super().step(grads)
        self.p = [p + (p - old) * np.sin(i) for i, (p, old) in enumerate(zip(after, before, strict=True))]
        return [p.copy() for p in self.p]


def test_what_goes_wrong_with_several_arrays_alone_is_said_so() -> None:
    assert "but goes wrong only with several arrays; " in fault_of(None, cls=ByPlace)


def test_what_it_does_otherwise_is_what_was_measured_beside_that_adam() -> None:
    measured = Finding("clipping", "NUM.5", "", "beside others, steps have the share 0.5")
    assert fault_of(measured).endswith(f"but {measured.observed}")
    other = replace(CLAIM, epsilon="inside-corrected")
    assert not fault_of(measured, other).endswith(measured.observed)


@pytest.mark.parametrize("decay", [None, 0.25])
def test_an_lr_of_float32_is_not_said_to_be_a_decay_of_float32(decay: float | None) -> None:
    """With numbers of few bits both do the same, and one element with such a decay shows neither."""
    assert "lr is kept in float32" in fault_of(None, cls=LrVariable, decay=decay)
