"""The edition of vectors: reproducible, checked, and of use to others."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import ml_dtypes
import numpy as np
import pytest
import torch
from paths import ROOT

from adamcore import AXES, Adam
from adamcore.conformance.cli import main
from adamcore.conformance.dtypes import to_carrier
from adamcore.conformance.rules import SAYS
from adamcore.conformance.types import FloatArray, Run
from adamcore.conformance.vectors import files, inputs
from adamcore.conformance.vectors.answers import claim_of_json, probe_of, round_up
from adamcore.conformance.vectors.flags import FLAGS
from adamcore.conformance.vectors.languages import find_files, select_vectors, values
from adamcore.conformance.verdict.judge import judge
from adamcore.state import AdamState

SCHEMA = json.loads((ROOT / "conformance" / "schemas" / "vectors-1.json").read_text())
INDEX = files.read_index(files.SHIPPED)
PAGE = (ROOT / "docs" / "vectors.md").read_text()
Json = dict[str, Any]


def content(name: str) -> Json:
    return files.read_file(files.SHIPPED, name, INDEX)


# What is on file ----------------------------------------------------------------------------------


def test_files_are_as_the_index_says() -> None:
    assert files.check(files.SHIPPED) == INDEX
    assert INDEX["edition"] == inputs.EDITION
    size = sum(path.stat().st_size for path in files.SHIPPED.iterdir())
    assert size < 3_000_000


def test_files_follow_the_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    validator = jsonschema.Draft202012Validator(SCHEMA)
    validator.validate(INDEX)
    for name in INDEX["files"]:
        whole = content(name)
        validator.validate({**whole, "vectors": whole["vectors"][:8]})
    for broken in ({**INDEX, "files": 1}, {**whole, "axes": None}, {"schema": "other"}):
        with pytest.raises(jsonschema.ValidationError):
            validator.validate(broken)


@pytest.mark.parametrize("claim", ["paper.AMSGrad", "torch.NAdam"])
def test_files_are_what_the_oracle_says(claim: str) -> None:
    for name, text in files.generate(only=[claim]).items():
        assert (files.SHIPPED / name).read_bytes() == text.encode()


@pytest.mark.slow
def test_all_files_are_what_the_oracle_says(tmp_path: Path) -> None:
    files.write(tmp_path, files.generate())
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in files.SHIPPED.iterdir()}
    for path in tmp_path.iterdir():
        assert (files.SHIPPED / path.name).read_bytes() == path.read_bytes(), path.name


def test_every_choice_of_the_arithmetic_is_in_it() -> None:
    claims = [claim_of_json(content(name)["axes"]) for name in INDEX["files"]]
    untold = {("epsilon", "inside-corrected"), ("bias_correction", "first"), ("bias_correction", "second")}
    for axis in ("epsilon", "bias_correction", "decay", "decay_order", "amsgrad", "nesterov", "maximize"):
        missing = {(axis, v) for v in AXES[axis]} - {(axis, getattr(a, axis)) for a in claims}
        assert missing <= untold


def test_flags_are_described_and_used() -> None:
    used = {flag for item in inputs.INPUTS for flag in item.flags}
    assert used == set(FLAGS) == set(INDEX["flags"])
    rules = {item.probe.rule for item in inputs.INPUTS}
    spec = (ROOT / "docs" / "spec.md").read_text()
    assert [rule for rule in rules if f"### {rule} " not in spec] == []
    assert SAYS


def test_every_input_is_answered_in_every_dtype_but_for_known_gaps() -> None:
    """Dtypes that cannot decide an input have no vector of it: these, and no more."""
    gaps = {
        f"{item.probe.name}/{dtype}"
        for item in inputs.INPUTS
        for dtype in inputs.DTYPES
        if not any(v["id"] == f"{item.probe.name}/{dtype}" for v in content("torch.AdamW.json")["vectors"])
    }
    assert gaps == {"MOM.1/defaults/bfloat16", "MOM.1/defaults/float16"}


def test_bounds_are_rounded_upwards() -> None:
    assert round_up(0.0) == 0.0
    for x in (1.0, 1.001, 2.0**-30, 3.14159e-300):
        assert x <= round_up(x) <= 1.0100001 * x


# Held against Adams that share nothing with the oracle ------------------------------------------------


def torch_adamw(v: Json) -> Run:
    """torch.optim.AdamW, for-loop, from the vector's own state."""
    dtype = getattr(torch, v["dtype"])

    def tensor(packed: str, like: Json) -> torch.Tensor:
        x = values(packed, v["dtype"]).reshape(like["shape"]).astype(float)
        return torch.tensor(x, dtype=dtype)

    h, run = v["hyper"], Run()
    params = [tensor(p["bits"], p).requires_grad_() for p in v["params"]]
    optimizer = torch.optim.AdamW(
        params, lr=h["lr"], betas=(h["b1"], h["b2"]), eps=h["eps"], weight_decay=h["weight_decay"], fused=True
    )
    for p, like, start in zip(params, v["params"], v["start"], strict=False):
        optimizer.state[p] = {
            "step": torch.tensor(float(start["t"])),
            "exp_avg": tensor(start["m"], like), "exp_avg_sq": tensor(start["v"], like),
        }  # fmt: skip
    for step in v["steps"]:
        optimizer.param_groups[0]["lr"] = step["lr"]
        for p, g, like in zip(params, step["grads"], v["params"], strict=True):
            p.grad = None if g is None else tensor(g, like)
        optimizer.step()
        run.params.append([to_carrier(p.detach().double().numpy().copy(), v["dtype"]) for p in params])
    return run


def worst(v: Json, run: Run) -> float:
    """The largest error over its published bound."""
    largest = 0.0
    for step, got in zip(v["steps"], run.params, strict=True):
        for p, bits, bound in zip(got, step["p"], step["p_bound"], strict=True):
            error = np.abs(np.ravel(p).astype(float) - values(bits, v["dtype"]).astype(float))
            ratios = [0.0 if e == 0 else e / b for e, b in zip(error, bound, strict=True)]
            largest = max([largest, *ratios])
    return largest


def test_torch_agrees_in_every_dtype() -> None:
    ratios = {v["id"]: worst(v, torch_adamw(v)) for v in content("torch.AdamW.json")["vectors"]}
    beyond = {name for name, ratio in ratios.items() if not ratio <= 1.0}
    assert beyond == {"CLK.3/beyond-float32/float64"}, "torch counts in float32, which only float64 sees"
    assert len(ratios) > 80


def test_torch_is_another_than_these() -> None:
    """A dialect's vectors fail an Adam of another one."""
    for name in ("paper.json", "keras.Adam.json", "transformers4.AdamW.json", "chainer.Adam.json"):
        for dtype in inputs.DTYPES:
            found = [v for v in content(name)["vectors"] if v["dtype"] == dtype]
            assert any(worst(v, torch_adamw(v)) > 10.0 for v in found), (name, dtype)


def own(claim: Adam, v: Json) -> Run:
    """Our NumPy backend, from the vector's own state."""
    probe, run = probe_of(v, values), Run()
    kind = ml_dtypes.bfloat16 if v["dtype"] == "bfloat16" else v["dtype"]
    fields = {axis: getattr(claim, axis) for axis in AXES} | v["hyper"]
    adam = Adam(**{**fields, **({"clock": "per-parameter"} if probe.start else {})})

    def array(x: FloatArray) -> Any:
        return np.asarray(x).astype(kind)

    params = [array(p) for p in probe.params]
    state = adam.init(params)
    if probe.start:
        maxima = [array(s.v_max) for s in probe.start] if state.v_max is not None else None
        state = AdamState(
            [np.array(s.t, dtype=np.int32) for s in probe.start], [array(s.m) for s in probe.start],
            [array(s.v) for s in probe.start], maxima, state.mu_product,
        )  # fmt: skip
    for step in probe.steps:
        grads = [None if g is None else array(g) for g in step.grads]
        params, state = adam.step(params, grads, state, lr=step.lr)
        run.params.append([to_carrier(np.asarray(p).astype(float), v["dtype"]) for p in params])
    return run


@pytest.mark.parametrize("name", INDEX["files"])
def test_our_own_agree(name: str) -> None:
    whole = content(name)
    claim = claim_of_json(whole["axes"])
    for v in whole["vectors"]:
        if v["dtype"] in ("float32", "float64") and "lr-changed" not in v["id"]:
            assert worst(v, own(claim, v)) <= 1.0, v["id"]


def test_a_vector_can_be_judged_like_a_probe() -> None:
    whole = content("torch.AdamW.json")
    v = next(v for v in whole["vectors"] if v["id"] == "BC.2/t1e6/float32")
    result = judge(claim_of_json(whole["axes"]), probe_of(v, values), "float32", torch_adamw(v))
    assert result.status == "passed"


# For other languages ----------------------------------------------------------------------------------


def test_a_dialect_without_a_file_is_answered_by_its_like() -> None:
    assert find_files("keras.AdamW") == ["keras.Adam.json"]
    assert {v["dtype"] for v in select_vectors("llm.c.AdamW", "float16")["vectors"]} == {"float16"}


def test_from_c(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The example passes; with another rule in it, it says where it went wrong."""
    cc = shutil.which("cc")
    if cc is None:
        pytest.skip("no C compiler")
    assert main(["vectors", "--for", "C", "--dialect", "torch.AdamW"]) == 0
    (tmp_path / "adam_vectors.h").write_text(capsys.readouterr().out)
    source = (ROOT / "examples" / "vectors_adamw.c").read_text()
    hat = source.replace("(sqrtf(v[i]) / root + (float)eps)", "((sqrtf(v[i]) + (float)eps) / root)")
    tail = source.replace(
        "for (int i = 0; i < n; i++) {\n        m[i] =",
        "for (int i = 0; i < (n & ~3) + !(n & ~3) * n; i++) {\n        m[i] =",
    )
    assert len({source, hat, tail}) == 3
    outputs = []
    for k, text in enumerate((source, hat, tail)):
        (tmp_path / f"{k}.c").write_text(text)
        warn = ["-Wall", "-Wextra", "-Werror", "-std=c99", "-O2", "-ffp-contract=off"]
        subprocess.run([cc, *warn, "-o", f"{k}", f"{k}.c", "-lm"], cwd=tmp_path, check=True)
        ran = subprocess.run([tmp_path / str(k)], text=True, capture_output=True)
        assert ran.returncode == (k > 0)
        outputs.append(ran.stdout)
    assert outputs[0] == block("text", 1)
    assert "EpsilonPlacement" in outputs[1]
    assert "VectorTail" in outputs[2]


@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
def test_the_header_is_c_in_every_dtype(
    dtype: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cc = shutil.which("cc")
    if cc is None:
        pytest.skip("no C compiler")
    assert main(["vectors", "--for", "C", "--dtype", dtype, "--dialect", "optax.amsgrad"]) == 0
    (tmp_path / "adam_vectors.h").write_text(capsys.readouterr().out)
    (tmp_path / "main.c").write_text(
        '#include <stdio.h>\n#include "adam_vectors.h"\nint main(void) { const adam_case *c = adam_cases;\n'
        'printf("%s %ld %g\\n", c->id, c->t[4], c->v_max_bound[0] > 0 ? c->b1 : 0); return 0; }\n'
    )
    subprocess.run([cc, "-Wall", "-std=c99", "-o", "main", "main.c"], cwd=tmp_path, check=True)
    assert subprocess.check_output([tmp_path / "main"], text=True) == f"STEP.1/fingerprint/{dtype} 5 0.5\n"


def block(language: str, k: int = 0) -> str:
    found = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    return str(found[k])


def test_the_page_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vectors", "--for", "json", "--dialect", "torch.AdamW", "--dtype", "float64"]) == 0
    (tmp_path / "adamw.json").write_text(capsys.readouterr().out)
    ran = subprocess.run(
        [sys.executable, "-I", "-c", block("python")],
        cwd=tmp_path,
        text=True,
        capture_output=True,
        check=True,
    )
    right, wrong = map(int, ran.stdout.split())
    assert (right > 100, wrong) == (True, 0)
    count = sum(entry["vectors"] for entry in INDEX["files"].values())
    assert f"{count} vectors" in " ".join(PAGE.split())
    assert f"{len(INDEX['files'])} files" in PAGE


# Files that are damaged, or somebody else's -----------------------------------------------------------


def copy(folder: Path) -> Path:
    shutil.copytree(files.SHIPPED, folder / "copy")
    return folder / "copy"


def test_a_good_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vectors", "--check", str(copy(tmp_path))]) == 0
    assert "adam-vectors 2026.1" in capsys.readouterr().out


DAMAGE = {
    "changed": ("paper.json", lambda b: b.replace(b"3f", b"3e", 1), r"paper\.json: SHA-256 .* changed"),
    "cut": ("paper.json", lambda b: b[: len(b) // 2], r"paper\.json: SHA-256"),
    "gone": ("paper.json", None, r"paper\.json: No such file"),
    "no index": ("index.json", None, r"index\.json: No such file"),
    "index cut": ("index.json", lambda b: b[:100], r"index\.json: not JSON"),
    "foreign": ("index.json", lambda b: b'{"schema": "other/1"}', r"expected .*, found 'other/1'"),
    "no object": ("index.json", lambda b: b"[1]", r"found None"),
    "no files": ("index.json", lambda b: b'{"schema": "adamcore-vectors/1"}', r"no files"),
    "stranger": ("more.json", lambda b: b"{}", r"more\.json is in no index"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGE)
def test_a_bad_folder(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = copy(tmp_path)
    which, change, message = DAMAGE[name]
    path = folder / which
    if change is None:
        path.unlink()
    else:
        path.write_bytes(change(path.read_bytes() if path.exists() else b""))
    assert main(["vectors", "--check", str(folder)]) == 2
    assert re.search(message, capsys.readouterr().err)
    with pytest.raises(files.VectorError):
        files.check(folder)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--for", "json", "--dialect", "torch.adamw"], "nearest: torch.AdamW"),
        (["--for", "C", "--dialect", "keras.Nadam"], "has no vectors for keras.Nadam"),
        (["--long"], "--write"),
        (["--for", "C", "--from", "nowhere"], "No such file"),
    ],
)
def test_wrong_usage(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vectors", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_lists_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vectors"]) == 0
    out = capsys.readouterr().out
    assert "torch.AdamW" in out
    assert "VectorTail" in out
