"""Checks in 16 bits: our own backends conform, and a candidate that rounds in between is told so."""

from __future__ import annotations

from typing import Any

import pytest

from adamcore.conformance import check
from adamcore.conformance.checking.subjects import is_for
from adamcore.conformance.errors import UsageError
from adamcore.conformance.probes import PROBES

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


def test_which_probes_are_run() -> None:
    assert not any(is_for(p, "bfloat16") for p in PROBES.values() if p.is_complex)
    far = [p for p in PROBES.values() if p.rule == "NUM.3"]
    assert far
    assert not any(is_for(p, "float16") for p in far)
    assert all(is_for(p, "float32") for p in PROBES.values())
