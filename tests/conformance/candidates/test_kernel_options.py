"""A function as a kernel: its options, and whose arrays its code names."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from adamcore import Adam
from adamcore.conformance import kernel
from adamcore.conformance.candidates.kernel import KernelCandidate
from adamcore.conformance.candidates.kernel_options import libraries_of, roots_of
from adamcore.conformance.errors import SettingError
from adamcore.conformance.probes import PROBES
from adamcore.conformance.verdict.judge import judge


def in_numpy(p: Any, g: Any) -> Any:
    return np.sqrt(p) * g


def test_options_are_kept_and_the_function_can_be_called() -> None:
    made = kernel(in_numpy, dialect="torch.AdamW", returns="v, m, p", dtypes="float32")
    assert (made.dialect, made.returns, made.dtypes) == ("torch.AdamW", ("v", "m", "p"), ("float32",))
    assert made(4.0, 3.0) == 6.0


def test_a_kernel_of_16_bits_is_called_in_its_dtypes() -> None:
    pytest.importorskip("ml_dtypes")

    def adam(
        p: Any, g: Any, m: Any, v: Any, t: Any, lr: float, beta1: float, beta2: float, eps: float
    ) -> None:
        x, wide = p.astype(np.float32), g.astype(np.float32)
        first = beta1 * m.astype(np.float32) + (1 - beta1) * wide
        second = beta2 * v.astype(np.float32) + (1 - beta2) * wide * wide
        root = np.sqrt(second / np.float32(1 - beta2**t)) + np.float32(eps)
        p[...], m[...], v[...] = x - lr / (1 - beta1**t) * first / root, first, second

    made = kernel(adam, dtypes=("bfloat16", "float16"), dialect="torch.Adam")
    candidate = KernelCandidate(made, {}, None)
    probe = replace(PROBES["MOM.1/common"], hyper={**PROBES["MOM.1/common"].hyper, "weight_decay": 0.0})
    for dtype in made.dtypes:
        run = candidate.run(probe, dtype)
        assert judge(Adam(), probe, dtype, run).status == "passed", run
    assert candidate.run(probe, "float32").unsupported == "it does not take float32"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"arrays": "cupy"}, "'cupy' is none of torch, jax, numpy"),
        ({"dtypes": ["float8"]}, "'float8' is none of float32, float64"),
        ({"returns": "p, q"}, "'q' is none of p, m, v, v_max, t"),
    ],
)
def test_an_option_without_a_meaning_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        kernel(in_numpy, **options)


def test_what_is_no_function_is_refused() -> None:
    with pytest.raises(SettingError, match="expected a function"):
        kernel(3)  # type: ignore[arg-type]


def test_the_arrays_are_those_that_the_code_names() -> None:
    assert roots_of(in_numpy)[0] == "numpy"
    assert roots_of(functools.partial(in_numpy, g=2))[0] == "numpy"
    assert libraries_of(kernel(in_numpy, arrays="numpy"), None)[0].xp is np


def test_the_arrays_of_compiled_functions_and_operators_are_known() -> None:
    jax, torch = pytest.importorskip("jax"), pytest.importorskip("torch")
    assert roots_of(jax.jit(in_numpy))[0] == "jax"
    assert roots_of(torch._fused_adam_)[0] == "torch"
    assert roots_of(torch.ops.aten._fused_adam_)[0] == "torch"
