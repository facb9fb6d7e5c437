"""The recorder and its judge under random runs and files: no training ends, no file makes a traceback."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
from audit_runs import run_torch
from hypothesis import given
from hypothesis import strategies as st
from random_calls import CALLS, command, damaged, many
from random_training import Training

from adamcore.conformance.audit import Recorder, RecordingError

torch = pytest.importorskip("torch")


@CALLS
def test_damaged_recordings(calls: int, tmp_path: Path) -> None:
    path = run_torch(tmp_path / "run.safetensors", steps=2)
    whole, ended = path.read_bytes(), set[int]()

    @many(calls)
    @given(st.data())
    def run(data: st.DataObject) -> None:
        path.write_bytes(data.draw(damaged(whole)))
        words = data.draw(st.sampled_from([(), ("--dialect", "torch.AdamW"), ("--dialect", "paper")]))
        status, _, err = command("audit", str(path), *words)
        ended.add(status)
        assert status in (0, 1, 2), err
        assert status != 2 or err.strip()
        assert "Traceback" not in err

    run()
    assert {0, 2} <= ended


@CALLS
def test_a_recorder_in_random_trainings(calls: int, tmp_path: Path) -> None:
    """The run goes on as it would without a recorder, bit for bit, and what it wrote is judged.

    Of many runs every tenth is judged, since that takes ten times as long as the run.
    """
    path, judged = tmp_path / "run.safetensors", set[int]()

    @many(max(calls // 5, 8))
    @given(st.data(), st.booleans())
    def run(data: st.DataObject, ours: bool) -> None:
        alone, recorded = Training(ours), Training(ours)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                recorder: Any = Recorder.torch(recorded.optimizer, recorded.named())
            except RecordingError:
                return
            for _ in range(data.draw(st.integers(1, 6))):
                act = data.draw(alone.acts())
                assert alone.do(*act) == recorded.do(*act), act
            assert alone.bits() == recorded.bits()
            if recorder.steps and (calls == 40 or data.draw(st.integers(0, 9)) == 0):
                recorder.save(path)
                status, _, err = command("audit", str(path))
                judged.add(status)
                assert status in (0, 2), (err, recorder.faults)

    run()
    assert 0 in judged
