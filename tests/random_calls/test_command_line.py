"""The command line under random words: an exit status as documented, never a traceback."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_calls import CALLS, TEXTS, command, many

from adamcore.conformance.cli.parser import COMMANDS

#: What can stand after each command.  Commands that run candidates get none that can be run.
WORDS: dict[str, list[str]] = {
    "dialects": ["torch.AdamW", "torch", "--json", "--axes", "nobody", "keras.Adam"],
    "probes": ["DEC.1", "EPS.*", "--json", "nothing/such", "F1"],
    "port": [
        "torch.AdamW",
        "optax.adamw",
        "keras.Adam",
        "--set",
        "lr=1e-3",
        "lr=-1",
        "betas=5",
        "eps=0",
        "x",
    ],
    "compare": [
        "torch.Adam",
        "tf1.Adam",
        "keras.Adam",
        "--set",
        "eps=1e-3",
        "b1=2",
        "--steps",
        "5",
        "-1",
        "x",
    ],
    "vectors": ["--list", "--format", "json", "c", "torch.AdamW", "nobody", "--check", "missing.json"],
    "audit": ["missing.safetensors", "--dialect", "nobody", "torch.AdamW", "--json"],
    "convert": ["missing.pt", "out.npz", "--from", "torch", "--to", "optax", "--t", "5"],
    "check": [
        "--set",
        "lr=-1",
        "betas=5",
        "--probe",
        "nothing/such",
        "--dialect",
        "nobody",
        "--jobs",
        "-1",
        "0",
    ],
    "identify": ["--dialect", "nobody", "--timeout", "-5", "nan", "--json"],
    "smoke": ["--timeout", "x", "--memory", "-1"],
    "bench": ["--nothing", "--sizes", "x", "nobody"],
}
UNRUNNABLE = ["nobody.at:all", "missing/file.py:Adam", "cmd:", "no-colon", "numpy:nowhere", ""]


def test_every_command_is_tried() -> None:
    assert set(WORDS) == set(COMMANDS)


@CALLS
def test_random_words(
    calls: int, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("empty"))
    ended: set[int] = set()

    @many(calls)
    @given(st.data())
    def run(data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(COMMANDS)))
        words = data.draw(st.lists(st.one_of(st.sampled_from(WORDS[name]), TEXTS), max_size=6))
        if name in ("check", "identify", "smoke"):
            words = [data.draw(st.sampled_from(UNRUNNABLE)), *words]
        if name == "bench":
            words = ["--nothing", *words]
        status, _, err = command(name, *words)
        ended.add(status)
        assert status in (0, 1, 2, 3), (name, words, status)
        assert status != 3 or name in ("check", "identify", "smoke"), (name, words, err)
        assert "Traceback" not in err, (name, words, err)
        assert "a fault of adamcore" not in err, (name, words, err)

    run()
    assert ended
