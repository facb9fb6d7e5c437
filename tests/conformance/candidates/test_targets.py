"""From a target to its candidate: imports, devices, and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from candidate_probes import P0, probe

from adamcore.conformance.candidates import load_candidates
from adamcore.conformance.candidates.adapter.base import same_bits
from adamcore.conformance.candidates.targets import made_already
from adamcore.conformance.checking.repro import import_lines
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


@pytest.mark.parametrize("target", ["folder/adam:Adam", "adam.ipynb:Adam", "{}/notes.txt:Adam"])
def test_what_is_no_module_nor_a_python_file_is_said_to_be_none(target: str, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(UnavailableError, match=r"is no \.py file, nor the name of a module|not installed"):
        load_candidates(target.format(tmp_path), [None], {}, None)


def test_an_optimizer_of_keras_that_is_made_already_has_a_class_to_name() -> None:
    class Mine:
        def apply_gradients(self, pairs: object) -> None: ...

    assert made_already(Mine()).startswith(": name its class, ")
    assert made_already(3) == ""


def test_functions_that_are_no_factory_are_told_what_to_do(tmp_path: Path) -> None:
    pytest.importorskip("optax")
    (tmp_path / "functions.py").write_text(
        "def step(p, g, m, v, t, lr, beta1, beta2, eps): return p, m, v\n"
        "def closure(lr, b1, b2, eps): return lambda p, g: p\n"
    )
    with pytest.raises(CandidateError, match=r"name it kernel:.*functions\.py:step"):
        load_candidates(f"{tmp_path}/functions.py:step", [None], {}, None)
    [candidate] = load_candidates(f"{tmp_path}/functions.py:closure", [None], {}, None)
    with pytest.raises(CandidateError, match="this one returned function, no GradientTransformation"):
        candidate.run(probe(), "float32")


def test_script_that_ends_the_program_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text("import sys; sys.exit(2)")
    with pytest.raises(CandidateError, match=r"ends the program, with status 2; .* under if __name__ =="):
        load_candidates(f"{tmp_path}/script.py:Adam", [None], {}, None)


def test_file_of_a_package_imports_from_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    inner = tmp_path / "outer_of_it" / "inner"
    inner.mkdir(parents=True)
    for folder in (inner.parent, inner):
        (folder / "__init__.py").write_text("")
    (inner.parent / "helpers.py").write_text("P = 1\n")
    (inner / "adam.py").write_text(
        "from ..helpers import P\n"
        "class A:\n"
        "    def init(self, params, hyper): self.p = params\n"
        "    def step(self, grads): return self.p\n"
    )
    [candidate] = load_candidates(f"{inner}/adam.py:A", [None], {}, None)
    assert same_bits(candidate.run(probe(), "float32").params[0][0], P0.astype("float32"))
    assert import_lines(f"{inner}/adam.py:A")[1][-1] == "from outer_of_it.inner.adam import A"
    (inner / "__init__.py").unlink()
    with pytest.raises(CandidateError, match=r"no known parent package; .* name it package\.module:attr"):
        load_candidates(f"{inner}/adam.py:A", [None], {}, None)


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
