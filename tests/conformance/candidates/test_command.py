"""``cmd:`` targets: real drivers in C and Python, and what a driver may refuse."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from check_candidates import WRONG, write
from drivers import FEW, faulty, run, spoken
from paths import ROOT

from adamcore.conformance import check
from adamcore.conformance.candidates.adapter.base import numpy_dtype
from adamcore.conformance.candidates.command import CommandCandidate, pack, unpack
from adamcore.conformance.cli import main
from adamcore.conformance.errors import UsageError
from adamcore.conformance.report.report import Entry

DRIVERS = ROOT / "examples" / "drivers"


SCHEMA = json.loads((ROOT / "conformance" / "schemas" / "protocol-1.json").read_text())


PYTHON = f"cmd:{sys.executable} {DRIVERS / 'minimal.py'}"


def one(target: str, **options: Any) -> Entry:
    [entry] = check(target, **({"probes": FEW} | options)).entries
    return entry


def test_driver_in_c_conforms(tmp_path: Path) -> None:
    cc = shutil.which("cc")
    if cc is None:
        pytest.skip("no C compiler")
    flags = ["-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off"]
    subprocess.run([cc, *flags, "-o", tmp_path / "adamw", DRIVERS / "adamw.c", "-lm"], check=True)
    [entry] = check(f"cmd:{tmp_path / 'adamw'}", quick=True).entries
    assert (entry.verdict, entry.claimed, entry.kind) == ("conforms", "torch.AdamW", "command")
    assert {r.dtype for r in entry.results if r.status == "passed"} == {"float32", "float64"}
    assert entry.identified == "torch.AdamW"
    assert not [r for r in entry.results if r.status == "undecided"]


def test_driver_of_a_class_in_another_python(tmp_path: Path) -> None:
    """The class runs in whatever Python the command names; here it is ours."""
    target = write(tmp_path, attributes='dialect = "torch.Adam"')
    [entry] = check(f"cmd:{sys.executable} {DRIVERS / 'array_class.py'} {target}", probes=FEW).entries
    assert (entry.verdict, entry.claimed) == ("conforms", "torch.Adam")
    assert {r.reason for r in entry.results if r.probe.startswith("CPX")} <= {"no complex parameters"}
    wrong = write(tmp_path, WRONG, 'dialect = "torch.Adam"', "wrong")
    [entry] = check(f"cmd:{sys.executable} {DRIVERS / 'array_class.py'} {wrong}", probes=FEW).entries
    assert entry.findings[0].observed == "epsilon=inside-corrected"


def test_exchange_in_the_documentation_is_what_the_driver_in_c_says(tmp_path: Path) -> None:
    cc = shutil.which("cc")
    if cc is None:
        pytest.skip("no C compiler")
    subprocess.run(
        [cc, "-O2", "-ffp-contract=off", "-o", tmp_path / "a", DRIVERS / "adamw.c", "-lm"], check=True
    )
    text = (ROOT / "docs" / "protocol.md").read_text().partition("## A whole exchange")[2]
    said = re.findall(r"^    (->|<-) (\{.*?\})$(?=\n *\n|\n    <-|\n    ->)", text, re.DOTALL | re.MULTILINE)
    lines = [(way, " ".join(line.split())) for way, line in said[: said.index(("->", LAST)) + 1]]
    asked = "".join(f"{line}\n" for way, line in lines if way == "->")
    done = subprocess.run([tmp_path / "a"], input=asked, capture_output=True, text=True, check=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert answers == [json.loads(line) for way, line in lines if way == "<-"]
    assert len(answers) == 4


LAST = '{"seq": 5, "cmd": "stop"}'


def test_driver_in_c_with_a_fault_deviates(tmp_path: Path) -> None:
    cc = shutil.which("cc")
    if cc is None:
        pytest.skip("no C compiler")
    text = (DRIVERS / "adamw.c").read_text()
    right = "(root(v[i]) / scale + (real)eps)"
    assert right in text
    (tmp_path / "wrong.c").write_text(text.replace(right, "root(v[i] / scale / scale + (real)eps)"))
    subprocess.run([cc, "-O2", "-o", tmp_path / "wrong", tmp_path / "wrong.c", "-lm"], check=True)
    entry = one(f"cmd:{tmp_path / 'wrong'}", dtypes=["float64"])
    assert entry.verdict == "deviates"
    assert entry.findings[0].area == "epsilon"


def test_driver_in_python_conforms_and_has_its_state() -> None:
    entry = one(PYTHON)
    status = {(r.probe, r.dtype): r.status for r in entry.results}
    assert entry.verdict == "conforms"
    others = {probe for (probe, dtype), s in status.items() if dtype == "float64" and s != "passed"}
    of_others = {"STATE.4/resumed-used", "STATE.4/resumed-anew"}  # where p is set anew, which is the driver's
    restored = {f"STATE.4/resumed-{name}" for name in ("groups", "vacant", "remade")}
    assert others == {*restored, *of_others, "STATE.4/saved"}  # the driver has one optimizer at a time
    assert {s for (_, dtype), s in status.items() if dtype == "float32"} == {"skipped"}
    assert ("STATE.4/resumed", "float64") in status
    assert ("BC.1/t10", "float64") in status  # a state that was set from outside


def test_every_line_fits_the_schema(tmp_path: Path) -> None:
    log = tmp_path / "log"
    (tmp_path / "tee.py").write_text(
        f"import subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, {str(DRIVERS / 'minimal.py')!r}], stdin=-1, stdout=-1)\n"
        f"log = open({str(log)!r}, 'ab')\n"
        "for line in sys.stdin.buffer:\n"
        "    child.stdin.write(line); child.stdin.flush(); log.write(line)\n"
        "    answer = child.stdout.readline()\n"
        "    sys.stdout.buffer.write(answer); sys.stdout.flush(); log.write(answer); log.flush()\n"
    )
    entry = one(f"cmd:{sys.executable} {tmp_path / 'tee.py'}", dtypes=["float64"])
    assert entry.verdict == "conforms", entry.reason
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    forms = {form: of(form) for form in (*ANSWERS, *ANSWERS.values(), "error", "skip")}
    asked = {line["seq"]: line for line in lines if "cmd" in line}
    assert {line["cmd"] for line in asked.values()} == {*ANSWERS, "stop"}
    for line in lines:
        if "cmd" in line:
            of(line["cmd"]).validate(line)
        elif "error" not in line:
            forms[ANSWERS[asked[line["seq"]]["cmd"]]].validate(line)


ANSWERS = {
    "start": "started",
    "init": "done",
    "step": "stepped",
    "get_state": "state_got",
    "set_state": "done",
}


def of(form: str) -> Any:
    return jsonschema.Draft202012Validator(SCHEMA | {"oneOf": [{"$ref": f"#/$defs/{form}"}]})


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ("say(json.dumps({'seq': seq, 'error': 'no such thing'})); continue", "DriverError: no such thing"),
        ("say(json.dumps({'seq': seq, 'params': []})); continue", "the step gave 0 parameters of 1"),
        ("say(json.dumps({'seq': seq, 'params': [P, P]})); continue", "the step gave 2 parameters of 1"),
    ],
)  # fmt: skip
def test_wrong_step_is_a_failed_probe(tmp_path: Path, what: str, error: str) -> None:
    done = spoken(faulty(tmp_path, "step", what))
    assert done.error is not None
    assert error in done.error


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("P |= {'shape': [2, 1]}", "parameter 0 after step 1: came back with shape (2, 1)"),
        (
            "P |= {'dtype': 'float32', 'bits': '0 0'}",
            "parameter 0[1] leaves the bound in step 1",
        ),  # values first
    ],
)
def test_changed_shape_or_dtype_fails_the_probe(tmp_path: Path, what: str, reason: str) -> None:
    probes = ["MAX.1/ascent", "AMS.1/shrinking"]
    entry = one(faulty(tmp_path, "step", what), probes=probes, dtypes=["float64"], dialect="torch.Adam")
    assert entry.verdict == "deviates"
    assert all(reason in r.reason for r in entry.results)


@pytest.mark.parametrize("where", ["init", "step"])
def test_skip_is_a_skipped_probe(tmp_path: Path, where: str) -> None:
    skip = "say(json.dumps({'seq': seq, 'skip': 'not today'})); continue"
    assert spoken(faulty(tmp_path, where, skip)).unsupported == "not today"


def test_refused_by_init_is_broken_where_nothing_is_taken(tmp_path: Path) -> None:
    refuse = "say(json.dumps({'seq': seq, 'error': 'never'})); continue"
    _, last = run(faulty(tmp_path, "init", refuse))
    assert last.problem == "broken"
    assert "could not be constructed for any probe" in last.reason
    assert "never" in last.reason


@pytest.mark.parametrize(
    ("target", "message"),
    [("cmd:", "has no command"), ("cmd:   ", "has no command"), ("cmd:'half", "No closing quotation")],
)
def test_command_that_can_be_none(target: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check(target)


def test_set_gives_constants_and_nothing_else(tmp_path: Path) -> None:
    target = faulty(tmp_path, "none", "pass")
    candidate = CommandCandidate(target[4:], {"eps": "1e-8"}, 20)
    assert candidate.info.fixed == {"eps": 1e-8}
    candidate.close()
    with pytest.raises(UsageError, match="a command has no constructor"):
        check(target, settings={"amsgrad": "True"}, probes=FEW, dtypes=["float32"])


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32", "float64", "complex64", "complex128"])
def test_arrays_travel_bit_for_bit(dtype: str) -> None:
    rng = np.random.default_rng(0)
    for shape in ((), (0,), (3,), (2, 0), (2, 3)):
        raw = rng.bytes(int(np.prod(shape)) * numpy_dtype(dtype).itemsize)
        array = np.frombuffer(raw, numpy_dtype(dtype)).reshape(shape)
        sent = json.loads(json.dumps(pack(array)))
        of("array").validate(sent)
        back = unpack(sent, "it")
        assert (back.dtype, back.shape, back.tobytes()) == (array.dtype, array.shape, array.tobytes())


def test_a_driver_in_16_bits(capsys: pytest.CaptureFixture[str]) -> None:
    target = f"cmd:{sys.executable} {ROOT / 'tests' / 'support' / 'bfloat16_driver.py'}"
    assert main(["check", target, f"{target} cut", "--dtype", "bfloat16", "--quick"]) == 1
    text = capsys.readouterr().out
    assert "1 conforms, 1 deviates" in text
    assert "p is cut off to bfloat16, towards 0" in text
    [entry] = check(target, probes=FEW).entries
    assert "it takes bfloat16, not float32" in entry.reason


@pytest.mark.slow
def test_tensorflow_js(tmp_path: Path) -> None:
    """TensorFlow.js from npm (network needed): conforms to its own row, and deviates from the paper."""
    if not shutil.which("npm"):
        pytest.skip("no npm")
    for name in ("package.json", "driver.mjs"):
        shutil.copy(DRIVERS / "tfjs" / name, tmp_path)
    subprocess.run(["npm", "install", "--no-audit", "--no-fund"], cwd=tmp_path, check=True)
    target = f"cmd:node {tmp_path / 'driver.mjs'}"
    [own] = check(target, quick=True).entries
    assert own.verdict == "conforms"
    assert own.axes["epsilon"] == ["outside-corrected"]
    assert own.axes["clock"] == ["global"]
    assert "running" in own.axes["coefficients"]
    [paper] = check(target, dialect="paper", quick=True).entries
    assert paper.verdict == "deviates"


def able(folder: Path) -> str:
    """Return minimal.py with the abilities that it leaves out."""
    text = (DRIVERS / "minimal.py").read_text(encoding="utf-8")
    changes = [
        (
            '"can": ["set_lr",',
            '"arrays": 200, "elements": 300, "can": ["set_lr", "set_hyper", "groups", "scale", "found_inf",',
        ),
        ("    global hyper, params, state\n", "    global hyper, params, state, groups\n"),
        ("    zeros = [[", "    groups = message.get('groups') or [{}] * len(params)\n    zeros = [["),
        ("    lr, b1, b2 = ", "    hyper.update(message.get('hyper', {}))\n    lr, b1, b2 = "),
        (
            "        first, second =",
            "        h = hyper | {'lr': lr} | groups[i]\n        b1, b2 = h['b1'], h['b2']\n"
            "        first, second =",
        ),
        ('lr * hyper["weight_decay"]', 'h["lr"] * h["weight_decay"]'),
        ("-= lr * (m[k]", "-= h['lr'] * (m[k]"),
        ('hyper["eps"]', 'h["eps"]'),
        ("        if grad is None:\n", "        if grad is None or message.get('found_inf'):\n"),
        (
            "for k, g in enumerate(floats(grad)):\n",
            "for k, g in enumerate(floats(grad)):\n            g /= message.get('scale', 1.0)\n",
        ),
    ]  # fmt: skip
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "able.py"
    path.write_text(text, encoding="utf-8")
    return f"cmd:{sys.executable} {path}"


SCALED = ("STEP.1/fingerprint", "SCALE.1/scaled", "SCALE.2/[!f]*", "SCALE.2/first")


def test_a_driver_divides_by_a_loss_scale_if_it_can(tmp_path: Path) -> None:
    target = able(tmp_path)
    entry = one(target, probes=SCALED, dtypes=["float64"])
    assert entry.verdict == "conforms"
    assert all(r.status == "passed" for r in entry.results)
    file = tmp_path / "able.py"
    file.write_text(file.read_text(encoding="utf-8").replace("message.get('scale', 1.0)", "1.0"), "utf-8")
    assert one(target, probes=SCALED, dtypes=["float64"]).verdict == "deviates"


def test_a_driver_that_cannot_is_told_of_no_loss_scale() -> None:
    entry = one(PYTHON, probes=SCALED, dtypes=["float64"])
    reasons = {r.probe.split("/")[0]: r.reason for r in entry.results if r.status == "skipped"}
    assert reasons["SCALE.1"] == "its step takes no loss scale"
    assert set(reasons) == {"SCALE.1", "SCALE.2"}


NEW = ("BC.4/*", "LR.3/*", "LR.4/*", "STEP.1/slots", "STEP.1/chunks", "STEP.1/many", "STEP.1/fingerprint")


def test_a_driver_changes_settings_and_has_groups_if_it_can(tmp_path: Path) -> None:
    entry = one(able(tmp_path), probes=NEW, dtypes=["float64"])
    assert entry.verdict == "conforms"
    skipped = {r.probe: r.reason for r in entry.results if r.status == "skipped"}
    assert skipped == {
        "LR.3/replaced": "its hyperparameters are in no groups, where others could take their place",
        "LR.4/joining": "no parameters can be added to it later",
        "LR.4/groups-schedule": "to a driver the lr of a group stands in the place of that of each step",
        "LR.4/meetings": "to a driver the lr of a group stands in the place of that of each step",
        "STEP.1/chunks": "it takes 300 elements at the most, not 262122",
        "STEP.1/many": "it takes 200 arrays at the most, not 1857",
    }


def test_an_older_driver_is_asked_for_no_more_than_before() -> None:
    entry = one(PYTHON, probes=NEW, dtypes=["float64"])
    assert entry.verdict == "conforms"
    assert {r.probe for r in entry.results if r.status == "passed"} == {"STEP.1/fingerprint"}
    assert "it takes 64 arrays at the most, not 131" in {r.reason for r in entry.results}


@pytest.mark.parametrize("value", ["0", "True", "'many'"])
def test_limits_that_are_no_numbers_are_told(tmp_path: Path, value: str) -> None:
    _, last = run(faulty(tmp_path, "start", f"START['arrays'] = {value}"))
    assert last.problem == "broken"
    assert "arrays in its answer to start" in last.reason
