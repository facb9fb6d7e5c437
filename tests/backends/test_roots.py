"""The root of every step is rounded correctly, on each path of each backend and on every processor.

With b1 = 1/2, m = 2 and a gradient of 0 the new m is 1, without a rounding, so a step of lr = 1 makes of
p = 0 the number ``-(1 / sqrt(v))``, v being the new one, which the step returns.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
from exact_roots import exact_roots, hard_values
from fast import definition_alone

from adamcore import Adam, AdamState
from adamcore.backends.kernels import llvm

ADAM = Adam(lr=1.0, b1=0.5, eps=0.0, bias_correction="none")
DTYPES = ["float32", "float64"]
Arrays = np.ndarray[Any, Any]
Step = Callable[[Arrays], tuple[Any, Any]]  #: of v: the new p and v


def values(dtype: str) -> Arrays:
    """Hard values, but for the largest, whose roots leave only subnormal updates of float32."""
    found = hard_values(dtype)
    return found[(found > np.finfo(dtype).tiny * 4) & (found < 1e30)]


def hold(step: Step, dtype: str) -> None:
    given = values(dtype)
    p, v = map(np.asarray, step(given))
    assert len(p) == len(v) == len(given)
    np.testing.assert_array_equal(p, -(1 / exact_roots(v)))


def numpy_step(v: Arrays, donate: bool = False) -> tuple[Any, Any]:
    p, g, m = np.zeros_like(v), np.zeros_like(v), np.full_like(v, 2)
    new, state = ADAM.step(p, g, AdamState(1, m, v.copy(), None), donate=donate)
    return new, state.v


def torch_step(
    v: Arrays,
    make: Callable[[Any], Any] = lambda x: x,
    step: Any = ADAM.step,
    donate: bool = False,
) -> tuple[Any, Any]:
    import torch

    x = torch.from_numpy(v)
    p, g, m, x = (
        make(y) for y in (torch.zeros_like(x), torch.zeros_like(x), torch.full_like(x, 2), x.clone())
    )
    new, state = step(p, g, AdamState(1, m, x, None), donate=donate)
    return new, state.v


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("donate", [False, True])
@pytest.mark.parametrize("how", ["machine code", "blocks", "definition"])
def test_numpy(how: str, donate: bool, dtype: str) -> None:
    from adamcore.backends.numpy import backend

    context: Any = {
        "machine code": nullcontext(),
        "blocks": llvm.switched_off(),
        "definition": definition_alone(backend),
    }[how]
    with context:
        hold(lambda v: numpy_step(v, donate), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("how", ["machine code", "blocks", "definition", "strided", "subclass", "masked"])
def test_torch(how: str, dtype: str) -> None:
    torch = pytest.importorskip("torch")
    from adamcore.backends.torch import backend

    Subclass: Any = type("Subclass", (torch.Tensor,), {})

    def strided(x: Any) -> Any:
        return torch.stack([x, x], 1)[:, 0]

    def masked(*arguments: Any, donate: bool) -> Any:
        return ADAM.step(*arguments, present=torch.ones_like(arguments[0], dtype=torch.bool), donate=donate)

    context: Any = {"blocks": llvm.switched_off(), "definition": definition_alone(backend)}
    make: Any = {"strided": strided, "subclass": lambda x: x.as_subclass(Subclass)}
    step = masked if how == "masked" else ADAM.step
    with context.get(how, nullcontext()):
        hold(lambda v: torch_step(v, make.get(how, lambda x: x), step), dtype)
        hold(lambda v: torch_step(v, make.get(how, lambda x: x), step, donate=True), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["modulus", "componentwise"])
def test_torch_complex(kind: Any, dtype: str) -> None:
    torch = pytest.importorskip("torch")
    adam = Adam(lr=1.0, b1=0.5, eps=0.0, bias_correction="none", complex=kind)

    def step(v: Arrays) -> tuple[Any, Any]:
        x = torch.from_numpy(v)
        p = torch.complex(torch.zeros_like(x), torch.zeros_like(x))
        m = torch.complex(torch.full_like(x, 2), torch.full_like(x, 2))
        old = x if kind == "modulus" else torch.complex(x, x)
        new, state = adam.step(p, p, AdamState(1, m, old, None))
        np.testing.assert_array_equal(new.real, new.imag)
        return new.real, state.v if kind == "modulus" else state.v.real

    hold(step, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("how", ["lists", "compiled", "vmap", "recorded"])
def test_torch_followed(how: str, dtype: str) -> None:
    torch = pytest.importorskip("torch")
    from adamcore.backends.torch import AdamW, compiled

    def vmap(p: Any, g: Any, state: AdamState, donate: bool) -> Any:
        def each(p: Any, g: Any, m: Any, v: Any) -> Any:
            new, state = ADAM.step(p, g, AdamState(1, m, v, None))
            return new, state.v

        new, v = torch.func.vmap(each)(p, g, state.m, state.v)
        return new, AdamState(2, None, v, None)

    def recorded(v: Arrays) -> tuple[Any, Any]:
        p = torch.zeros(v.shape, dtype=getattr(torch, dtype))
        settings: Any = {"bias_correction": "none", "betas": (0.5, 0.999), "eps": 0.0, "weight_decay": 0.0}
        optimizer = AdamW([p], lr=1.0, differentiable=True, **settings)
        p.grad = torch.zeros_like(p)
        optimizer.step()
        state = optimizer.state[p]
        state["exp_avg"], state["exp_avg_sq"] = torch.full_like(p, 2).detach(), torch.from_numpy(v)
        p.zero_()
        optimizer.step()
        return p, optimizer.state[p]["exp_avg_sq"].detach()

    if how == "recorded":
        hold(recorded, dtype)
    elif how == "vmap":
        hold(lambda v: torch_step(v, step=vmap), dtype)
    elif how == "compiled":
        torch._dynamo.reset()
        step = torch.compile(ADAM.step, backend="aot_eager", fullgraph=True)
        hold(lambda v: torch_step(v, step=step), dtype)
    else:
        with pytest.MonkeyPatch.context() as patch:
            compile_ = torch.compile
            patch.setattr(torch, "compile", lambda f, **options: compile_(f, backend="eager", **options))
            with compiled():
                hold(torch_step, dtype)
                hold(lambda v: torch_step(v, donate=True), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.filterwarnings("ignore")  # of what torch.distributed loads
def test_torch_distributed(dtype: str) -> None:
    pytest.importorskip("torch")
    import torch.distributed as dist
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Replicate, distribute_tensor

    store: Any = dist.HashStore()  # type: ignore[attr-defined]
    dist.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        mesh = init_device_mesh("cpu", (1,))

        def step(v: Arrays) -> tuple[Any, Any]:
            p, v = torch_step(v, lambda x: distribute_tensor(x, mesh, [Replicate()]))
            return p.to_local(), v.to_local()  # type: ignore[attr-defined]

        hold(step, dtype)
    finally:
        dist.destroy_process_group()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("how", ["eager", "donated", "native"])
def test_jax(how: str, dtype: str) -> None:
    """In a program of the caller's XLA has its own ways: it makes ``a / sqrt(b)`` a product."""
    jax = pytest.importorskip("jax")
    from adamcore.backends.jax import ffi, native

    if how != "eager" and not ffi.available():
        pytest.skip("no llvmlite, or an interface that is not known here")

    def inside(*arguments: Any) -> Any:
        with native():
            return ADAM.step(*arguments)

    def step(v: Arrays) -> tuple[Any, Any]:
        x, t = jax.numpy.asarray(v), jax.numpy.asarray(1, "int32")
        p, m = jax.numpy.zeros_like(x), jax.numpy.full_like(x, 2)
        arguments = p, jax.numpy.zeros_like(x), AdamState(t, m, x, None)
        if how in ("eager", "donated"):
            new, state = ADAM.step(*arguments, donate=how == "donated")
        else:
            new, state = jax.jit(inside)(*arguments)
        return new, state.v

    with jax.enable_x64(dtype == "float64"):
        hold(step, dtype)
