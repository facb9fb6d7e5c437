"""A step of files has the bits of the step in memory, whatever the Adam and the files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from disk_runs import arrays, in_memory, same

from adamcore import Adam
from adamcore.backends.files import Run
from adamcore.errors import CheckpointError

LOW = 1 << 20  #: a ceiling under which the larger arrays are in several pieces

CASES: list[tuple[str, dict[str, Any]]] = [
    ("float32", {}),
    ("float64", {"amsgrad": "corrected", "decay": "decoupled", "weight_decay": 0.1}),
    ("complex64", {"complex": "modulus", "amsgrad": "uncorrected"}),
    ("complex128", {}),
    ("float32", {"nesterov": "dozat", "clock": "global"}),
    ("float32", {"moment_dtype": "float64", "m_dtype": "float16"}),
    ("float16", {"p_storage": "master", "moment_dtype": "float32"}),
    ("bfloat16", {"p_storage": "split"}),
    ("bfloat16", {"p_storage": "split8", "moment_dtype": "float32"}),
    ("bfloat16", {"p_storage": "kahan", "nesterov": "dozat"}),
    ("bfloat16", {"p_storage": "stochastic", "seed": 3}),
    ("bfloat16", {"m_storage": "stochastic", "v_storage": "stochastic", "amsgrad": "corrected"}),
    ("bfloat16", {"missing": "zero"}),
    ("float32", {"m_storage": "companded8", "v_storage": "companded8", "amsgrad": "uncorrected"}),
    ("bfloat16", {"m_storage": "companded8", "p_storage": "split"}),
    ("float32", {"m_storage": "blockwise8", "v_storage": "companded8"}),
]


DEFAULT = {
    *(("safetensors", number) for number in (1, 4, 12, 14)),
    *(("npy", number) for number in (2, 10)),
    ("zarr", 5),
}


@pytest.mark.parametrize(
    ("file_format", "dtype", "axes"),
    [
        pytest.param(file_format, *case, marks=() if (file_format, number) in DEFAULT else pytest.mark.slow)
        for file_format in ("safetensors", "npy", "zarr")
        for number, case in enumerate(CASES)
    ],
)
def test_bits(tmp_path: Path, file_format: str, dtype: str, axes: dict[str, Any]) -> None:
    if dtype.startswith("complex") and file_format == "safetensors":
        file_format = "npy"
    if file_format == "zarr":
        pytest.importorskip("zarr")
        if dtype == "bfloat16":
            pytest.skip("zarr has no bfloat16")
        if "m_storage" in axes:
            with pytest.raises(CheckpointError, match="in 8 bits"):
                Run.create(tmp_path / "run", Adam(**axes), arrays(0, dtype), file_format=file_format)
            return
    ceiling = LOW if file_format != "zarr" else 64 << 20
    adam, params = Adam(lr=0.01, **axes), arrays(0, dtype)
    options: dict[str, Any] = {"lr": 0.02, "weight_decay": 0.3, "grad_scale": 3.0}

    def grads(k: int) -> Any:
        return {n: None if (n, k) in [("a.w", 1), ("d", 2)] else g for n, g in arrays(k + 1, dtype).items()}

    run = Run.create(tmp_path / "run", adam, params, file_format=file_format, ceiling=ceiling)
    assert same(run, params, adam.init(params))
    for k in range(4):
        run.step(grads(k), **options, ceiling=ceiling)
    run = Run(tmp_path / "run")
    assert run.steps == 4
    assert same(run, *in_memory(adam, params, 4, grads, **options))
