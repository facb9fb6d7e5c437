"""From a target to its candidate: imports, devices, and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from candidate_probes import P0, probe

from adamcore.conformance.candidates import load_candidates
from adamcore.conformance.candidates.base import same_bits
from adamcore.conformance.errors import CandidateError, UnavailableError
from adamcore.dialects import Dialect


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("no_such_library:Adam", "no_such_library is not installed"),
        ("array:no_such_library", "no_such_library is not installed"),
        ("nowhere/adam.py:Adam", "there is no file nowhere/adam.py"),
        ("torch.optim:Adm", "torch.optim has no 'Adm'; nearest: Adam"),
    ],
)
def test_what_is_not_here_is_unavailable(target: str, message: str) -> None:
    with pytest.raises(UnavailableError, match=message):
        load_candidates(target, [None], {}, None)


def test_device_that_is_not_here_is_unavailable() -> None:
    torch = pytest.importorskip("torch")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    with pytest.raises(UnavailableError, match=f"has no device 'cuda:{count + 1}'"):
        load_candidates("torch.optim:Adam", [None], {}, f"cuda:{count + 1}")


@pytest.mark.parametrize(
    ("target", "message"),
    [("math:pi", "math:pi is float, expected"), ("fractions:Fraction", "is a class, but neither")],
)
def test_what_is_no_optimizer_is_refused(target: str, message: str) -> None:
    with pytest.raises(CandidateError, match=message):
        load_candidates(target, [None], {}, None)


def test_file_finds_its_neighbours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    (tmp_path / "neighbour_of_it.py").write_text("X = 1\n")
    (tmp_path / "candidate_of_it.py").write_text(
        "from neighbour_of_it import X\n"
        "class Outer:\n"
        "    class A:\n"
        "        def init(self, params, hyper): self.p = params\n"
        "        def step(self, grads): return self.p\n"
    )
    [candidate] = load_candidates(f"{tmp_path}/candidate_of_it.py:Outer.A", [None], {}, None)
    assert candidate.info.kind == "array candidate"
    assert same_bits(candidate.run(probe(), "float32").params[0][0], P0.astype("float32"))


@pytest.mark.parametrize(
    ("target", "claimed"),
    [
        ("adamcore.backends.torch:Adam", "torch.Adam"),
        ("adamcore.backends.torch:AdamW", "torch.AdamW"),
        ("adamcore.backends.jax:adam", "optax.adam"),
        ("adamcore.backends.jax:adamw", "optax.adamw"),
        ("adamcore.backends.keras:Adam", "keras.Adam"),
        ("adamcore.backends.keras:AdamW", "keras.AdamW"),
    ],
)
def test_our_own_optimizers_name_their_dialect(target: str, claimed: str) -> None:
    pytest.importorskip(target.split(":")[0].split(".")[-1])
    [candidate] = load_candidates(target, [None], {}, None)
    assert candidate.info.dialect == claimed
    [candidate] = load_candidates(target, [None], {"dialect": "flax.optim.Adam"}, None)
    assert candidate.info.dialect == "flax.optim.Adam"


def test_a_constant_of_the_targets_row_holds_in_every_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    """As keras.Nadam's schedule of momentum; a claim without it would accuse a right implementation."""
    pytest.importorskip("torch")
    row = Dialect("an Adam", {}, {"eps_root": 0.5}, {"lr": "lr"}, targets=("torch.optim:Adam",))
    monkeypatch.setattr("adamcore.dialects.ROWS", (row,))
    [candidate] = load_candidates("torch.optim:Adam", [None], {}, None)
    assert candidate.info.fixed == {"eps_root": 0.5}
    [candidate] = load_candidates("torch.optim:Adam", [None], {"eps_root": "0.25"}, None)
    assert candidate.info.fixed == {"eps_root": 0.25}
