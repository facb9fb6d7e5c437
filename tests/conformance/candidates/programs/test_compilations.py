"""Programs that were compiled in each step of a run."""

from __future__ import annotations

import itertools
import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from adamcore.conformance.candidates.adapter import base, runs
from adamcore.conformance.candidates.kernel import KernelCandidate
from adamcore.conformance.candidates.programs import compilations
from adamcore.conformance.probes import PROBES
from adamcore.conformance.types import Run
from adamcore.conformance.verdict.diagnose import compilation_notes

PROBE = PROBES["STEP.1/fingerprint"]


def adam(p: Any, g: Any, m: Any, v: Any, t: Any, lr: float, b1: float, b2: float, eps: float) -> Any:
    m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
    return p - lr * m / (1 - b1**t) / ((v / (1 - b2**t)) ** 0.5 + eps), m, v


@pytest.mark.parametrize("static", [False, True])
def test_a_clock_that_is_a_constant_of_the_program_compiles_each_step(static: bool) -> None:
    jax = pytest.importorskip("jax")
    step = jax.jit(adam, static_argnames="t" if static else None)
    run = KernelCandidate(step, {}, None).run(PROBE, "float32")
    assert len(run.compilations) == len(PROBE.steps) == 5
    assert [bool(n) for n in run.compilations[2:]] == [static] * 3
    notes = compilation_notes({(PROBE.name, "float32"): run}, PROBES)
    assert [(f.rule, f.level) for f in notes] == [("STEP.3", "note")] * static
    if static:
        programs = sum(run.compilations)
        assert notes[0].observed == f"{programs} programs were compiled in the 5 steps of STEP.1/fingerprint"


def test_compiling_in_the_first_steps_or_for_other_hyperparameters_is_no_note() -> None:
    few, other = Run(compilations=[1, 1, 0, 1]), Run(compilations=[1] * 7)
    runs = {(PROBE.name, "float32"): few, ("LR.3/eps-changed", "float32"): other}
    assert compilation_notes(runs, PROBES) == []


@pytest.mark.parametrize("steps", [24, 25])
def test_a_long_probe_is_given_up(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = itertools.count()
    monkeypatch.setattr(compilations, "count", lambda: next(counted))

    class Still(base.Stepper):
        def step(self, index: int, step: Any) -> tuple[list[Any], list[str]]:
            return list(PROBE.params), []

    long = replace(PROBE, steps=PROBE.steps[:1] * steps)
    run = runs.run_probe(lambda probe: Still(), long)
    if steps == 24:
        assert run.compilations == [1] * 24
    else:
        assert run.unsupported == "it compiles in every step, which takes too long for 25"


def test_graphs_of_torch_compile_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    stats = {"unique_graphs": 2}
    monkeypatch.setitem(sys.modules, "torch._dynamo.utils", SimpleNamespace(counters={"stats": stats}))
    before = compilations.count()
    stats["unique_graphs"] = 5
    assert compilations.count() - before == 3
