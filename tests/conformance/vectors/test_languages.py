"""Selections for other languages: the header compiles, and a dialect without a file has one like it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from paths import ROOT
from vector_files import block

from adamcore.conformance.cli import main
from adamcore.conformance.vectors.languages import find_files, select_vectors


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
