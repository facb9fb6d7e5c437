"""Checks in 16 bits: our own backends conform, and a candidate that rounds in between is told so."""

from __future__ import annotations

from typing import Any

import pytest

from adamcore.conformance import check
from adamcore.conformance.errors import UsageError

SOME = ("STEP.1/fingerprint", "EPS.1/beside-small-root", "DEC.5/order", "F1/*", "SCALE.*", "MOM.1/common")


def entry_of(target: str, dtype: str, **options: Any) -> Any:
    pytest.importorskip(target.partition(":")[0].partition(".")[0])
    [entry] = check(target, dtypes=[dtype], probes=SOME, **options).entries
    return entry


@pytest.mark.parametrize(
    ("target", "dtype"),
    [
        ("numpy", "bfloat16"),
        *(
            pytest.param(target, dtype, marks=pytest.mark.slow)
            for target, dtype in (
                ("numpy", "float16"),
                ("torch", "bfloat16"),
                ("torch", "float16"),
                ("jax", "bfloat16"),
                ("jax", "float16"),
            )
        ),
    ],
)
def test_our_own_backends_conform(target: str, dtype: str) -> None:
    entry = entry_of(target, dtype, dialect="torch.AdamW")
    assert (entry.verdict, entry.findings) == ("conforms", [])
    assert sum(r.status == "passed" for r in entry.results) > 8


POLICIES = ("STEP.1/fingerprint", "F1/absent-middle", "SCALE.2/skipped", "STATE.4/resumed", "STORE.*")


@pytest.mark.parametrize(
    ("target", "dtype"),
    [
        ("numpy", "bfloat16"),
        *(
            pytest.param(target, dtype, marks=pytest.mark.slow)
            for target in ("numpy", "torch", "jax", "jax:jit", "adamcore.backends.torch:AdamW")
            for dtype in ("bfloat16", "float16")
            if (target, dtype) != ("numpy", "bfloat16")
        ),
    ],
)
def test_our_own_backends_conform_under_every_policy(target: str, dtype: str) -> None:
    pytest.importorskip(target.partition(":")[0].rpartition(".")[2])
    options: dict[str, Any] = {"dialect": "torch.AdamW", "storage": ["all"], "dtypes": [dtype]}
    report = check(target, **options, probes=POLICIES if dtype == "bfloat16" else SOME)
    names = ["torch.AdamW"] + [
        f"torch.AdamW(p_storage={p})"
        for p in ("master", "split", "split8", "kahan", "stochastic")
        if (p, dtype) != ("split8", "float16")
    ]
    assert [(e.claimed, e.verdict, e.findings) for e in report.entries] == [
        (name, "conforms", []) for name in names
    ]


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["master", "split", "split8", "kahan", "stochastic"])
def test_our_optax_transformation_conforms(policy: str) -> None:
    pytest.importorskip("jax")
    probes = ("STEP.1/fingerprint", "DEC.5/order", "STORE.*", "STATE.4/uninterrupted")
    [entry] = check(
        "adamcore.backends.jax:adamw", dtypes=["bfloat16"], storage=[policy], probes=probes
    ).entries
    assert (entry.claimed, entry.verdict) == (f"optax.adamw(p_storage={policy})", "conforms"), entry.findings


def test_a_policy_that_no_dtype_has_is_refused() -> None:
    with pytest.raises(UsageError, match="policy 'split8' with dtype 'float16': expected bfloat16"):
        check("numpy", dtypes=["float16"], storage=["split8"])
    with pytest.raises(UsageError, match="unknown policy 'half'; expected all, plain, master"):
        check("numpy", dtypes=["bfloat16"], storage=["half"])
    with pytest.raises(UsageError, match=r"storage 'split' without a dtype of 16 bits, .* --dtype bfloat16"):
        check("numpy", storage=["plain", "split"])
    with pytest.raises(UsageError, match="moments 'stochastic' without a dtype of 16 bits"):
        check("numpy", dtypes=["float32"], moments="stochastic")
    with pytest.raises(UsageError, match="moments='half': expected one of float32"):
        check("numpy", dtypes=["bfloat16"], moments="half")


def test_pytorchs_for_loop_rounds_in_between() -> None:
    entry = entry_of("torch.optim:AdamW", "bfloat16")
    first = entry.findings[0]
    assert (entry.verdict, first.rule) == ("deviates", "NUM.1")
    assert first.observed.startswith("it rounds to bfloat16 between operations: in ")
    assert "--dtype bfloat16" in first.repro


@pytest.mark.slow
def test_pytorchs_fused_form_conforms() -> None:
    for dtype in ("bfloat16", "float16"):
        assert entry_of("torch.optim:AdamW", dtype, settings={"fused": "True"}).verdict == "conforms"


@pytest.mark.slow
@pytest.mark.parametrize("target", ["optax:adamw", "keras.optimizers:AdamW"])
def test_other_frameworks_round_in_between(target: str) -> None:
    entry = entry_of(target, "bfloat16")
    assert (entry.verdict, entry.findings[0].rule) == ("deviates", "NUM.1"), entry.reason


@pytest.mark.slow
def test_wide_and_narrow_dtypes_together() -> None:
    pytest.importorskip("torch")
    [entry] = check("torch.optim:AdamW", dtypes=["float32", "bfloat16"], probes=SOME).entries
    failed = {r.dtype for r in entry.results if r.status == "failed"}
    assert (failed, [f.rule for f in entry.findings if f.level == "error"]) == ({"bfloat16"}, ["NUM.1"])
    assert entry.identified == "torch.AdamW"


def test_an_identification_needs_a_wide_dtype() -> None:
    with pytest.raises(UsageError, match="dtype 'bfloat16': what an Adam is shows in float32"):
        check("torch.optim:AdamW", dtypes=["bfloat16"], identifying=True)
    with pytest.raises(UsageError, match="unknown dtype 'float8'; expected float32 or float64 or bfloat16"):
        check("torch.optim:AdamW", dtypes=["float8"])
