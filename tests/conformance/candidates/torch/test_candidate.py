"""An optimizer class as a candidate: what it claims, and which probes it serves."""

from __future__ import annotations

from typing import Any

import pytest
from candidate_probes import probe

from adamcore import Adam
from adamcore.conformance.candidates import load_candidates
from adamcore.conformance.probes import PROBES
from adamcore.conformance.verdict.judge import judge


def test_the_attribute_dialect_is_the_claim() -> None:
    torch = pytest.importorskip("torch")
    from adamcore.conformance.candidates.torch.candidate import TorchCandidate

    claims = type("Claims", (torch.optim.AdamW,), {"dialect": "torch.AdamW"})
    assert TorchCandidate(claims, {}, None, None).info.dialect == "torch.AdamW"
    assert TorchCandidate(torch.optim.AdamW, {}, None, None).info.dialect == "torch.AdamW"
    without = dict.fromkeys(("b1", "b2", "eps"), "0.5")
    assert TorchCandidate(torch.optim.SGD, without, None, None).info.dialect is None


@pytest.mark.parametrize(
    ("attributes", "claims"),
    [({}, False), ({"dialect": "torch.AdamW"}, True), ({"complex": True}, True),
     ({"dialect": "torch.AdamW", "complex": False}, False)],
)  # fmt: skip
def test_who_names_no_dialect_claims_no_complex_parameters(attributes: dict[str, Any], claims: bool) -> None:
    torch = pytest.importorskip("torch")
    from adamcore.conformance.candidates.torch.candidate import TorchCandidate

    def start(self: Any, params: Any, lr: float = 1e-3, betas: Any = (0.9, 0.999), eps: float = 1e-8) -> None:
        torch.optim.Optimizer.__init__(self, params, {"lr": lr, "betas": betas, "eps": eps})

    cls = type("Own", (torch.optim.Optimizer,), {"__init__": start, **attributes})
    assert TorchCandidate(cls, {}, None, None).info.claims_complex is claims


def test_a_step_may_refuse_complex_parameters() -> None:
    torch = pytest.importorskip("torch")
    from adamcore.conformance.candidates.torch.candidate import TorchCandidate

    base: type = torch.optim.AdamW

    class RealAlone(base):  # type: ignore[misc]
        def step(self, closure: Any = None) -> Any:
            if any(p.is_complex() for group in self.param_groups for p in group["params"]):
                raise NotImplementedError("complex parameters")
            return super().step(closure)

    run = TorchCandidate(RealAlone, {}, None, None).run
    refused = run(PROBES["CPX.1/complex"], "float64").unsupported or ""
    assert refused.startswith("it refuses complex parameters: NotImplementedError")
    assert run(PROBES["STEP.1/fingerprint"], "float64").error is None


@pytest.mark.parametrize("target", ["torch.optim:AdamW", "adamcore.backends.torch:AdamW"])
@pytest.mark.parametrize("name", [p.name for p in PROBES.values() if p.is_scaled and p.manner != "scheduled"])
def test_a_fused_optimizer_gets_the_scale_and_the_flag_of_a_grad_scaler(target: str, name: str) -> None:
    pytest.importorskip("torch")
    [candidate] = load_candidates(target, [None], {"fused": "True"}, None)
    result = judge(Adam(decay="decoupled"), PROBES[name], "float32", candidate.run(PROBES[name], "float32"))
    assert (result.status, result.reason) == ("passed", "")


def test_an_optimizer_that_leaves_the_scale_to_grad_scaler_is_not_asked() -> None:
    pytest.importorskip("torch")
    [candidate] = load_candidates("torch.optim:AdamW", [None], {}, None)
    run = candidate.run(PROBES["SCALE.2/skipped"], "float32")
    assert run.unsupported == ("its step takes no loss scale: GradScaler divides before it, or leaves it out")


def test_what_compiles_for_too_long_is_run_as_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    from adamcore.conformance.candidates.programs import compilations
    from adamcore.conformance.candidates.torch import candidate as adapter
    from adamcore.conformance.verdict.diagnose import eager_notes

    stances, programs = list[str](), iter(range(100))
    monkeypatch.setattr(torch.compiler, "set_stance", stances.append)
    monkeypatch.setattr(compilations, "_off", False)
    monkeypatch.setattr(compilations, "count", lambda: next(programs))
    monkeypatch.setattr(adapter, "COMPILING", 0.0)
    made = adapter.TorchCandidate(torch.optim.Adam, {}, None, None)
    runs = {(str(k), "float32"): made.run(probe(), "float32") for k in range(3)}
    assert [run.eager for run in runs.values()] == [False, True, True]
    assert stances == ["force_eager"]
    [note] = eager_notes(runs)
    assert note.observed.startswith("2 of 3 runs were made without torch.compile")
    assert eager_notes({}) == []
