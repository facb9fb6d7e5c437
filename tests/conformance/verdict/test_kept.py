"""The dtype in which moments are kept is the parameter's, or the one that a claim names (MOM.4)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from measured_adams import CLAIM, Parts

from adamcore.conformance.candidates.array import ArrayCandidate
from adamcore.conformance.probes import PROBES
from adamcore.conformance.types import FloatArray, Result
from adamcore.conformance.verdict.diagnose import diagnose
from adamcore.conformance.verdict.judge import judge
from adamcore.conformance.verdict.kept import kept_problem

KEPT = PROBES["MOM.4/kept"]


class Shown(Parts):
    def get_state(self) -> dict[str, object]:
        return {"t": self.t, "m": self.m, "v": self.v}


class Promoted(Shown):
    """Betas are scalars of NumPy, which make an array of float32 one of float64."""

    def first(self, m: FloatArray, g: FloatArray) -> FloatArray:
        return np.asarray(np.float64(self.h["b1"]) * m + (1 - self.h["b1"]) * g)

    def one(self, i: int, g: FloatArray) -> None:
        super().one(i, g)
        self.p[i] = self.p[i].astype(g.dtype)


def judged(cls: type) -> Result:
    return judge(CLAIM, KEPT, "float32", ArrayCandidate(cls, {}).run(KEPT, "float32"))


def test_moments_in_the_dtype_of_the_parameter_pass() -> None:
    assert judged(Shown).status == "passed"


def test_moments_in_more_digits_fail() -> None:
    result = judged(Promoted)
    assert (result.status, result.reason) == (
        "failed",
        "m of parameter 0 is kept in float64 after step 1, expected float32",
    )


def test_the_dtype_that_a_claim_names_is_asked_for() -> None:
    run = ArrayCandidate(Promoted, {}).run(KEPT, "float32")
    assert kept_problem(replace(CLAIM, m_dtype="float64"), run, "float32") == ""
    v = "v of parameter 0 is kept in float32 after step 1, expected float64"
    assert kept_problem(replace(CLAIM, moment_dtype="float64"), run, "float32") == v


def test_moments_that_cannot_be_seen_are_not_called_right() -> None:
    result = judged(Parts)
    assert (result.status, result.reason) == ("skipped", "its moments cannot be seen")


def test_it_is_a_finding_of_its_own() -> None:
    run = ArrayCandidate(Promoted, {}).run(KEPT, "float32")
    [found] = diagnose(CLAIM, {(KEPT.name, "float32"): run}, [judged(Promoted)])
    assert (found.area, found.rule) == ("mixed_precision", "MOM.4")
    assert "is kept in float64" in found.observed
