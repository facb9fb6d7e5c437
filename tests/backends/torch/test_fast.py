"""PyTorch's fast path on the CPU gives the bits of NumPy's definition, tensors left where they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fast import adams, definition_alone, gradients, probed, trajectory

from adamcore import Adam

torch = pytest.importorskip("torch")
pytest.importorskip("llvmlite")

from adamcore.backends.numpy import backend as numpy_backend  # noqa: E402
from adamcore.backends.torch import backend, fast  # noqa: E402


def tensor(x: np.ndarray) -> Any:
    return torch.tensor(x)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("donate", [False, True])
@pytest.mark.parametrize("part", [3, pytest.param(1, marks=pytest.mark.slow)])  # of all
def test_bits_of_the_definition(dtype: str, donate: bool, part: int) -> None:
    for adam in adams(20 // part, seed=7):
        with definition_alone(numpy_backend):
            want = trajectory(adam, np.array, np.asarray, dtype, False, steps=3)
        assert trajectory(adam, tensor, np.asarray, dtype, donate, steps=3) == want, adam


@pytest.mark.parametrize("every", [7, pytest.param(3, marks=pytest.mark.slow)])
def test_probes_in_place(every: int) -> None:
    from adamcore.conformance.candidates.own import Torch

    assert probed(Torch("cpu"), [Adam(), Adam(decay="decoupled", amsgrad="uncorrected")], every=every) == []


def stepped(adam: Adam, params: list[Any], steps: int = 3) -> tuple[list[Any], Any]:
    state = adam.init(params)
    for k in range(steps):
        grads = [torch.full_like(p, 0.5 - k) for p in params]
        params, state = adam.step(params, grads, state, donate=True)
    return params, state


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: torch.ones(4, 6).t(), None),
        (lambda: torch.ones(2, 3, 4, 5).to(memory_format=torch.channels_last), None),
        (lambda: torch.ones(4, 6)[:, ::2], "not contiguous"),
        (lambda: torch.ones(5, dtype=torch.bfloat16), None),
        (lambda: torch.ones(5, dtype=torch.float8_e4m3fn), "float8"),
        (lambda: torch.ones(5, dtype=torch.complex64), None),
        (lambda: torch.ones(5, dtype=torch.complex64).conj(), "conjugation"),
        (lambda: torch.ones(5), None),
    ],
)
def test_what_is_not_served_says_why_and_falls_back(make: Any, why: str | None) -> None:
    from adamcore.jobs import Job

    seen: list[Job] = []
    kind = type(backend)
    with pytest.MonkeyPatch.context() as patch:
        apply = kind.apply

        def recorded(backend: Any, adam: Adam, jobs: Any, donate: bool) -> Any:
            seen.extend(jobs)
            return apply(backend, adam, jobs, donate)

        patch.setattr(kind, "apply", recorded)
        [got], _ = stepped(Adam(lr=0.1), [make()])
    reason = fast.unsupported(seen[0])
    assert reason == why if reason is None or why is None else why in reason
    with definition_alone(backend):
        [want], _ = stepped(Adam(lr=0.1), [make()])
    assert torch.equal(got, want)


def test_tensors_stay_where_they_are() -> None:
    params = [torch.ones(3, 4, requires_grad=True), torch.nn.Parameter(torch.ones(5))]
    addresses = [p.data_ptr() for p in params]
    version = params[0]._version
    new, state = stepped(Adam(), params)
    assert all(a is b for a, b in zip(new, params, strict=True))
    assert [p.data_ptr() for p in new] == addresses
    assert params[0]._version > version  # autograd knows that it was written to
    assert [int(t) for t in state.t] == [3, 3]


def test_a_tensor_that_moves_is_noticed() -> None:
    adam, params = Adam(lr=0.1), [torch.nn.Parameter(torch.zeros(5))]
    state = adam.init(params)
    for k in range(6):
        if k == 3:
            params[0].data = params[0].data.clone()  # what Module.to does
        params, state = adam.step(params, [torch.ones(5)], state, donate=True)
    np.testing.assert_allclose(params[0].detach(), -0.6, rtol=1e-5)


def test_new_lr_and_present_and_absent_gradients() -> None:
    adam = Adam(lr=0.1)
    tree = {"b": torch.zeros(3), "c": torch.zeros(2)}
    state = adam.init(tree)
    for k in range(8):
        grads = {"b": torch.ones(3), "c": None if k % 3 else torch.ones(2)}
        tree, state = adam.step(tree, grads, state, lr=0.1 * (k + 1), donate=True)
    assert {k: int(t) for k, t in state.t.items()} == {"b": 8, "c": 3}
    np.testing.assert_allclose(tree["c"], -0.1 * (1 + 4 + 7), rtol=1e-5)


def test_extra_memory_in_place() -> None:
    import resource

    adam, params, grads = Adam(), [torch.ones(1 << 22)], [torch.ones(1 << 22)]
    state = adam.init(params)
    params, state = adam.step(params, grads, state, donate=True)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(3):
        params, state = adam.step(params, grads, state, donate=True)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 4096  # KiB; a tensor has 16384


@pytest.mark.parametrize("available", [True, False])
def test_same_result_with_and_without_the_extra(available: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    from adamcore.backends.kernels import llvm

    monkeypatch.setattr(llvm, "available", lambda: available)
    grads = [torch.tensor(g) for g in gradients(3, "float32")]
    params = [g.clone() for g in grads]
    adam = Adam(lr=0.1, weight_decay=0.1)
    state = adam.init(params)
    for _ in range(3):
        params, state = adam.step(params, grads, state, donate=True)
    with definition_alone(backend):
        want = [g.clone() for g in grads]
        state = adam.init(want)
        for _ in range(3):
            want, state = adam.step(want, grads, state)
    for a, b in zip(params, want, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_blocks_give_the_same_bits_as_machine_code(monkeypatch: pytest.MonkeyPatch) -> None:
    from adamcore.backends.kernels import llvm

    for adam in adams(6, seed=3):
        for donate in (False, True):
            want = trajectory(adam, tensor, np.asarray, "float32", donate, steps=2)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(llvm, "available", lambda: False)
                assert trajectory(adam, tensor, np.asarray, "float32", donate, steps=2) == want
