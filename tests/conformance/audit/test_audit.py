"""Recorded runs: right ones conform, wrong ones are named, damaged files are refused."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import jsonschema
import numpy as np
import optax
import pytest
import safetensors
import safetensors.numpy
import safetensors.torch
import torch
from paths import ROOT

from adamcore.backends.io.atomic import write_whole
from adamcore.backends.io.safetensors import Tensor, encode
from adamcore.conformance.audit import Recorder, RecordingError
from adamcore.conformance.audit.arrays import tensor_values
from adamcore.conformance.audit.judge import audit
from adamcore.conformance.audit.recording import load, read_tensors
from adamcore.conformance.cli import main
from adamcore.conformance.report.report import Entry

SCHEMA = json.loads((ROOT / "conformance" / "schemas" / "report-1.json").read_text())
SHAPES = {"weight": (4, 3), "bias": (4,)}


def tensors(scale: float = 1.0, dtype: torch.dtype = torch.float32) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {
        n: (scale * torch.randn(shape, generator=generator)).to(dtype).requires_grad_()
        for n, shape in SHAPES.items()
    }


def run_torch(
    path: Path, make: Callable[..., torch.optim.Optimizer] = torch.optim.AdamW, *, steps: int = 12,
    spoil: Callable[[int, dict[str, torch.Tensor]], None] | None = None, dtype: torch.dtype = torch.float32,
    absent: tuple[int, ...] = (), **options: Any,
) -> Path:  # fmt: skip
    """Record a run; ``spoil`` does something to the parameters within the step."""
    params = tensors(dtype=dtype)
    options = {"lr": 0.0625, "betas": (0.75, 0.875), "eps": 1e-3, "weight_decay": 0.25} | options
    optimizer = make(list(params.values()), **options)
    count = 0

    def late(*_: Any) -> None:
        if spoil is not None:
            with torch.no_grad():
                spoil(count, params)

    optimizer.register_step_post_hook(late)
    recorder = Recorder.torch(optimizer, params)
    generator = torch.Generator().manual_seed(2)
    for count in range(1, steps + 1):
        for n, p in params.items():
            p.grad = torch.randn(p.shape, generator=generator).to(dtype)
            if n == "bias" and count in absent:
                p.grad = None
        optimizer.step()
    recorder.save(path)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.safetensors"


def only(path: Path, dialect: str | None = None) -> Entry:
    [entry] = audit(path, dialect).entries
    return entry


# Right ones -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "options", "claimed"),
    [
        (torch.optim.AdamW, {}, "torch.AdamW"),
        (torch.optim.Adam, {"amsgrad": True, "maximize": True}, "torch.Adam(amsgrad=True, maximize=True)"),
        (torch.optim.NAdam, {}, "torch.NAdam"),
    ],
)
def test_torch_conforms(make: Any, options: dict[str, Any], claimed: str, path: Path) -> None:
    entry = only(run_torch(path, make, absent=(3, 4), **options))
    assert (entry.verdict, entry.claimed) == ("conforms", claimed)
    assert entry.results[0].status == "passed"
    assert 0.1 < entry.results[0].worst_ratio <= 1.0


def test_bfloat16_and_several_groups(path: Path) -> None:
    params = tensors()
    half = torch.full((5,), 0.5, dtype=torch.bfloat16, requires_grad=True)
    groups: list[dict[str, Any]] = [
        {"params": list(params.values())},
        {"params": [half], "lr": 0.25, "eps": 0.125},
    ]
    optimizer = torch.optim.AdamW(groups, fused=True)
    recorder = Recorder.torch(optimizer)
    for k in range(4):
        for p in (*params.values(), half):
            p.grad = torch.full_like(p, 0.5 - k)
        optimizer.step()
        optimizer.param_groups[0]["lr"] /= 2
    recorder.save(path)
    first, second = audit(path).entries
    assert [r.dtype for r in (*first.results, *second.results)] == ["float32", "bfloat16"]
    assert (first.verdict, second.verdict) == ("conforms", "conforms")


def run_optax(path: Path, optimizer: Any, dialect: str, weight_decay: float, steps: int = 10) -> Path:
    params = {"w": jnp.linspace(-1.0, 1.0, 12).reshape(3, 4), "b": jnp.zeros(4)}
    state = optimizer.init(params)
    hyper = {"lr": 0.0625, "b1": 0.9, "b2": 0.99, "eps": 1e-3, "weight_decay": weight_decay}
    recorder = Recorder(hyper, dialect=dialect)
    for k in range(steps):
        grads = {n: jnp.cos(k + 3 * p) for n, p in params.items()}
        updates, state = optimizer.update(grads, state, params)
        before, params = params, optax.apply_updates(params, updates)
        recorder.step(before, grads, params)
    recorder.save(path)
    return path


def test_optax_conforms_and_an_order_of_its_parts_does_not(path: Path) -> None:
    right = optax.adamw(0.0625, 0.9, 0.99, 1e-3, weight_decay=0.25)
    assert only(run_optax(path, right, "optax.adamw", 0.25)).verdict == "conforms"
    wrong = optax.chain(
        optax.add_decayed_weights(0.25), optax.scale_by_adam(0.9, 0.99, 1e-3), optax.scale(-0.0625)
    )
    entry = only(run_optax(path, wrong, "optax.adamw", 0.25))
    assert entry.verdict == "deviates"
    finding = entry.findings[0]
    assert (finding.area, finding.rule, finding.observed) == ("decay", "DEC.2", "decay=l2")


# Wrong ones -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claimed", "area", "observed"),
    [
        ("torch.Adam", "decay", "decay=decoupled"),
        ("keras.Adam", "epsilon", "epsilon=outside-corrected"),
        ("transformers4.AdamW", "epsilon", "epsilon=outside-corrected"),
        ("BertAdam", "bias_correction", "bias_correction=both"),
    ],
)
def test_another_dialect_is_named(claimed: str, area: str, observed: str, path: Path) -> None:
    entry = only(run_torch(path), claimed)
    assert entry.verdict == "deviates"
    assert (entry.findings[0].area, entry.findings[0].observed) == (area, observed)
    assert entry.identified in ("torch.AdamW", "timm.AdamW", "torchao.AdamW")


def test_one_wrong_value_is_found_and_named(path: Path) -> None:
    def spoil(step: int, params: dict[str, torch.Tensor]) -> None:
        if step == 7:
            w = params["weight"]
            w[2, 1] = (
                torch.nextafter(w[2, 1], torch.tensor(1e9)) + 8 * torch.finfo(w.dtype).eps * w[2, 1].abs()
            )

    entry = only(run_torch(path, spoil=spoil))
    evidence = entry.findings[0].evidence
    assert entry.verdict == "deviates"
    assert evidence is not None
    assert (evidence.step, evidence.element) == (7, "weight[2, 1]")
    assert "weight[2, 1] leaves the bound in step 7" in entry.findings[0].observed


def test_a_frozen_parameter_that_moves(path: Path) -> None:
    def spoil(step: int, params: dict[str, torch.Tensor]) -> None:
        if step == 3:
            params["bias"] *= 0.99

    entry = only(run_torch(path, spoil=spoil, absent=(3,)))
    assert entry.verdict == "deviates"
    assert entry.results[0].evidence is not None
    assert entry.results[0].evidence.bound_ulp == 0.0  # bit for bit


def test_one_wrong_element_in_a_large_recording(path: Path) -> None:
    """Six steps of 40000 elements: a sample is judged, and the wrong one is in it."""
    shape = (200, 200)
    hyper = {"lr": 0.125, "b1": 0.5, "b2": 0.75, "eps": 1e-3, "weight_decay": 0.0}
    for wrong in (False, True):
        p = torch.linspace(-1, 1, 40000).reshape(shape).requires_grad_()
        optimizer = torch.optim.AdamW([p], lr=0.125, betas=(0.5, 0.75), eps=1e-3, weight_decay=0.0)
        recorder = Recorder(hyper, dialect="torch.AdamW")
        for k in range(6):
            p.grad = torch.sin(7 * p.detach() + k)
            before = p.detach().clone()
            optimizer.step()
            if wrong and k == 4:
                with torch.no_grad():
                    p[123, 45] += 1e-5
            recorder.step({"p": before}, {"p": p.grad}, {"p": p})
        recorder.save(path)
        entry = only(path)
        assert entry.verdict == ("deviates" if wrong else "conforms")
        assert re.search(r"6 steps, \d{3} of 40000 elements", entry.reason)
    assert entry.results[0].evidence is not None
    assert entry.findings[0].evidence is not None
    assert (entry.findings[0].evidence.step, entry.findings[0].evidence.element) == (5, "p[123, 45]")


def test_parameters_changed_between_steps_are_not_the_optimizers_fault(path: Path) -> None:
    params = tensors()
    optimizer = torch.optim.AdamW(list(params.values()), lr=0.0625, eps=1e-3)
    recorder = Recorder.torch(optimizer, params)
    for k in range(6):
        for p in params.values():
            p.grad = torch.full_like(p, 1.0 / (k + 1)) if k != 3 else None  # stands from where it was put
        optimizer.step()
        with torch.no_grad():
            params["weight"].clamp_(-0.5 / (k + 1), 0.5 / (k + 1))
    recorder.save(path)
    arrays, _ = read_tensors(path)
    assert "before/3/weight" in arrays
    assert "before/3/bias" not in arrays
    assert only(path).verdict == "conforms"


# Files ------------------------------------------------------------------------------------------------


def test_the_format_is_that_of_safetensors(path: Path) -> None:
    run_torch(path, dtype=torch.bfloat16, steps=2)
    theirs = safetensors.torch.load_file(path)
    arrays, metadata = read_tensors(path)
    assert set(theirs) == set(arrays)
    for name, tensor in theirs.items():
        np.testing.assert_array_equal(tensor.float().numpy(), tensor_values(arrays[name]))
    with safetensors.safe_open(path, "np") as file:
        assert file.metadata() == metadata
    safetensors.torch.save_file(theirs, path, metadata)  # and theirs can be read here
    assert len(load(path).groups) == 1


def test_what_is_written_is_read_again(path: Path) -> None:
    array = np.array([[1.5, -0.0], [np.inf, 5e-324]])
    write_whole(path, encode({"x": Tensor("float64", (2, 2), array.tobytes())}, {"k": "v"}))
    arrays, metadata = read_tensors(path)
    assert metadata == {"k": "v"}
    assert tensor_values(arrays["x"]).tobytes() == array.tobytes()
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def rewrite(path: Path, change: Callable[[dict[str, Tensor], dict[str, Any]], None]) -> None:
    arrays, metadata = read_tensors(path)
    run = json.loads(metadata["adamcore"])
    change(arrays, run)
    write_whole(path, encode(arrays, {"adamcore": json.dumps(run)}))


Change = Callable[[Any, Any], Any]
RENAMED: dict[str, tuple[Change, str]] = {
    "no after": (lambda a, r: a.pop("after/5/bias"), "no array 'after/5/bias' of step 5"),
    "no before": (lambda a, r: a.pop("before/1/bias"), "no array 'before/1/bias' of step 1"),
    "stranger": (lambda a, r: a.update({"after/99/bias": a["after/5/bias"]}), "bias' belongs to no step"),
    "shape": (lambda a, r: a.update({"grad/2/bias": a["grad/2/weight"]}), r"bias' is float32\[4, 3\]"),
    "schema": (lambda a, r: r.update(schema="other/1"), "expected schema .*, found 'other/1'"),
    "steps": (lambda a, r: r.update(steps=0), "no steps"),
    "rates": (lambda a, r: r["groups"][0].update(lr=[1.0]), "1 learning rates for 12 steps"),
    "b1": (lambda a, r: r["groups"][0]["hyper"].update(b1=1.5), r"b1=1.5: expected a number in \[0, 1\)"),
    "unknown": (lambda a, r: r["groups"][0]["hyper"].update(rho=1.0), "unknown hyperparameter 'rho'"),
    "missing": (lambda a, r: r["groups"][0]["hyper"].pop("eps"), "no hyperparameter eps"),
    "damaged": (lambda a, r: r["groups"][0].pop("params"), "group 0: damaged metadata"),
}  # fmt: skip
BYTES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda b: b"", "no safetensors file"),
    "foreign": (lambda b: b"\x89PNG\r\n\x1a\n" + b[8:], "no safetensors file"),
    "text": (lambda b: b'{"params": [1, 2, 3]}', "no safetensors file"),
    "cut header": (lambda b: b[:60], "cut: a header of"),
    "cut arrays": (lambda b: b[:-7], r"cut: array 'after/12/bias' ends at byte"),
    "changed": (lambda b: b[:-3] + bytes([b[-3] ^ 1]) + b[-2:], "does not have the hash that it names"),
    "longer": (lambda b: b + b"\0" * 5, "bytes of arrays, the header accounts for"),
    "header": (lambda b: b.replace(b'"shape":[4,3]', b'"shape":[4,3[', 1), "the header is not JSON"),
    "entry": (lambda b: b.replace(b'"shape":[4,3]', b'"shade":[4,3]', 1),
              "the header's entry is damaged"),
    "dtype": (lambda b: b.replace(b'"F32"', b'"I32"', 1),
              "is of dtype int32; expected float64, float32, bfloat16, float16"),
    "size": (lambda b: b.replace(b'"shape":[4,3]', b'"shape":[4,5]', 1), r"48 bytes for F32\[4, 5\]"),
}  # fmt: skip


@pytest.mark.parametrize("name", [*RENAMED, *BYTES])
def test_a_bad_file_is_refused(name: str, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_torch(path)
    if name in RENAMED:
        rewrite(path, RENAMED[name][0])
    else:
        path.write_bytes(BYTES[name][0](path.read_bytes()))
    message = RENAMED[name][1] if name in RENAMED else BYTES[name][1]
    with pytest.raises(RecordingError, match=message):
        audit(path)
    assert main(["audit", str(path)]) == 2
    assert str(path) in capsys.readouterr().err


def test_other_peoples_safetensors_and_no_file(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    safetensors.numpy.save_file({"w": np.ones(3, dtype=np.float32)}, path)
    assert main(["audit", str(path)]) == 2
    assert "no recording" in capsys.readouterr().err
    assert main(["audit", str(path) + "x"]) == 2
    assert "No such file" in capsys.readouterr().err


def test_arrays_of_other_dtypes_are_refused() -> None:
    with pytest.raises(RecordingError, match="'w' is of dtype int64"):
        Recorder({"lr": 1.0}).step({"w": np.arange(3)}, {}, {"w": np.arange(3)})


def test_nothing_to_decide_is_no_verdict(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An lr below the last place of every parameter."""
    p = torch.full((3,), 1e4, requires_grad=True)
    optimizer = torch.optim.AdamW([p], lr=1e-9, weight_decay=0.0)
    recorder = Recorder.torch(optimizer)
    p.grad = torch.ones(3)
    optimizer.step()
    recorder.save(path)
    assert main(["audit", str(path)]) == 2
    assert "nothing in it can be decided" in capsys.readouterr().out.replace("\n", " ")


# Command and pages ------------------------------------------------------------------------------------


def test_the_command_and_its_report(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_torch(path)
    report = tmp_path / "report.json"
    assert main(["audit", str(path), "--json", str(report)]) == 0
    jsonschema.validate(json.loads(report.read_text()), SCHEMA)
    assert main(["audit", str(path), "--json", str(report), "--dialect", "torch.Adam"]) == 1
    found = json.loads(report.read_text())
    jsonschema.validate(found, SCHEMA)
    assert found["candidates"][0]["kind"] == "recording"
    assert found["candidates"][0]["findings"][0]["rule"] == "DEC.1"
    capsys.readouterr()
    assert main(["audit", str(path), "--dialect", "torch.adam"]) == 2
    assert main(["audit", str(path), "--json", str(tmp_path / "no" / "r.json")]) == 2
    assert "nearest: torch.Adam" in capsys.readouterr().err


def test_the_example(tmp_path: Path) -> None:
    subprocess.run([sys.executable, ROOT / "examples" / "record.py", tmp_path], check=True, cwd=ROOT)
    for name in ("torch", "jax"):
        assert only(tmp_path / f"{name}.safetensors").verdict == "conforms"


def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "audit.md").read_text()
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    for block in blocks:
        exec(compile(block, "audit.md", "exec"), {"__name__": "page"})
    assert len(blocks) == 2
    for name in ("run.safetensors", "plain.safetensors"):
        assert only(tmp_path / name).verdict == "conforms"
    _, metadata = read_tensors(tmp_path / "run.safetensors")
    [described] = re.findall(r"^```json\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    assert json.loads(described).keys() == json.loads(metadata["adamcore"]).keys()
