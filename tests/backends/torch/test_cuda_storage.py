"""The kernels for CUDA, run on the CPU: formats of 16 bits, and tensors that they serve or leave alone."""

from __future__ import annotations

from typing import Any

import pytest
from fast import definition_alone

torch = pytest.importorskip("torch")

from cuda_runs import check_reference  # noqa: E402
from cuda_shim import Shim, needs_compiler  # noqa: E402

from adamcore import Adam  # noqa: E402
from adamcore.backends.torch import Adam as Optimizer  # noqa: E402
from adamcore.backends.torch import (  # noqa: E402
    backend,
    fast,
    nvrtc,
)

pytestmark = needs_compiler


@pytest.mark.parametrize(("p", "moments"), [
    ("bfloat16", None), ("bfloat16", "float32"), ("float16", None), ("float16", "float32"),
    ("float32", "bfloat16"), ("float32", "float64"),
])  # fmt: skip
def test_narrow_and_mixed_storage(p: str, moments: str | None, shim: Shim) -> None:
    adam = Adam(lr=0.1, moment_dtype=moments, weight_decay=0.1, amsgrad="uncorrected")
    dtype = getattr(torch, p)
    check_reference(
        adam, lambda: [torch.linspace(-2, 2, n).to(dtype) for n in (0, 1, 9, 4100)], shim.launched
    )


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_every_number_of_16_bits(dtype: Any, shim: Shim) -> None:
    """Widened exactly: a parameter that does not move is the same bits."""
    every = torch.arange(-(2**15), 2**15, dtype=torch.int32).to(torch.int16).view(dtype)
    adam = Adam(lr=0.0)
    [p], _ = adam.step([every], [torch.zeros_like(every)], adam.init([every]))
    same_numbers(p, every)


@pytest.mark.parametrize("name", ["bfloat16", "float16"])
def test_rounding_to_16_bits(name: str, shim: Shim) -> None:
    """To the nearest, ties to even, what is no number stays none: with b1=0, m is g rounded once."""
    upper = torch.arange(-(2**15), 2**15, dtype=torch.int32) << 16
    g = torch.cat([(upper + k).view(torch.float32) for k in (0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF)])
    halves = torch.arange(-(2**15), 2**15, dtype=torch.int32).to(torch.int16).view(torch.float16).float()
    ties = (halves[1:] + halves[:-1]) / 2
    g = torch.cat([g, ties, torch.nextafter(ties, halves[1:]), torch.nextafter(ties, halves[:-1])])
    adam = Adam(b1=0.0, moment_dtype=name)
    _, state = adam.step([torch.zeros_like(g)], [g], adam.init([torch.zeros_like(g)]))
    same_numbers(state.m[0], (0.0 + g).to(getattr(torch, name)))


def same_numbers(one: Any, two: Any) -> None:
    """The same bits, or neither a number."""
    assert bool((one.isnan() == two.isnan()).all())
    assert torch.equal(one.view(torch.int16)[~one.isnan()], two.view(torch.int16)[~two.isnan()])


def test_kinds_side_by_side(shim: Shim) -> None:
    """Weights in bfloat16 and norms in float32: one tick, a launch for each kind."""

    def make() -> list[Any]:
        return [torch.ones(5, dtype=[torch.float32, torch.bfloat16][k % 2]) for k in range(6)]

    def run() -> list[Any]:
        adam, params = Adam(lr=0.1), make()
        state = adam.init(params)
        for k in range(3):
            params, state = adam.step(
                params, [torch.ones_like(p) * (k + 1) for p in params], state, donate=True
            )
        return [x.tolist() for tree in (params, state.m, state.v, state.t) for x in tree]

    got = run()
    assert [name for name, _ in shim.launched[-3:]] == ["tick", "update", "update"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nvrtc, "stand_in", None)
        assert got == run()  # as on the CPU


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: torch.ones(4, 6)[:, ::2], "not contiguous"),
        (lambda: torch.ones(5, dtype=torch.complex64), "complex"),
        (lambda: torch._neg_view(torch.ones(5)), "negation"),
    ],
)
def test_what_is_not_served_says_why_and_falls_back(make: Any, why: str, shim: Shim) -> None:
    p = make()
    adam = Adam(lr=0.1)
    with pytest.MonkeyPatch.context() as patch:
        seen: list[Any] = []
        inner = fast.unsupported

        def asked(job: Any) -> Any:
            seen.append(inner(job))
            return seen[-1]

        patch.setattr(fast, "unsupported", asked)
        adam.step([p], [torch.ones_like(p)], adam.init([p]))
    assert why in seen[0]
    [got], _ = adam.step([p], [torch.ones_like(p)], adam.init([p]))
    assert "update" not in dict(shim.launched)
    with definition_alone(backend):
        [want], _ = adam.step([p], [torch.ones_like(p)], adam.init([p]))
    torch.testing.assert_close(got, want)


@pytest.mark.skipif(not hasattr(torch.Tensor, "grad_dtype"), reason="gradients have the dtype of p")
def test_a_gradient_of_another_dtype(shim: Shim) -> None:
    """The kernel would read it as if it had the parameter's, past its end."""

    def run() -> list[float]:
        p = torch.nn.Parameter(torch.linspace(-1, 1, 37))
        p.grad_dtype = None
        optimizer = Optimizer([p], lr=0.1)
        for _ in range(2):
            p.grad = torch.linspace(1, 2, 37, dtype=torch.bfloat16)
            optimizer.step()
        return p.tolist()

    got = run()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nvrtc, "stand_in", None)
        assert got == run()  # as on the CPU


def test_a_maximum_of_another_dtype_is_not_served(shim: Shim) -> None:
    jobs: list[Any] = []
    inner = fast.unsupported

    def asked(job: Any) -> Any:
        jobs.append(job)
        return inner(job)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast, "unsupported", asked)
        adam, p = Adam(amsgrad="corrected"), torch.ones(5)
        adam.step([p], [p], adam.init([p]))
    assert inner(jobs[0]) is None
    assert "another dtype" in str(inner(jobs[0]._replace(v_max=jobs[0].v_max.double())))


def test_masks_fall_back(shim: Shim) -> None:
    adam, p = Adam(lr=0.1), torch.ones(4)
    mask = torch.tensor([True, False, True, True])
    [new], _ = adam.step([p], [torch.ones(4)], adam.init([p]), present=[mask])
    assert "update" not in dict(shim.launched)
    assert new[1] == 1.0 != new[0]


def test_a_gradient_in_the_parameters_memory(shim: Shim) -> None:
    """Then nothing is done in place, and nothing is remembered."""
    memory = torch.arange(1.0, 12.0)
    for _ in range(2):
        p, g = memory.clone()[:10], None
        g = p  # the very same
        adam = Adam(lr=0.1)
        state = adam.init([p])
        with definition_alone(backend):
            want, _ = adam.step([p.clone()], [g.clone()], state)
        got, _ = adam.step([p], [g], adam.init([p]), donate=True)
        assert torch.equal(got[0], want[0])


def test_autograd_knows_of_writes(shim: Shim) -> None:
    p = torch.nn.Parameter(torch.ones(5))
    adam = Adam(lr=0.1)
    state, versions = adam.init([p]), [p._version]
    params = [p]
    for _ in range(3):
        params, state = adam.step(params, [torch.ones(5)], state, donate=True)
        versions.append(p._version)
    assert params[0] is p
    assert versions == sorted(set(versions))
    [new], _ = adam.step([p], [torch.ones(5)], state)
    assert new is not p
    assert new.requires_grad
    assert new.is_leaf


def test_a_tensor_that_moves_is_noticed(shim: Shim) -> None:
    def run() -> Any:
        adam, params = Adam(lr=0.1), [torch.nn.Parameter(torch.zeros(5))]
        state = adam.init(params)
        for k in range(8):
            if k == 3:
                params[0].data = params[0].data.clone()
            if k == 5:
                state.m[0].data = state.m[0].data.clone() * 2
            if k == 6:
                state.t[0].add_(4)
            params, state = adam.step(params, [torch.full((5,), k - 2.0)], state, donate=True)
        return params[0].tolist(), state.m[0].tolist(), int(state.t[0])

    got = run()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nvrtc, "stand_in", None)
        assert got == run()  # as on the CPU


def test_there_is_no_runtime_on_the_cpu() -> None:
    assert nvrtc.runtime(torch.device("cpu")) is None
    assert nvrtc.unsupported(torch.device("cpu")) == "a tensor on cpu"
    assert fast.MEMORY.unsupported(torch.ones(3)) is None
