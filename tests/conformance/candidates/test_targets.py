"""Adapters: constructors mapped, inputs watched, targets found."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adamcore import Adam
from adamcore.conformance.candidates import Refusal, effective_hyper, load_candidates
from adamcore.conformance.candidates.arguments import map_arguments
from adamcore.conformance.candidates.array import ArrayCandidate
from adamcore.conformance.candidates.base import same_bits
from adamcore.conformance.errors import CandidateError, UnavailableError
from adamcore.conformance.types import Probe, Step
from adamcore.conformance.workers.pool import EndEvent, ReadyEvent, RunEvent, WorkerJob, run_jobs

HYPER = {"lr": 0.5, "b1": 0.5, "b2": 0.75, "eps": 0.25, "weight_decay": 0.125, "eps_root": 0.5}
P0, P1 = np.array([1.0, -2.0]), np.array(0.5)
G0, G1 = np.array([0.25, -1.0]), np.array(2.0)


def probe(*steps: Step, hyper: Mapping[str, float] = HYPER) -> Probe:
    return Probe("X.1/test", "", (P0, P1), steps or (Step((G0, G1)), Step((-G0, G1))), hyper)


@pytest.mark.parametrize(
    ("constructor", "call"),
    [
        (
            lambda params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0: None,
            {"lr": 0.5, "betas": (0.5, 0.75), "eps": 0.25, "weight_decay": 0.125},
        ),
        (
            lambda params, learning_rate=1e-3, beta_1=0.9, beta_2=0.999, epsilon=1e-7: None,
            {"learning_rate": 0.5, "beta_1": 0.5, "beta_2": 0.75, "epsilon": 0.25},
        ),
        (
            lambda params, lr, b1=0.9, b2=0.999, e=1e-6, weight_decay_rate=0.01: None,
            {"lr": 0.5, "b1": 0.5, "b2": 0.75, "e": 0.25, "weight_decay_rate": 0.125},
        ),
        (
            lambda params, alpha, beta1, beta2, eps, eps_root: None,
            {"alpha": 0.5, "beta1": 0.5, "beta2": 0.75, "eps": 0.25, "eps_root": 0.5},
        ),
    ],
)
def test_known_spellings(constructor: Any, call: Mapping[str, object]) -> None:
    assert map_arguments(constructor, {}, positional=1).call(HYPER) == call


def noise(lr: float, betas: Any, noise_factor: float, amsgrad: bool = False) -> None: ...


def test_set_names_arguments_and_gives_values() -> None:
    found = map_arguments(noise, {"noise_factor": "@eps", "amsgrad": "True", "lr": "0.125"})
    assert found.fixed == {"lr": 0.125}
    assert set(found.lacks) == {"weight_decay", "eps_root", "momentum_decay"}
    hyper = effective_hyper(HYPER, found.lacks, found.fixed)
    assert hyper == {"lr": 0.125, "b1": 0.5, "b2": 0.75, "eps": 0.25}
    wanted = {"lr": 0.125, "betas": (0.5, 0.75), "noise_factor": 0.25, "amsgrad": True}
    assert found.call(hyper) == wanted


def test_set_gives_a_constant_of_the_implementation() -> None:
    def without_eps(lr: float, betas: Any) -> None: ...

    with pytest.raises(
        CandidateError, match=r"no argument for eps found among betas, lr: .* --set ARGUMENT=@eps"
    ):
        map_arguments(without_eps, {})
    assert map_arguments(without_eps, {"eps": "1e-8"}).fixed == {"eps": 1e-8}


@pytest.mark.parametrize(
    ("settings", "message"), [({"gamma": "1"}, "no such argument"), ({"lr": "@x"}, "@b1")]
)
def test_set_refuses_what_is_not_there(settings: dict[str, str], message: str) -> None:
    with pytest.raises(CandidateError, match=message):
        map_arguments(noise, {"noise_factor": "@eps"} | settings)


def test_torch_runs_as_in_a_training_loop() -> None:
    torch = pytest.importorskip("torch")
    steps = (Step((G0, None)), Step((G0, G1), lr=0.25), Step((None, G1)))
    [candidate] = load_candidates("torch.optim:AdamW", [None], {}, None)
    run = candidate.run(probe(*steps), "float32")
    params = [torch.nn.Parameter(torch.tensor(p, dtype=torch.float32)) for p in (P0, P1)]
    optimizer = torch.optim.AdamW(params, lr=0.5, betas=(0.5, 0.75), eps=0.25, weight_decay=0.125)
    for step, after in zip(steps, run.params, strict=True):
        if step.lr is not None:
            optimizer.param_groups[0]["lr"] = step.lr
        for p, g in zip(params, step.grads, strict=True):
            p.grad = None if g is None else torch.tensor(g, dtype=torch.float32)
        optimizer.step()
        assert all(same_bits(p.detach().numpy(), a) for p, a in zip(params, after, strict=True))
    assert candidate.info.lacks == ("eps_root", "momentum_decay")
    assert run.written == []


def test_torch_is_seen_writing_to_a_gradient() -> None:
    torch = pytest.importorskip("torch")
    from adamcore.conformance.candidates.torch import TorchCandidate

    class Writer(torch.optim.Adam):  # type: ignore[misc, name-defined]
        def step(self, closure: Any = None) -> None:
            super().step()
            self.param_groups[0]["params"][1].grad.mul_(0.5)

    run = TorchCandidate(Writer, {}, None, None).run(probe(), "float32")
    assert run.written == ["gradient 1 in step 1", "gradient 1 in step 2"]


def test_optax_runs_and_changes_its_learning_rate() -> None:
    pytest.importorskip("optax")
    [candidate] = load_candidates("optax:adam", [None], {}, None)
    assert candidate.info.lacks == ("weight_decay", "momentum_decay")
    assert candidate.info.flushes
    plain = candidate.run(probe(), "float32")
    same = candidate.run(probe(Step((G0, G1)), Step((-G0, G1), lr=0.5)), "float32")
    half = candidate.run(probe(Step((G0, G1)), Step((-G0, G1), lr=0.25)), "float32")
    assert plain.error is None
    assert same_bits(plain.params[1][0], same.params[1][0])
    moved = [r.params[1][0] - r.params[0][0] for r in (plain, half)]
    np.testing.assert_allclose(moved[1], moved[0] / 2, rtol=1e-5)


def test_optax_fails_on_an_absent_gradient_as_it_does() -> None:
    pytest.importorskip("optax")
    [candidate] = load_candidates("optax:adam", [None], {}, None)
    run = candidate.run(probe(Step((G0, G1)), Step((G0, None))), "float32")
    assert len(run.params) == 1
    assert run.error


class Plain:
    """A float32 or float64 Adam of few lines, without weight decay."""

    hyper: tuple[str, ...] = ("lr", "b1", "b2", "eps")

    def init(self, params: list[np.ndarray], hyper: dict[str, float]) -> None:
        self.p, self.h, self.given = params, hyper, dict(hyper)

    def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
        self.p = [
            p if g is None else p - p.dtype.type(self.h["lr"]) * g for p, g in zip(self.p, grads, strict=True)
        ]
        return self.p


def test_array_candidate_gets_what_it_takes() -> None:
    class More(Plain):
        hyper = ("lr", "b1", "b2", "eps", "weight_decay", "eps_root")

    assert ArrayCandidate(Plain, {}).info.lacks == ("weight_decay", "eps_root", "momentum_decay")
    assert ArrayCandidate(More, {}).info.lacks == ("momentum_decay",)
    run = ArrayCandidate(Plain, {}).run(probe(), "float64")
    np.testing.assert_array_equal(run.params[1][1], P1 - G1)


def test_array_candidate_without_set_lr_is_not_asked_to_change_it() -> None:
    changing = probe(Step((G0, G1), lr=0.25))
    assert ArrayCandidate(Plain, {}).run(changing, "float32").unsupported

    class Settable(Plain):
        def set_lr(self, lr: float) -> None:
            self.h["lr"] = lr

    run = ArrayCandidate(Settable, {}).run(changing, "float32")
    np.testing.assert_array_equal(run.params[0][1], P1 - 0.25 * G1)


def test_array_candidate_is_seen_writing_to_a_gradient() -> None:
    class Writer(Plain):
        def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
            after = super().step(grads)
            if grads[0] is not None:
                grads[0] *= 0
            return after

    assert ArrayCandidate(Writer, {}).run(probe(), "float32").written[0] == "gradient 0 in step 1"


def test_exception_in_a_step_is_part_of_the_run() -> None:
    class Fragile(Plain):
        def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
            if grads[1] is None:
                raise LookupError("where\nis it?")
            return super().step(grads)

    run = ArrayCandidate(Fragile, {}).run(probe(Step((G0, G1)), Step((G0, None))), "float32")
    assert len(run.params) == 1
    assert run.error == "LookupError: where is it?"


def test_wrong_number_of_parameters_is_an_error() -> None:
    class Loses(Plain):
        def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
            return super().step(grads)[:1]

    run = ArrayCandidate(Loses, {}).run(probe(), "float32")
    assert run.error == "ValueError: the step gave 1 parameters of 2"


def test_masks_are_for_our_own_backends() -> None:
    masked = probe(Step((G0, G1), present=(np.array([True, False]), True)))
    assert ArrayCandidate(Plain, {}).run(masked, "float32").unsupported == "it has no masks of presence"


def test_constructor_that_refuses() -> None:
    class Refuses(Plain):
        def __init__(self) -> None:
            raise ValueError("no")

    with pytest.raises(Refusal, match="ValueError: no"):
        ArrayCandidate(Refuses, {}).run(probe(), "float32")


@pytest.mark.parametrize(
    "target", ["numpy", "torch", "jax", "jax:jit", "jax:native", "array:array_api_strict", "array:dask.array"]
)
def test_own_backends_run_a_claim(target: str) -> None:
    pytest.importorskip(target.partition(":")[2] if target.startswith("array") else target.partition(":")[0])
    masked = Step((np.array([0.25, np.nan]), G1), present=(np.array([True, False]), True))
    steps = (Step((G0, G1)), Step((None, G1), lr=0.25), masked)
    claims: list[Adam | None] = [Adam(decay="decoupled"), Adam(amsgrad="uncorrected")]
    for candidate, claim in zip(load_candidates(target, claims, {}, None), claims, strict=True):
        run = candidate.run(probe(*steps), "float32")
        assert run.error is None
        assert run.written == []
        [same] = load_candidates("numpy", [claim], {}, None)
        for after, wanted in zip(run.params, same.run(probe(*steps), "float32").params, strict=True):
            for got, want in zip(after, wanted, strict=True):
                assert got.dtype == np.float32
                np.testing.assert_allclose(got, want, rtol=2e-6)
        assert same_bits(run.params[1][0], run.params[0][0])
        assert same_bits(run.params[2][0][1], run.params[1][0][1])


def test_own_backend_takes_no_settings() -> None:
    with pytest.raises(CandidateError, match="--set has no meaning for numpy"):
        load_candidates("numpy", [None], {"foreach": "True"}, None)


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


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_keras(backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(backend)
    if importlib.util.find_spec("keras") is None:
        pytest.skip("keras is not installed")
    monkeypatch.setenv("KERAS_BACKEND", backend)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    steps = (Step((G0, None)), Step((G0, G1), lr=0.25))
    job = WorkerJob("keras.optimizers:Adam", "float32", [None], [probe(*steps)], [(0, 0)])
    ready, done, ended = run_jobs([job], 100, 1)
    assert isinstance(ready, ReadyEvent)
    assert isinstance(done, RunEvent)
    assert ended == EndEvent(job)
    assert set(ready.info.lacks) == {"eps_root", "momentum_decay"}
    assert ready.info.device == f"keras on {backend}"
    assert done.run.error is None
    assert same_bits(done.run.params[0][1], P1.astype("float32"))
    assert not same_bits(done.run.params[1][1], P1.astype("float32"))


def test_a_rare_hyperparameter_is_handed_over_to_who_asks_for_it() -> None:
    class Asks:
        hyper = ("lr", "b1", "b2", "eps", "momentum_decay")

        def init(self, params: list[np.ndarray], hyper: dict[str, float]) -> None:
            self.params, self.seen = params, hyper
            assert hyper["momentum_decay"] == Adam().momentum_decay
            assert "eps_root" not in hyper

        def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
            return [p.copy() for p in self.params]

    plain = {name: value for name, value in HYPER.items() if name != "eps_root"}
    done = ArrayCandidate(Asks, {}).run(probe(hyper=plain), "float64")
    assert (done.error, done.unsupported) == (None, None)
