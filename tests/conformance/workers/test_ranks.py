"""The processes that a worker forks: who is run on them, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from adamcore import Adam  # noqa: E402
from adamcore.conformance import check  # noqa: E402
from adamcore.conformance.candidates import load_candidates  # noqa: E402
from adamcore.conformance.candidates.adapter.base import CandidateInfo  # noqa: E402
from adamcore.conformance.errors import SettingError, UsageError  # noqa: E402
from adamcore.conformance.settings import Ranks  # noqa: E402
from adamcore.conformance.workers.ranks import on_ranks  # noqa: E402


def test_another_kind_of_candidate_is_refused_by_name() -> None:
    class Other:
        info = CandidateInfo("command")

    other: Any = Other()
    with (
        pytest.raises(SettingError, match="'command': expected a torch optimizer, an optax factory"),
        on_ranks([other], Ranks(2), 1.0),
    ):
        pass


def test_a_layout_of_the_other_library_is_refused() -> None:
    [candidate] = load_candidates("torch", [Adam()], {}, None)
    with (
        pytest.raises(SettingError, match="shard_map is one of JAX"),
        on_ranks([candidate], Ranks(2, "shard_map"), 1.0),
    ):
        pass


def test_a_check_on_two_processes() -> None:
    """One probe, on real processes; the report says on how many."""
    report = check("torch.optim:AdamW", ranks=2, dtypes=["float32"], probes=["LR.1/every-array"])
    [entry] = report.entries
    assert (entry.verdict, entry.device) == ("conforms", "cpu, 2 ranks (fsdp)")
    assert [r.status for r in entry.results] == ["passed"]


@pytest.mark.slow
@pytest.mark.parametrize("target", ["optax:adamw", "jax:jit"])
def test_a_check_on_two_devices(target: str) -> None:
    pytest.importorskip("optax")
    probes = ["LR.1/every-array", "STATE.4/resumed"]
    report = check(target, ranks=2, layout="2d", dtypes=["float32"], probes=probes, dialect="optax.adamw")
    [entry] = report.entries
    assert (entry.verdict, entry.device) == ("conforms", "cpu, 2 devices (2d)")
    assert [r.status for r in entry.results] == ["passed", "passed"]


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        ("torch.optim:AdamW", {"ranks": 0}, "ranks=0: expected a whole number above 0"),
        (
            "torch.optim:AdamW",
            {"ranks": 2, "layout": "all"},
            "layout='all': expected one of fsdp, tp, 2d, ddp",
        ),
        ("numpy", {"ranks": 2}, "ranks=2 with numpy: expected torch optimizers"),
        ("torch:compile", {"ranks": 2}, "ranks=2 with torch:compile: expected torch optimizers"),
        ("cmd:./driver", {"ranks": 2}, "ranks=2 with cmd:./driver: expected torch optimizers"),
    ],
)
def test_what_cannot_run_on_ranks(target: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check(target, **options)
