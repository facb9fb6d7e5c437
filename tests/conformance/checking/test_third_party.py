"""A third party's Adam: its claim, what it lacks, its runs, and its parts as measured."""

from __future__ import annotations

from pathlib import Path

import pytest
from check_candidates import ADAM, RIGHT, WRONG, one, write
from plain_adam import run

from adamcore.conformance import check
from adamcore.conformance.candidates import CandidateInfo
from adamcore.conformance.checking.check import check as run_check
from adamcore.conformance.checking.third_party import ThirdParty
from adamcore.conformance.claims import claim_for, claim_of_dialect
from adamcore.conformance.probes import PROBES
from adamcore.conformance.verdict import identify


def test_claim_of_a_candidate(tmp_path: Path) -> None:
    told = write(tmp_path, attributes="dialect = 'torch.AdamW'", name="told")
    assert one(told).verdict == "deviates"
    assert one(told).claimed == "torch.AdamW"
    assert one(told, dialect="torch.Adam").verdict == "conforms"
    lost = one(write(tmp_path, attributes="dialect = 'torch.AdamV'", name="lost"))
    assert lost.verdict == "broken"
    assert "its attribute dialect: no dialect 'torch.AdamV'; nearest: torch.Adam" in lost.reason


def test_claims_follow_options() -> None:
    assert claim_for("torch.optim:Adam", None).name == "torch.Adam"
    assert claim_for("nobody:Adam", None, "optax.adam").name == "optax.adam"
    assert claim_for("optax:adam", "keras.Adam", "optax.adam").name == "keras.Adam"
    claim = claim_of_dialect("torch.AdamW", {"amsgrad": "True", "foreach": "True"})
    assert claim.name == "torch.AdamW(amsgrad=True)"
    assert (claim.adam.amsgrad, claim.adam.decay) == ("uncorrected", "decoupled")


def test_hyperparameter_that_a_candidate_lacks_is_zero(tmp_path: Path) -> None:
    path = tmp_path / "without.py"
    path.write_text(ADAM.format(denominator=RIGHT, attributes="hyper = ('lr', 'b1', 'b2', 'eps')"))
    assert one(f"{path}:Adam").verdict == "conforms"


def test_constant_that_set_gives_is_judged(tmp_path: Path) -> None:
    target = write(tmp_path, "np.sqrt(v_hat) + f(0.25)")
    assert one(target).verdict == "deviates"
    assert one(target, settings={"eps": "0.25"}).verdict == "conforms"


def test_identification_is_prepared_while_another_worker_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared: list[bool] = []

    def prepare(*_: object, flushes: bool) -> None:
        prepared.append(flushes)
        raise ValueError("a fault of ours")

    monkeypatch.setattr(identify, "prepare", prepare)
    subject = ThirdParty(
        "optax:adamw", None, {}, None, [PROBES["STEP.1/fingerprint"]], ["float32", "float64"]
    )
    subject.on_ready(CandidateInfo("optax factory", flushes=True))
    subject.on_end(None, "")
    assert prepared == [True]
    assert subject.problem == "broken"
    assert "a fault of ours" in subject.reason
    subject.on_end(None, "")
    assert prepared == [True]


@pytest.mark.parametrize("name", ["lr", "b1", "b2", "eps", "weight_decay"])
def test_a_candidate_that_lacks_a_hyperparameter_and_deviates_has_a_verdict(
    tmp_path: Path, name: str
) -> None:
    taken = tuple(other for other in ("lr", "b1", "b2", "eps", "weight_decay") if other != name)
    target = write(tmp_path, "np.cosh(v_hat) + eps", f"hyper = {taken}")
    path = tmp_path / "mine.py"
    path.write_text(path.read_text().replace("self.h = hyper", f"self.h = {{'{name}': 0.3}} | hyper"))
    entry = one(target)
    assert entry.verdict == "deviates"
    assert entry.findings


def test_a_constant_is_held_to_its_default(tmp_path: Path) -> None:
    target = write(tmp_path, attributes="hyper = ('lr', 'eps')")
    path = tmp_path / "mine.py"
    path.write_text(path.read_text().replace("self.h = hyper", "self.h = {'b1': .9, 'b2': .999} | hyper"))
    assert one(target).verdict == "conforms"


def test_a_fault_of_the_measuring_costs_no_other_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be read off the runs is told as a verdict, not by a traceback from the report."""

    def fails(*_: object) -> None:
        raise IndexError("list index out of range")

    right, wrong = write(tmp_path), write(tmp_path, WRONG, name="wrong")
    monkeypatch.setattr("adamcore.conformance.anatomy.anatomy.equations", fails)
    report = check(wrong, right, probes=["EPS.1/beside-small-root"], dtypes=["float32"])
    assert [entry.verdict for entry in report.entries] == ["broken", "conforms"]
    assert report.entries[0].reason.startswith("the check itself failed: IndexError: list index out of range")
    assert report.entries[0].anatomy is None
    assert len(report.as_dict()["candidates"]) == 2


def test_our_own_optimizer_is_held_to_its_dialect() -> None:
    pytest.importorskip("torch")
    entry = one("adamcore.backends.torch:AdamW")
    assert (entry.verdict, entry.claimed) == ("conforms", "torch.AdamW")


def test_what_has_no_float64_is_measured_in_float32_and_told_with_its_fault(tmp_path: Path) -> None:
    """It can't change its lr either: a probe that it can't run says nothing against a fault."""
    path = Path(write(tmp_path).rpartition(":")[0])
    source = path.read_text(encoding="utf-8").replace("[0] * len(params)", "[1] * len(params)")
    refuses = 'if params[0].dtype == np.float64: raise NotImplementedError("float32 alone")'
    source = source.replace("self.p = params\n", f"{refuses}\n        self.p = params\n")
    path.write_text(source, encoding="utf-8")
    [entry] = run_check([f"{path}:Adam"], identifying=True).entries
    assert entry.anatomy is not None
    assert entry.anatomy.readings.dtype == "float32"
    assert ("step", "p = p - lr m_hat / (sqrt(v_hat) + eps)") in entry.anatomy.equations
    assert entry.axes["epsilon"] == ["outside-corrected"]
    assert entry.fault == "the first update counts as t=2"


def test_a_probe_of_very_many_arrays_is_run_early() -> None:
    names = "STEP.1/fingerprint", "STEP.1/shapes", "STEP.1/long", "STEP.1/many"
    subject = ThirdParty("m:C", None, {}, None, [PROBES[name] for name in names], ["float32", "float64"])
    in_order = [[job.probe_of(k).name for k in range(len(job.tasks))] for job in subject.jobs]
    assert in_order == [[names[0], names[3], *names[1:3]], [*names[:3]]]


def test_a_probe_of_very_many_arrays_is_run_in_one_dtype() -> None:
    many = PROBES["STEP.1/many"]
    for dtypes, expected in ((("float32", "float64"), [1, 0]), (("float64",), [1]), (("float16",), [0])):
        subject = ThirdParty("m:C", None, {}, None, [many], dtypes)
        assert [len(job.tasks) for job in subject.jobs] == expected


def test_an_option_that_neither_the_kernel_nor_its_claim_has_is_said() -> None:
    def reason(dialect: str) -> str:
        subject = ThirdParty("kernel:m:f", dialect, {"adamw_mode": "False"}, None, [], ["float32"])
        subject.on_ready(CandidateInfo("kernel"))
        return subject.reason

    assert reason("deepspeed.CPUAdam") == ""
    assert reason("torch.AdamW") == "--set adamw_mode: neither the kernel nor torch.AdamW has such an option"


def test_defaults_that_are_other_numbers_are_a_note() -> None:
    """Probes give every hyperparameter, so that no run shows them."""
    names = ["STEP.1/fingerprint", "MOM.1/b1-zero"]
    subject = ThirdParty("m:C", "torch.AdamW", {}, None, [PROBES[name] for name in names], ["float64"])
    subject.on_ready(CandidateInfo("torch optimizer", defaults={"lr": 1e-3, "weight_decay": 0.99}))
    for task, name in enumerate(names):
        subject.on_run(subject.jobs[0], task, run(PROBES[name], "float64", {}))
    [entry] = subject.entries()
    [note] = [found for found in entry.findings if found.area == "hyperparameters"]
    assert (entry.verdict, note.level) == ("conforms", "note")
    assert note.observed == "where nothing is given, weight_decay is 0.99"


def test_a_number_that_the_claim_has_as_0_needs_no_argument() -> None:
    """The AMSGrad of the paper has no eps."""

    def required(dialect: str | None) -> list[str]:
        probes = [PROBES["STEP.1/fingerprint"]]
        return list(ThirdParty("kernel:m:f", dialect, {}, None, probes, ["float32"]).jobs[0].required)

    assert required("paper.AMSGrad") == ["lr", "b1", "b2"]
    assert required("torch.AdamW") == required(None) == ["lr", "b1", "b2", "eps"]
