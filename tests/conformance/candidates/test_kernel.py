"""Kernels as candidates: torch's own are right, and what a kernel is not given is said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adamcore import Adam
from adamcore.conformance import ConformanceError, assert_conforms, check, kernel
from adamcore.conformance.candidates import load_candidates
from adamcore.conformance.candidates.kernel import KernelCandidate
from adamcore.conformance.errors import CandidateError, SettingError, UsageError
from adamcore.conformance.probes import PROBES
from adamcore.conformance.types import Result
from adamcore.conformance.verdict.judge import judge

ADAMW = Adam(decay="decoupled")


def adamw(
    p: Any, g: Any, m: Any, v: Any, t: int, lr: float, b1: float, b2: float, eps: float, wd: float
) -> None:
    m += (1 - b1) * (g - m)
    v += (1 - b2) * (g * g - v)
    p -= lr * wd * p + lr * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + eps)


def judged(candidate: KernelCandidate, name: str, dtype: str = "float32", claim: Adam = ADAMW) -> Result:
    return judge(claim, PROBES[name], dtype, candidate.run(PROBES[name], dtype))


ASKED = ("STEP.1/fingerprint", "STATE.4/resumed", "STATE.3/beside", "LR.4/groups-betas", "LR.3/eps-changed",
         "BC.1/t300", "DEC.2/lr-changed", "STEP.1/offset")  # fmt: skip


@pytest.mark.parametrize("name", ASKED)
def test_a_right_kernel_passes(name: str) -> None:
    assert judged(KernelCandidate(adamw, {}, None), name).status == "passed"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("target", ["kernel:torch:_fused_adamw_", "kernel:torch.ops.aten:_fused_adam_"])
def test_torchs_kernels_are_right(target: str, dtype: str) -> None:
    pytest.importorskip("torch")
    [candidate] = load_candidates(target, [None], {}, None)
    assert isinstance(candidate, KernelCandidate)
    decay = "decoupled" if "adamw" in target else "l2"
    assert candidate.info.dialect == ("torch.AdamW" if "adamw" in target else "torch.Adam")
    numbers = [name for name, probe in PROBES.items() if not probe.drawn and probe.manner != "scheduled"]
    scaled = [name for name in numbers if PROBES[name].is_scaled]
    for name in (*ASKED, *scaled):
        assert judged(candidate, name, dtype, Adam(decay=decay)).status == "passed", name  # type: ignore[arg-type]


def test_torchs_kernel_under_amsgrad_and_maximize() -> None:
    pytest.importorskip("torch")
    [candidate] = load_candidates(
        "kernel:torch:_fused_adam_", [None], {"amsgrad": "True", "maximize": "True"}, None
    )
    assert isinstance(candidate, KernelCandidate)
    claim = Adam(amsgrad="uncorrected", maximize=True)
    for name in ("AMS.1/shrinking", "STEP.1/fingerprint", "SCALE.1/changing"):
        assert judged(candidate, name, "float32", claim).status == "passed"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("F1/absent-first", "a kernel gets no absent gradients"),
        ("CPX.1/complex", "a kernel gets real arrays"),
        ("STEP.1/strided", "not contiguous"),
        ("SCALE.1/one", "no loss scale"),
        ("SCALE.2/skipped", "no found_inf"),
        ("STEP.2/closure", "no closure"),
    ],
)
def test_what_a_kernel_does_not_claim_is_skipped(name: str, reason: str) -> None:
    assert reason in judged(KernelCandidate(adamw, {}, None), name).reason


def test_a_kernel_that_takes_strides_gets_them() -> None:
    candidate = KernelCandidate(kernel(adamw, strided=True), {}, None)
    for name in ("STEP.1/strided", "STEP.1/reversed", "STEP.1/broadcast", "STEP.1/fortran"):
        assert judged(candidate, name).status == "passed"


def test_a_dtype_that_it_does_not_take_is_found_out() -> None:
    def single(p: Any, g: Any, m: Any, v: Any, t: int, lr: float, b1: float, b2: float, eps: float) -> None:
        if p.dtype != np.float32:
            raise ValueError("float32 alone")
        adamw(p, g, m, v, t, lr, b1, b2, eps, 0.0)

    run = KernelCandidate(kernel(single, arrays="numpy"), {}, None).run(PROBES["STEP.1/unscaled"], "float64")
    assert run.unsupported == "a call on float64 arrays of numpy raised ValueError: float32 alone"
    declared = KernelCandidate(kernel(adamw, dtypes="float32"), {}, None)
    assert declared.run(PROBES["STEP.1/unscaled"], "float64").unsupported == "it does not take float64"


def test_an_adapter_claims_what_it_reads() -> None:
    made = kernel(lambda p, g, m, v, t, h: adamw(p, g, m, v, t, h.lr, h.b1, h.b2, h.eps, 0.0), arrays="numpy")
    candidate = KernelCandidate(made, {}, None)
    assert set(candidate.info.lacks) == {"weight_decay", "eps_root", "momentum_decay", "lr_max"}
    assert judged(candidate, "STEP.1/unscaled").status == "passed"
    missing = kernel(lambda p, g, m, v, t, h: adamw(p, g, m, v, t, h.lr, h.b1, 0.999, 1e-8, 0.0))
    with pytest.raises(SettingError, match="no argument for b2"):
        KernelCandidate(missing, {}, None)
    assert KernelCandidate(missing, {"b2": "0.999", "eps": "1e-8"}, None).info.fixed == {
        "b2": 0.999,
        "eps": 1e-8,
    }


def test_a_kernel_that_returns_new_arrays_may_not_write_to_those_that_it_is_given() -> None:
    def both(p: Any, g: Any, m: Any, v: Any, t: int, lr: float, b1: float, b2: float, eps: float) -> Any:
        new = p.copy(), m.copy(), v.copy()
        adamw(new[0], g, new[1], new[2], t, lr, b1, b2, eps, 0.0)
        if t > 1:
            p *= 2
        return new

    run = KernelCandidate(both, {}, None).run(PROBES["STEP.1/unscaled"], "float32")
    assert run.written[0] == "parameter 0 in step 2"


def test_the_gradient_may_be_left_without_its_scale_and_with_nothing_else() -> None:
    def writing(times: float) -> KernelCandidate:
        def step(
            p: Any, g: Any, m: Any, v: Any, t: int, lr: float, b1: float, b2: float, eps: float, wd: float,
            scale: float,
        ) -> None:  # fmt: skip
            unscaled = g / scale
            g[...] = unscaled * times
            adamw(p, unscaled, m, v, t, lr, b1, b2, eps, wd)

        return KernelCandidate(step, {}, None)

    assert judged(writing(1.0), "SCALE.1/scaled").status == "passed"
    assert judged(writing(2.0), "SCALE.1/scaled").reason == "wrote to its input: gradient 0 in step 1"
    assert judged(writing(2.0), "STEP.1/unscaled").status == "failed"


def test_the_claim_is_in_the_name_or_given() -> None:
    assert KernelCandidate(adamw, {}, None).info.dialect == "torch.AdamW"
    assert KernelCandidate(kernel(adamw, dialect="BertAdam"), {}, None).info.dialect == "BertAdam"


def test_a_kernel_of_triton_needs_a_function_that_launches_it() -> None:
    jitted = type(
        "JITFunction", (), {"__module__": "triton.runtime.jit", "__call__": print, "__name__": "adam_kernel"}
    )
    with pytest.raises(CandidateError, match=r"needs a grid: .*lambda p, g, m, v, t, h: adam_kernel\[grid\]"):
        KernelCandidate(jitted(), {}, None)


@pytest.mark.parametrize(("stated", "calls"), [(True, 1), (False, 3)])
def test_a_list_has_arrays_of_any_age_if_each_has_a_clock(stated: bool, calls: int) -> None:
    made = []

    def each(
        params: Any, grads: Any, exp_avgs: Any, exp_avg_sqs: Any, state_steps: Any, lr: float, beta1: float,
        beta2: float, eps: float, weight_decay: float,
    ) -> None:  # fmt: skip
        made.append([float(t) for t in state_steps])
        for p, g, m, v, t in zip(params, grads, exp_avgs, exp_avg_sqs, state_steps, strict=True):
            adamw(p, g, m, v, int(t), lr, beta1, beta2, eps, weight_decay)

    def together(
        params: Any, grads: Any, exp_avgs: Any, exp_avg_sqs: Any, step: int, lr: float, beta1: float,
        beta2: float, eps: float, weight_decay: float,
    ) -> None:  # fmt: skip
        steps = [step] * len(params)
        each(params, grads, exp_avgs, exp_avg_sqs, steps, lr, beta1, beta2, eps, weight_decay)

    candidate = KernelCandidate(each if stated else together, {}, None)
    made.clear()
    assert judged(candidate, "CLK.1/own-ages").status == "passed"
    assert made[:calls] == ([[4.0, 41.0, 2.0]] if stated else [[4.0], [41.0], [2.0]])


def test_a_check_of_a_kernel() -> None:
    target = "kernel:tests/corpus/right_kernels.py:corrections_given"
    asked = ["STEP.1/fingerprint", "SCALE.2/first"]
    report = check(target, dialect="torch.AdamW", probes=asked, dtypes=["float32"])
    [entry] = report.entries
    assert (entry.verdict, entry.kind, entry.identified) == ("conforms", "kernel", "torch.AdamW")
    assert [r.status for r in entry.results] == ["passed", "passed"]


def test_a_kernel_is_asserted_to_conform() -> None:
    asked = ["STEP.1/fingerprint"]
    report = assert_conforms(kernel(adamw, dialect="torch.AdamW"), probes=asked, dtypes=["float32"])
    assert report.entries[0].kind == "kernel"
    with pytest.raises(ConformanceError, match=r"deviates from torch\.Adam"):
        assert_conforms(kernel(adamw, dialect="torch.Adam"), probes=asked, dtypes=["float32"])


def test_a_signature_that_is_not_known_is_wrong_usage() -> None:
    with pytest.raises(
        UsageError, match="kernel:math:hypot: hypot has no signature that Python can read: declare it"
    ):
        check("kernel:math:hypot", dtypes=["float32"])


def test_a_compiled_kernel_of_lists_is_not_given_very_many_arrays() -> None:
    jax = pytest.importorskip("jax")

    @jax.jit
    def lists(params: Any, grads: Any, exp_avgs: Any, exp_avg_sqs: Any, step: Any, lr: Any) -> Any:
        moments = [m + g for m, g in zip(exp_avgs, grads, strict=True)]
        return [p - lr * m for p, m in zip(params, moments, strict=True)], moments, exp_avg_sqs

    with pytest.raises(CandidateError, match="no argument for b1"):
        KernelCandidate(lists, {}, None)
    candidate = KernelCandidate(lists, {"b1": "0", "b2": "0", "eps": "1"}, None)
    many = candidate.run(PROBES["STEP.1/many"], "float32")
    assert many.unsupported == f"compiling a step of {len(PROBES['STEP.1/many'].params)} arrays takes minutes"
    assert len(candidate.run(PROBES["STATE.4/uninterrupted"], "float32").params) == 10
