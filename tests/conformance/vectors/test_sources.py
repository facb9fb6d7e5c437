"""Vectors as source text: the examples pass, and with another rule in them they say where they went wrong."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from paths import ROOT
from vector_files import block

from adamcore.conformance.cli import main
from adamcore.conformance.vectors.cases import cases, values
from adamcore.conformance.vectors.languages import select_vectors
from adamcore.conformance.vectors.sources import WRITERS, decimals, source

#: For each language: the file that is included, the command that runs the example.
RUN = {
    "rust": ("adam_vectors.rs", "rustc -O vectors_adamw.rs && ./vectors_adamw"),
    "javascript": ("adam_vectors.mjs", "node vectors_adamw.mjs"),
    "julia": ("adam_vectors.jl", "julia vectors_adamw.jl"),
    "mojo": ("adam_vectors.mojo", "mojo vectors_adamw.mojo"),
}
#: The same fault in each: eps beside the root before it is corrected.
EPS_HAT = {
    "rust": ("(v[i].sqrt() / root + c.eps as f32)", "((v[i].sqrt() + c.eps as f32) / root)"),
    "javascript": (
        "f(f(f(Math.sqrt(v[i])) / root) + f(eps))",
        "f(f(f(Math.sqrt(v[i])) + f(eps)) / root)",
    ),
    "julia": ("(sqrt.(v) ./ root .+ Float32(c.eps))", "((sqrt.(v) .+ Float32(c.eps)) ./ root)"),
    "mojo": ("(sqrt(v[i]) / root + Float32(c.eps))", "((sqrt(v[i]) + Float32(c.eps)) / root)"),
}


@pytest.mark.parametrize(
    "language", [pytest.param(name, marks=[pytest.mark.slow] * (name in ("julia", "mojo"))) for name in RUN]
)
def test_the_example_of_a_language(language: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    included, command = RUN[language]
    if shutil.which(command.split()[0]) is None:
        pytest.skip(f"no {command.split()[0]}")
    assert main(["vectors", "--for", language, "--dialect", "torch.AdamW"]) == 0
    (tmp_path / included).write_text(capsys.readouterr().out)
    [example] = (ROOT / "examples").glob(f"vectors_adamw.*{included.rpartition('.')[2]}")
    right, wrong = EPS_HAT[language]
    text = example.read_text()
    assert right in text
    outputs = []
    for program in (text, text.replace(right, wrong)):
        (tmp_path / example.name).write_text(program)
        ran = subprocess.run(command, shell=True, cwd=tmp_path, text=True, capture_output=True)
        outputs.append((ran.returncode != 0, ran.stdout))
    assert outputs[0] == (False, block("text", 1))
    assert outputs[1][0]
    assert "EpsilonPlacement" in outputs[1][1]


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16"])
def test_a_number_is_read_back_bit_for_bit(dtype: str) -> None:
    [case, *_] = cases(select_vectors("torch.AdamW", dtype)["vectors"][0])
    texts = decimals(case.numbers["p"], dtype)
    if dtype in ("bfloat16", "float16"):
        assert [f"{int(text, 16):04x}" for text in texts] == case.numbers["p"].split()
        return
    read = np.array([float(text) for text in texts]).astype(dtype)
    assert read.tobytes() == values(case.numbers["p"], dtype).astype(dtype).tobytes()


@pytest.mark.parametrize("language", sorted(set(WRITERS) - {"C"}))
@pytest.mark.parametrize(("dialect", "dtype"), [("optax.amsgrad", "bfloat16"), ("torch.AdamW", "float64")])
def test_every_language_has_the_same_cases(language: str, dialect: str, dtype: str) -> None:
    selection = select_vectors(dialect, dtype)
    text = source(selection, language, dtype)
    found = [case for v in selection["vectors"] for case in cases(v)]
    assert text.count("present=" if language in ("julia", "mojo") else "present: ") in (
        len(found),
        len(found) + 1,  # the field of Rust's struct
    )
    for case in found[:5]:
        for name in ("p0", "g", "p", "v_max"):
            items = ", ".join(decimals(case.numbers.get(name, ""), dtype))
            assert re.search(rf"\b{name}(?:=|: )(?:List\[\w+\]|[\w.&])*[\[(]{re.escape(items)}[\])]", text), (
                name
            )


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
