"""Steps of candidates that are timed: each kind makes one, and it moves the parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adamcore.backends.kernels import llvm
from adamcore.conformance.bench import targets
from adamcore.conformance.bench.targets import framework_of, load_target, plain_copy, run_target, step_of
from adamcore.conformance.bench.workloads import WORKLOADS
from adamcore.conformance.candidates.array import ArrayCandidate
from adamcore.conformance.errors import CandidateError, UsageError

SHAPES = ((3,), (2, 2))
RIGHT = "kernel:tests/corpus/right_kernels.py:"


@pytest.mark.parametrize(
    ("target", "settings", "needs"),
    [
        (RIGHT + "in_place", {}, "numpy"),
        (RIGHT + "returns_new", {}, "numpy"),
        (RIGHT + "of_lists", {"amsgrad": "True"}, "numpy"),
        ("tests/corpus/adams.py:AdamW", {}, "numpy"),
        ("torch.optim:AdamW", {"fused": "True"}, "torch"),
        ("kernel:torch:_fused_adam_", {}, "torch"),
        ("optax:adamw", {}, "optax"),
        ("keras.optimizers:AdamW", {}, "keras"),
    ],
)
def test_each_kind_of_candidate_makes_a_step(target: str, settings: dict[str, str], needs: str) -> None:
    pytest.importorskip(needs)
    step: Any = step_of(load_target(target, settings, None), SHAPES)
    step()
    step()
    assert step.bytes == 28 * 7
    assert step.compilations() >= 0


@pytest.mark.parametrize(
    ("target", "framework"),
    [
        (RIGHT + "in_place", "numpy"),
        ("tests/corpus/adams.py:AdamW", "numpy"),
        ("torch.optim:AdamW", "torch"),
        ("kernel:torch:_fused_adam_", "torch"),
        ("optax:adamw", "jax"),
        ("keras.optimizers:AdamW", "keras"),
    ],
)
def test_a_row_has_the_framework_of_its_candidate(target: str, framework: str) -> None:
    module = pytest.importorskip({"jax": "optax"}.get(framework, framework))
    expected = module.backend.backend() if framework == "keras" else framework
    assert framework_of(load_target(target, {}, None)) == expected


def test_a_kernel_steps_each_array_once() -> None:
    candidate: Any = load_target(RIGHT + "in_place", {}, None)
    convention: Any = candidate.in_dtype("float32")
    seen: list[Any] = []
    right = convention.step

    def spy(slots: Any, grads: Any, request: Any) -> Any:
        seen.extend(slots)
        return right(slots, grads, request)

    convention.step = spy
    step_of(candidate, SHAPES)()
    assert [slot.p.shape for slot in seen] == [(3,), (2, 2)]
    assert [slot.updates for slot in seen] == [1, 1]


@pytest.mark.parametrize("target", ["cmd:./driver", "numpy:cpu", "array:numpy"])
def test_what_is_not_timed_is_said(target: str) -> None:
    with pytest.raises(UsageError, match="adamcore bench times a class, a factory or a kernel, and not"):
        load_target(target, {}, None)


@pytest.mark.parametrize("machine_code", [True, False])
def test_a_candidate_is_timed_beside_a_copy(machine_code: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not machine_code:
        monkeypatch.setattr(llvm, "available", lambda: False)
    elif not llvm.available():
        pytest.skip("needs llvmlite")
    lines: list[str] = []
    candidate = load_target(RIGHT + "in_place", {}, None)
    copy, row = run_target("mine", candidate, ["100"], 0.1, lines.append)
    assert (copy.name, row.name, row.bytes) == ("memory traffic", "mine", 2800)
    assert row.of_floor is not None
    assert row.of_floor > 0
    assert lines[0].startswith("100, numpy: mine")


def test_a_candidate_that_cannot_be_made_is_said_to_be_none() -> None:
    class Fails:
        def init(self, params: Any, hyper: Any) -> None:
            raise AttributeError("no such thing")

        def step(self, grads: Any) -> None: ...

    with pytest.raises(
        CandidateError, match="could not be made for arrays of this size: AttributeError: no such"
    ):
        step_of(ArrayCandidate(Fails, {}), ((3,),))


def test_the_copy_moves_as_many_bytes_as_a_step() -> None:
    copy: Any = plain_copy(WORKLOADS["100"])
    target, source = copy.run.args
    copy()
    assert target.nbytes + source.nbytes == 2800
    assert np.array_equal(target, source)
    assert targets.HYPER["lr"] > 0
