"""What only a GPU can show: the bits, the capture of a CUDA graph, two kernels a step, and no waiting."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from fast import adams, definition_alone, gradients, probed, trajectory

torch = pytest.importorskip("torch")

from torch.nn import Parameter  # noqa: E402
from torch_runs import bits, parameters  # noqa: E402

from adamcore import Adam  # noqa: E402
from adamcore.backends.numpy import backend as numpy_backend  # noqa: E402
from adamcore.backends.torch import AdamW, nvrtc  # noqa: E402

pytestmark = pytest.mark.gpu


def tensor(x: np.ndarray) -> Any:
    return torch.tensor(x, device="cuda")


def numpy(x: Any) -> np.ndarray:
    return np.asarray(x.detach().cpu().numpy())


@contextmanager
def without_waiting() -> Iterator[None]:
    """An operation that makes the host wait for the device is an error."""
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def kernels(step: Any) -> list[str]:
    """What the device was given to do by one step, by name."""
    from torch.profiler import ProfilerActivity, profile

    step()
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as found:
        step()
        torch.cuda.synchronize()
    on_device = [e for e in found.events() if e.device_type == torch.autograd.DeviceType.CUDA]
    return [e.name for e in on_device if not e.is_user_annotation]  # such as the name of the optimizer's step


def test_there_is_a_runtime() -> None:
    assert nvrtc.unsupported(torch.device("cuda", 0)) is None


@pytest.mark.parametrize("donate", [False, True])
def test_bits_of_the_definition(donate: bool) -> None:
    for adam in adams(40, seed=7):
        with definition_alone(numpy_backend):
            want = trajectory(adam, np.array, np.asarray, "float32", False, steps=4)
        assert trajectory(adam, tensor, numpy, "float32", donate, steps=4) == want, adam


def test_bits_in_float64_with_clocks_on_the_host() -> None:
    """Coefficients then are the host's own; those of the device are within 3 ULP in float64."""
    for adam in adams(20, seed=7):
        if adam.nesterov == "dozat" or adam.clock == "global":
            continue
        params = [gradients(100, "float64")[k] for k in range(9)]
        mine = [tensor(p) for p in params]
        state = adam.init(mine)
        state = state._replace(t=[torch.tensor(0, dtype=torch.int32) for _ in mine])
        theirs = adam.init(params)
        for k in range(3):
            grads = gradients(k, "float64")
            mine, state = adam.step(mine, [tensor(g) for g in grads], state)
            with definition_alone(numpy_backend):
                params, theirs = adam.step(params, grads, theirs)
            for a, b in zip(mine, params, strict=True):
                assert np.array_equal(numpy(a), b, equal_nan=True)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_bits_in_16_bits(dtype: str) -> None:
    """Every number widened and stored again, and all ties rounded, as PyTorch on the CPU does."""
    upper = torch.arange(-(2**15), 2**15, dtype=torch.int32) << 16
    g = torch.cat([(upper + k).view(torch.float32) for k in (0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF)]).cuda()
    adam = Adam(b1=0.0, moment_dtype=dtype)
    _, state = adam.step([torch.zeros_like(g)], [g], adam.init([torch.zeros_like(g)]))
    want = (0.0 + g.cpu()).to(getattr(torch, dtype))
    got = state.m[0].cpu()
    assert torch.equal(got.view(torch.int16)[~got.isnan()], want.view(torch.int16)[~want.isnan()])
    assert torch.equal(got.isnan(), want.isnan())


def test_probes_in_place() -> None:
    from adamcore.conformance.candidates.own import Torch

    assert probed(Torch("cuda"), [Adam(), Adam(decay="decoupled", amsgrad="uncorrected")]) == []


def captured(launch: Any) -> Any:
    """A CUDA graph of a step, after steps that make state and kernels."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            launch()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        launch()
    return graph


@pytest.mark.parametrize("settings", [{}, {"clock": "global"}, {"amsgrad": True, "nesterov": "dozat"}])
def test_graph_of_an_optimizer(settings: dict[str, Any]) -> None:
    """Five replays, with new gradients and a new lr in their tensors, against five steps."""

    def made() -> tuple[list[Parameter], Any, Any]:
        params = [Parameter(p.detach().cuda()) for p in parameters((3,), (40, 2), (0,), (5000,))]
        for p in params:
            p.grad = torch.zeros_like(p)
        lr = torch.tensor(0.05, device="cuda")
        return params, lr, AdamW(params, lr=lr, capturable=True, **settings)

    def fill(params: list[Parameter], lr: Any, t: int) -> None:
        generator = torch.Generator().manual_seed(t)
        for p in params:
            p.grad.copy_(torch.randn(p.shape, generator=generator))  # type: ignore[union-attr]
        lr.fill_(0.05 / (t + 1))

    one, lr, optimizer = made()
    graph = captured(optimizer.step)
    two, other_lr, eager = made()
    for _ in range(3):
        eager.step()  # as many as there were before the capture; a capture makes none
    for t in range(5):
        fill(one, lr, t)
        graph.replay()
        fill(two, other_lr, t)
        with without_waiting():
            eager.step()
        if t == 2:  # steps of others between replays change nothing in it
            others, _, third = made()
            for p in others:
                p.grad = torch.ones_like(p)
            third.step()
            third.step()
        assert bits([[p.cpu() for p in one]]) == bits([[p.cpu() for p in two]])
    mine, theirs = optimizer.state_dict()["state"], eager.state_dict()["state"]
    assert bits({k: {n: x.cpu() for n, x in own.items()} for k, own in mine.items()}) == bits(
        {k: {n: x.cpu() for n, x in own.items()} for k, own in theirs.items()}
    )


def test_graph_of_a_step_in_place() -> None:
    def made() -> Any:
        adam, params = Adam(lr=0.1), [torch.ones(n, device="cuda") for n in (3, 5000)]
        grads, state = [torch.ones_like(p) for p in params], adam.init(params)

        def step() -> None:
            nonlocal params, state
            params, state = adam.step(params, grads, state, donate=True)

        return step, params, grads

    step, params, grads = made()
    graph = captured(step)
    eager, others, other_grads = made()
    for _ in range(3):
        eager()
    for t in range(5):
        for g in (*grads, *other_grads):
            g.fill_(t - 2.0)
        graph.replay()
        with without_waiting():
            eager()
        assert bits([p.cpu() for p in params]) == bits([p.cpu() for p in others])


@pytest.mark.parametrize("capturable", [False, True])
def test_two_kernels(capturable: bool) -> None:
    params = [Parameter(torch.ones(n, device="cuda")) for n in range(148)]
    for p in params:
        p.grad = torch.ones_like(p)
    optimizer = AdamW(params, lr=0.1, capturable=capturable)
    optimizer.step()
    assert kernels(optimizer.step) == ["tick" if capturable else "fill", "update"]


def test_two_kernels_in_place() -> None:
    adam, params = Adam(), [torch.ones(n, device="cuda") for n in range(148)]
    state = adam.init(params)

    def step() -> None:
        nonlocal params, state
        params, state = adam.step(params, grads, state, donate=True)

    grads = [torch.ones_like(p) for p in params]
    step()
    assert kernels(step) == ["tick", "update"]


def test_from_a_thread_and_on_another_stream() -> None:
    """A thread that has done nothing on the device yet; a stream that is not the default one."""
    failed: list[BaseException] = []
    p = Parameter(torch.zeros(1 << 20, device="cuda"))
    p.grad = torch.ones_like(p)
    optimizer = AdamW([p], lr=0.1, weight_decay=0.0)
    torch.cuda.synchronize()

    def work() -> None:
        try:
            with torch.cuda.stream(torch.cuda.Stream()):
                for _ in range(10):
                    optimizer.step()
                torch.cuda.current_stream().synchronize()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert failed == []
    np.testing.assert_allclose(p.detach().cpu(), -1.0, rtol=1e-5)


def test_on_every_device() -> None:
    """Each device its own kernels; the current one stays what it was."""
    devices = range(torch.cuda.device_count())
    params = [Parameter(torch.zeros(5, device=f"cuda:{k}")) for k in devices]
    for p in params:
        p.grad = torch.ones_like(p)
    optimizer = AdamW(params, lr=0.1, weight_decay=0.0)
    for _ in range(3):
        optimizer.step()
        assert torch.cuda.current_device() == 0
    for p in params:
        np.testing.assert_allclose(p.detach().cpu(), -0.3, rtol=1e-5)


def test_more_elements_than_an_int_counts() -> None:
    """2**31 + 5 of them: the last is stepped too."""
    if torch.cuda.get_device_properties(0).total_memory < 24 * 2**30:
        pytest.skip("too little memory")
    p = torch.zeros(2**31 + 5, device="cuda", dtype=torch.bfloat16)
    g, adam = torch.ones_like(p), Adam(lr=0.5)
    [p], _ = adam.step([p], [g], adam.init([p]), donate=True)
    assert p[-1].item() == p[0].item() == p[2**31].item() == -0.5
