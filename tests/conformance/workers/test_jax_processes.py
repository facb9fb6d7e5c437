"""Candidates of JAX on several real processes, which the worker starts and joins."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest
from paths import ROOT

pytest.importorskip("jax")
pytest.importorskip("optax")

from adamcore.conformance import check
from adamcore.conformance.candidates.sharded.exchange import Leader
from adamcore.conformance.errors import UsageError
from adamcore.conformance.probes import PROBES as PROBES_BY_NAME
from adamcore.conformance.settings import LAYOUTS, Ranks
from adamcore.conformance.types import Run
from adamcore.conformance.workers.environment import worker_environment
from adamcore.conformance.workers.ranks import Led

SUPPORT = ROOT / "tests" / "support"
PROBES = ["LR.1/every-array", "STEP.1/shapes", "F2/zero-row", "STATE.4/resumed", "CPX.1/complex"]
OURS = "adamcore.backends.jax:adamw"


def test_a_check_on_two_processes() -> None:
    """One probe; the report says on how many processes."""
    [entry] = check(
        "optax:adamw", ranks=2, processes=True, dtypes=["float32"], probes=["LR.1/every-array"]
    ).entries
    assert (entry.verdict, entry.device) == ("conforms", "cpu, 2 processes (fsdp)"), entry.reason
    assert [r.status for r in entry.results] == ["passed"]


@pytest.mark.parametrize(
    ("mine", "others", "said"),
    [
        (None, {}, None),
        (None, {1: "ValueError: x"}, "RankError: rank 1 raised ValueError: x"),
        ("JaxRuntimeError: nobody answers", {2: "ValueError: x"}, "RankError: rank 2 raised ValueError: x"),
        ("ValueError: x", {1: "ValueError: x"}, "ValueError: x"),
        ("ValueError: x", {}, "ValueError: x"),
    ],
)
def test_the_error_of_a_run_is_the_first_cause(
    mine: str | None, others: dict[int, str], said: str | None
) -> None:
    class Others(Leader):
        def finish(self) -> dict[int, str]:
            return others

    candidate = Mock(run=lambda probe, dtype: Run(error=mine))
    probe = PROBES_BY_NAME["LR.1/every-array"]
    assert Led(0, candidate, Others([], 1.0)).run(probe, "float32").error == said


def test_a_process_has_one_device() -> None:
    def flags(ranks: Ranks) -> str:
        return worker_environment("float32", ranks)["XLA_FLAGS"]

    assert flags(Ranks(4)).endswith("device_count=4")
    assert flags(Ranks(4, as_processes=True)).endswith("device_count=1")


def test_processes_need_a_number() -> None:
    with pytest.raises(UsageError, match="processes without ranks: expected --ranks N"):
        check("optax:adamw", processes=True)


@pytest.mark.slow
def test_another_device_is_refused() -> None:
    with pytest.raises(UsageError, match="--processes on the device 'cuda': expected cpu"):
        check("jax:jit", ranks=2, processes=True, device="cuda", dialect="optax.adamw")


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("target", ["jax", "jax:jit", "jax:native", "optax:adamw", OURS])
def test_right_ones_conform(target: str, layout: str) -> None:
    if layout == "shard_map" and target == "jax":
        pytest.skip("a layout under jit")
    ranks = 4 if layout == "2d" and target != "jax" else 2
    [entry] = check(
        target,
        ranks=ranks,
        layout=layout,
        processes=True,
        dtypes=["float32"],
        probes=PROBES,
        dialect="optax.adamw",
        timeout=300,
    ).entries
    assert entry.verdict == "conforms", (entry.reason, entry.findings)
    assert {r.status for r in entry.results} <= {"passed", "skipped"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "layout", "said"),
    [
        ("scaled", "ddp", "other bits on rank 1 than on rank 0"),
        ("raises", "fsdp", "rank 1 raised ValueError: this process has no queue"),
        ("reads", "fsdp", "addressable"),
    ],
)
def test_what_is_wrong_on_several_processes_alone(name: str, layout: str, said: str) -> None:
    """The same factories are right on two devices of one process."""
    given: dict[str, Any] = {"ranks": 2, "layout": layout, "dtypes": ["float32"], "dialect": "optax.adamw"}
    target = f"{SUPPORT}/process_faults.py:{name}"
    [here] = check(target, probes=PROBES[:1], **given).entries
    assert here.verdict == "conforms"
    [entry] = check(target, probes=PROBES[:1], processes=True, **given).entries
    assert entry.verdict in ("deviates", "broken")
    assert said in " ".join([entry.reason, *(found.observed for found in entry.findings)])
    if entry.verdict == "deviates":
        assert entry.findings[0].area == "sharding"
        assert "--ranks 2" in str(entry.findings[0].repro)
        assert "--processes" in str(entry.findings[0].repro)


@pytest.mark.slow
def test_what_computes_when_it_is_imported_is_told() -> None:
    target = f"{SUPPORT}/computes_at_once.py:adamw"
    [entry] = check(
        target,
        ranks=2,
        processes=True,
        dtypes=["float32"],
        probes=PROBES[:1],
        dialect="optax.adamw",
        timeout=60,
    ).entries
    assert entry.verdict == "broken"
    assert "before anything is computed with it" in entry.reason
