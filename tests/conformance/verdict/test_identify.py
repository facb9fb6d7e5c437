"""Which Adam it is, read off the runs of Adams written here."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import score
from corpus_runs import item
from measured_adams import Parts
from plain_adam import ADAMW, FEW, Change, run, runs_and_results

from adamcore import AXES, Adam
from adamcore.conformance.candidates import judged_hyper
from adamcore.conformance.candidates.array import ArrayCandidate
from adamcore.conformance.claims import claim_of_dialect
from adamcore.conformance.probes import PROBES
from adamcore.conformance.settings import DTYPES
from adamcore.conformance.types import FloatArray, Run
from adamcore.conformance.verdict.identify import (
    BETWEEN_FAULTS,
    FREEZE_PROBES,
    WITH_A_FAULT,
    combinations,
    dialect_of,
    identify,
    trajectories,
)
from adamcore.conformance.verdict.judge import judge
from adamcore.conformance.verdict.match import CLOSE
from adamcore.dialects import DIALECTS

FROM_ONE = "one clock for all tensors, from 1 on, which ticks before each tensor's update"


def test_a_right_adam_is_identified() -> None:
    runs, _ = runs_and_results(ADAMW)
    seen = identify(runs, prefer="torch.AdamW")
    assert seen.dialect == "torch.AdamW"
    assert seen.axes["epsilon"] == ["outside-corrected"]
    assert seen.axes["clock"] == ["per-parameter"]
    assert seen.precision is None, "the probe that shows it was not run"


@pytest.mark.parametrize(
    ("change", "axis", "values"),
    [
        ({"eps": "inside"}, "epsilon", ["inside-corrected"]),
        ({"decay": "l2"}, "decay", ["l2"]),
        ({"after": True}, "decay_order", ["after"]),
        ({"absent": "zero"}, "missing", ["zero"]),
    ],
)
def test_each_choice_is_read(change: Change, axis: str, values: list[object]) -> None:
    runs, _ = runs_and_results(ADAMW, **change)
    assert identify(runs).axes[axis] == values


def test_what_is_no_adam_is_not_forced_into_one() -> None:
    runs = {("STEP.1/fingerprint", "float64"): run(PROBES["STEP.1/fingerprint"], "float64", {})}
    runs["STEP.1/fingerprint", "float64"].params[2][0] += 0.01
    assert all(values == [] for values in identify(runs).axes.values())


def test_without_the_fingerprint_nothing_is_said() -> None:
    runs, _ = runs_and_results(ADAMW)
    some = {key: done for key, done in runs.items() if key[0] != "STEP.1/fingerprint"}
    assert all(values == [] for values in identify(some).axes.values())


def test_an_adam_with_a_fault_is_identified_with_it() -> None:
    """b1 and b2 swapped: no combination of axes, and AdamW with a known fault."""
    probe = PROBES["STEP.1/fingerprint"]
    swapped = probe.with_hyper(b1=probe.hyper["b2"], b2=probe.hyper["b1"])
    runs = {(probe.name, "float64"): run(swapped, "float64", {})}
    seen = identify(runs)
    assert seen.fault == "b1 and b2 are swapped"
    assert seen.axes["decay"] == ["decoupled"]
    assert seen.dialect is None
    runs[probe.name, "float32"] = Run(unsupported="no float32")
    assert identify(runs) == seen


def test_of_a_dtype_that_it_does_not_take_nothing_is_said() -> None:
    runs = {("STEP.1/fingerprint", "float32"): Run(unsupported="no float32")}
    assert all(values == [] for values in identify(runs).axes.values())


@pytest.mark.parametrize(("cautious", "apart"), [(False, 4 * CLOSE), (True, 3 * CLOSE)])
def test_combinations_of_axes_are_the_same_function_or_clearly_apart(cautious: bool, apart: float) -> None:
    """Without a second correction, for instance, it makes no difference whether epsilon is corrected."""
    probe = PROBES["STEP.1/fingerprint"]
    chosen, rows = trajectories(probe, cautious)
    assert len(chosen) == len(rows) == len(list(combinations(probe.hyper["weight_decay"], cautious)))
    for k, row in enumerate(rows):
        distances = abs(rows[k + 1 :] - row).max(axis=1, initial=0.0) / probe.hyper["lr"]
        assert ((distances < 1e-12) | (distances > apart)).all()


def test_cautious_decay_is_clearly_apart_from_decay_of_all() -> None:
    probe = PROBES["STEP.1/fingerprint"]
    _, everywhere = trajectories(probe)
    for row in trajectories(probe, True)[1]:
        assert (abs(everywhere - row).max(axis=1) / probe.hyper["lr"]).min() > 2 * CLOSE


def test_the_fingerprint_needs_no_0d_arrays() -> None:
    """Some libraries have none, so that nothing could be said about their Adams."""
    [p] = PROBES["STEP.1/fingerprint"].params
    assert p.shape == (1,)


def test_an_option_of_a_dialect_is_named() -> None:
    claim = claim_of_dialect("torch.Adam", {"amsgrad": "True"}).adam
    assert dialect_of({axis: [getattr(claim, axis)] for axis in AXES}, None) == "torch.Adam(amsgrad=True)"
    both = claim_of_dialect("torch.AdamW", {"amsgrad": "True", "maximize": "True"})
    assert dialect_of({axis: [getattr(both.adam, axis)] for axis in AXES}, None) == both.name
    open_axes = {axis: list(values) for axis, values in AXES.items()}
    assert dialect_of(open_axes, None) == next(iter(DIALECTS)), "a row without options comes first"


def test_values_that_come_back_in_float64_are_read_all_the_same() -> None:
    runs, _ = runs_and_results(ADAMW)
    wide = {
        key: replace(done, params=[[p.astype(np.float64) for p in step] for step in done.params])
        for key, done in runs.items()
    }
    assert identify(wide, prefer="torch.AdamW") == identify(runs, prefer="torch.AdamW")


def test_where_a_fixed_epsilon_leaves_several_the_other_probes_tell() -> None:
    """With eps=1e-8 in float32 the fingerprint alone does not tell where epsilon stands."""
    fixed = {name: probe.with_hyper(eps=1e-8) for name, probe in PROBES.items() if name in FEW}
    runs = {(name, "float32"): run(probe, "float32", {}) for name, probe in fixed.items()}
    alone = {key: done for key, done in runs.items() if key[0] == "STEP.1/fingerprint"}
    assert len(identify(alone, probes=fixed).axes["epsilon"]) > 1
    seen = identify(runs, probes=fixed)
    assert seen.axes["missing"] == ["skip"]
    assert seen.axes["clock"] == ["per-parameter"]
    assert len(seen.axes["epsilon"]) < len(identify(alone, probes=fixed).axes["epsilon"])


@pytest.mark.parametrize(
    ("adam", "fault"),
    [
        (
            "CorrectionBothMultiplied",
            "both moments are multiplied with their corrections, not divided by them",
        ),
        ("CorrectionWithEpsilon", "eps is added to both corrections"),
        ("CorrectionBeginsTwice", "the first two updates count as t=1"),
        ("CorrectionLate", "the first update counts as t=2"),
        (
            "ClockTicksPerArrayFromOne",
            FROM_ONE,
        ),
        ("EpsilonMaximum", "m is divided by max(root, eps)"),
        ("DecayIgnoredL2", "weight_decay is ignored; 0 is used"),
    ],
)
def test_a_fault_seen_in_the_wild_is_named(adam: str, fault: str) -> None:
    """Where roots are above eps and there is one array, two of them look like another fault."""
    assert score.entry(item(adam), (*WITH_A_FAULT, *BETWEEN_FAULTS)).fault == fault


@pytest.mark.parametrize(
    ("adam", "axes"),
    [
        ("RelativePlain", {"decay": ["decoupled-relative"], "cautious_decay": [False]}),
        ("SquaredPlain", {"decay": ["decoupled-squared"], "cautious_decay": [False]}),
        ("CautiousPlain", {"decay": ["decoupled"], "cautious_decay": [True]}),
    ],
)
def test_kinds_of_decay_are_identified_from_outside(adam: str, axes: dict[str, list[object]]) -> None:
    seen = score.entry(item(adam), ("STEP.1/fingerprint", "DEC.2/lr-changed"))
    assert {axis: seen.axes[axis] for axis in axes} == axes
    assert seen.sureness is not None
    assert seen.sureness > 100.0


class TinyEps(Parts):
    """An Adam with L2 decay whose eps is a constant, so small that a probe is undecided."""

    hyper = ("lr", "b1", "b2", "weight_decay")

    def one(self, i: int, g: FloatArray) -> None:
        super().one(i, g + self.h["weight_decay"] * self.p[i])

    def decay(self, p: FloatArray) -> FloatArray:
        return p


def test_what_is_undecided_speaks_against_no_value() -> None:
    candidate = ArrayCandidate(TinyEps, {"eps": "1e-8"})
    names = ("STEP.1/fingerprint", *FREEZE_PROBES)
    probes = {n: replace(PROBES[n], hyper=judged_hyper(PROBES[n].hyper, (), {"eps": 1e-8})) for n in names}
    runs = {(name, "float32"): candidate.run(PROBES[name], "float32") for name in names}
    statuses = {name: judge(Adam(), probes[name], "float32", runs[name, "float32"]).status for name in names}
    assert "undecided" in statuses.values()
    seen = identify(runs, probes=probes)
    assert all(getattr(Adam(), axis) in seen.axes[axis] for axis in AXES)


class WritesGradients(Parts):
    """An Adam that adds L2 decay to the gradient in place, as optimi.Adam does."""

    def one(self, i: int, g: FloatArray) -> None:
        g += self.h["weight_decay"] * self.p[i]
        super().one(i, g)

    def decay(self, p: FloatArray) -> FloatArray:
        return p


def test_what_writes_to_its_gradients_is_identified_all_the_same() -> None:
    """A fault that the fingerprint's numbers do not show, such as a rounded lr, would explain it as well."""
    names = ("STEP.1/fingerprint", *FREEZE_PROBES)
    candidate = ArrayCandidate(WritesGradients, {})
    runs = {(name, dtype): candidate.run(PROBES[name], dtype) for name in names for dtype in DTYPES}
    assert runs["STEP.1/fingerprint", "float64"].written
    seen = identify(runs)
    assert (seen.fault, seen.axes["decay"], seen.axes["clock"]) == (None, ["l2"], ["per-parameter"])


class RealAlone(Parts):
    """An Adam that raises for complex gradients, as pyro's clipping does."""

    def one(self, i: int, g: FloatArray) -> None:
        if np.iscomplexobj(g):
            raise TypeError("clamp is not supported for complex types")
        super().one(i, g)


def test_what_raises_for_complex_parameters_may_have_either_value() -> None:
    candidate = ArrayCandidate(RealAlone, {})
    names = ("STEP.1/fingerprint", "CPX.1/complex")
    runs = {(name, "float32"): candidate.run(PROBES[name], "float32") for name in names}
    assert identify(runs).axes["complex"] == list(AXES["complex"])


def runs_of(cls: type, *names: str) -> dict[tuple[str, str], Run]:
    """Return the runs of a class of arrays on these probes, in both dtypes."""
    candidate = ArrayCandidate(cls, {})
    return {(name, dtype): candidate.run(PROBES[name], dtype) for name in names for dtype in DTYPES}


def test_complex_numbers_in_the_formula_for_real_ones_are_named() -> None:
    """As geoopt's Adam and others square a complex gradient."""
    seen = identify(runs_of(Parts, "STEP.1/fingerprint", *FREEZE_PROBES, "CPX.1/complex"))
    assert seen.fault == "complex numbers go through the formula for real ones: v averages g*g, not |g|**2"
    assert seen.dialect is None
    assert seen.axes["complex"] == list(AXES["complex"])
    assert seen.sureness is not None, "without the complex run it is an Adam without a fault"


class RealPart(Parts):
    """An Adam that steps the real part of everything, as bitsandbytes' does on the CPU."""

    def step(self, grads: list[FloatArray | None]) -> list[FloatArray]:
        self.p = [p.real + 0 * p for p in self.p]
        return super().step([None if g is None else g.real + 0 * g for g in grads])


def test_a_parameter_without_its_imaginary_part_is_named() -> None:
    seen = identify(runs_of(RealPart, "STEP.1/fingerprint", *FREEZE_PROBES, "CPX.1/complex"))
    assert seen.fault == "the imaginary part of a parameter is lost"


class CorrectedAverages(Parts):
    """AdamW as optimi has it: the clock is the group's, and both averages are formed with corrected betas."""

    calls = 0

    def step(self, grads: list[FloatArray | None]) -> list[FloatArray]:
        self.calls += 1
        self.t = [self.calls - 1 for _ in self.p]
        return super().step(grads)

    def one(self, i: int, g: FloatArray) -> None:
        w1, w2 = ((1 - b) / (1 - b ** self.t[i]) for b in (self.h["b1"], self.h["b2"]))
        self.m[i] = (1 - w1) * self.m[i] + w1 * g
        self.v[i] = (1 - w2) * self.v[i] + w2 * g * g
        self.p[i] = self.decay(self.p[i]) - self.lr * self.m[i] / self.root(self.v[i])


def test_averages_with_corrected_betas_are_named_where_a_step_is_missed() -> None:
    seen = identify(runs_of(CorrectedAverages, "STEP.1/fingerprint", *FREEZE_PROBES))
    assert seen.fault is not None
    assert seen.fault.startswith("moments are averaged with corrected betas and kept corrected")
    assert (seen.axes["missing"], seen.axes["clock"], seen.axes["all_missing"]) == (
        ["skip"], ["global"], ["tick"]
    )  # fmt: skip


class FromOne(Parts):
    """An Adam with a constant eps under the root, whose clock is one too far, as tiny-dnn's is."""

    hyper = ("lr", "b1", "b2")

    def root(self, v: FloatArray) -> FloatArray:
        return np.asarray(np.sqrt(v + 1e-8))

    def correction(self, t: int) -> tuple[float, float]:
        return super().correction(t + 1)

    def decay(self, p: FloatArray) -> FloatArray:
        return p


def test_with_a_fault_every_value_that_agrees_is_told() -> None:
    """No probe shows whether an eps of 1e-8 stands under the root or beside it: both are possible."""
    fixed = {"eps": 1e-8}
    candidate = ArrayCandidate(FromOne, {"eps": "1e-8"})
    names = (*WITH_A_FAULT, *BETWEEN_FAULTS)
    hyper = {n: judged_hyper(PROBES[n].hyper, ("weight_decay",), fixed) for n in names}
    probes = {n: replace(PROBES[n], hyper=hyper[n]) for n in names}
    runs = {(name, "float32"): candidate.run(PROBES[name], "float32") for name in names}
    seen = identify(runs, probes=probes)
    assert seen.fault in ("the first update counts as t=2", FROM_ONE)
    assert {"outside-corrected", "inside-corrected"} <= set(seen.axes["epsilon"])
