"""The roots that PyTorch's steps take are rounded correctly, whatever follows the operation."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from exact_roots import exact_roots, hard_values  # noqa: E402

from adamcore.backends.torch import root  # noqa: E402

DTYPES = ["float32", "float64"]
FORWARD = pytest.mark.filterwarnings("ignore:`torch.jit.script` is")  # PyTorch's own, in forward mode


@cache
def hard(dtype: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    values = hard_values(dtype)
    return values, exact_roots(values)


Subclass: Any = type("Subclass", (torch.Tensor,), {})


def compiled(backend: str) -> Callable[[Any], Any]:
    def run(x: Any) -> Any:
        torch._dynamo.reset()
        return torch.compile(root.sqrt, backend=backend, fullgraph=True)(x)

    return run


def in_place(x: Any) -> Any:
    x = x.clone()
    assert root.sqrt_(x) is x
    return x


def listed(x: Any) -> Any:
    return torch.cat(root.foreach_sqrt([x[:100], x[100:]]))


def listed_in_place(x: Any) -> Any:
    x = x.clone()
    root.foreach_sqrt_([x[:100], x[100:]])
    return x


def strided(x: Any) -> Any:
    return root.sqrt(torch.stack([x, x])[:, 1:].t())[:, 0]


def dual(x: Any) -> Any:
    with torch.autograd.forward_ad.dual_level():
        y = root.sqrt(torch.autograd.forward_ad.make_dual(x, torch.ones_like(x)))
        value, slope = torch.autograd.forward_ad.unpack_dual(y)
        torch.testing.assert_close(slope, 0.5 / value)
        return value


WAYS: dict[str, Callable[[Any], Any]] = {
    "plain": root.sqrt,
    "in tensors": lambda x: root.widened(x) if x.dtype == torch.float32 else root.corrected(x),
    "strided": strided,
    "elements": lambda x: torch.stack([root.sqrt(e) for e in x[:500]]),
    "in place": in_place,
    "list": listed,
    "list in place": listed_in_place,
    "recorded": lambda x: root.sqrt(x.clone().requires_grad_()).detach(),
    "subclass": lambda x: root.sqrt(x.as_subclass(Subclass)),
    "dual": dual,
    "vmap": torch.func.vmap(root.sqrt),
    "compiled": compiled("eager"),
    "compiled and traced": compiled("aot_eager"),
}


@FORWARD
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("way", WAYS)
def test_roots_are_exact(way: str, dtype: str) -> None:
    values, want = hard(dtype)
    got = WAYS[way](torch.from_numpy(values)).numpy()
    np.testing.assert_array_equal(got, want[1:] if way == "strided" else want[: len(got)])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of what PyTorch's compiler loads
@pytest.mark.skipif(shutil.which("g++") is None, reason="no compiler")
@pytest.mark.parametrize("dtype", DTYPES)
def test_machine_code_of_inductor(dtype: str) -> None:
    values, want = hard(dtype)
    np.testing.assert_array_equal(compiled("inductor")(torch.from_numpy(values)).numpy(), want)


@pytest.mark.parametrize("wrong", [-math.inf, math.inf], ids=["below", "above"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_root_that_is_one_ulp_off(dtype: str, wrong: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worst that a processor's library may do: in float64 every root is a neighbour."""

    def sqrt(x: Any) -> Any:
        assert x.dtype == torch.float64
        return torch.nextafter(torch.from_numpy(np.sqrt(x.numpy())), torch.tensor(wrong, dtype=x.dtype))

    monkeypatch.setattr(torch, "sqrt", sqrt)
    values, want = hard(dtype)
    np.testing.assert_array_equal(WAYS["in tensors"](torch.from_numpy(values)).numpy(), want)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("way", ["plain", "in tensors", "in place", "compiled"])
def test_what_has_no_root(way: str, dtype: str) -> None:
    got = WAYS[way](
        torch.tensor([0.0, -0.0, math.inf, -math.inf, -1.0, math.nan], dtype=getattr(torch, dtype))
    )
    np.testing.assert_array_equal(got, [0.0, 0.0, math.inf, math.nan, math.nan, math.nan])
    assert got.signbit().tolist()[:2] == [False, True]


@FORWARD
@pytest.mark.parametrize("dtype", DTYPES)
def test_slopes(dtype: str) -> None:
    x = torch.tensor([0.25, 2.0, 3.0, 1e-30, 1e30], dtype=getattr(torch, dtype))
    want = 0.5 / root.sqrt(x)
    recorded = x.clone().requires_grad_()
    [slope] = torch.autograd.grad(root.sqrt(recorded).sum(), recorded)
    torch.testing.assert_close(slope, want)
    torch.testing.assert_close(torch.func.grad(lambda y: root.sqrt(y).sum())(x), want)
    torch.testing.assert_close(torch.func.jvp(root.sqrt, (x,), (torch.ones_like(x),))[1], want)


@pytest.mark.parametrize("dtype", DTYPES)
def test_layout_and_dtype_stay(dtype: str) -> None:
    x = torch.ones(2, 3, 4, dtype=getattr(torch, dtype)).permute(2, 0, 1)
    for way in ("plain", "in tensors"):
        y = WAYS[way](x)
        assert (y.dtype, y.shape, y.stride()) == (x.dtype, x.shape, x.stride())
    assert root.sqrt(torch.tensor([2.25], dtype=torch.bfloat16)).tolist() == [1.5]


def test_a_tracer_sees_the_operation() -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        x = torch.ones(3, dtype=torch.float64)
        assert type(root.sqrt(x)) is type(x)
    graph = torch.fx.experimental.proxy_tensor.make_fx(root.sqrt)(torch.ones(3))
    np.testing.assert_array_equal(graph(torch.tensor([4.0, 9.0, 16.0])), [2.0, 3.0, 4.0])


def test_other_devices_keep_their_root() -> None:
    assert root.sqrt(torch.ones(2, device="meta")).device.type == "meta"


def test_without_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    values, want = hard("float64")
    x = torch.from_numpy(values)
    monkeypatch.setattr(root, "np", None)
    np.testing.assert_array_equal(root.sqrt(x).numpy(), want)


@pytest.mark.parametrize("off", [-1.0, 0.0, 1.0])
def test_the_root_of_a_correction_is_exact(off: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever neighbour PyTorch gives: powers of two, all exponents down to 2**-53, random ones."""
    generator = torch.Generator().manual_seed(0)
    uniform = torch.rand(100_000, generator=generator, dtype=torch.float64)
    x = torch.cat([1.0 - uniform, 2.0 ** (-53.0 * uniform), 2.0 ** -torch.arange(54.0, dtype=torch.float64)])
    want = torch.from_numpy(np.sqrt(x.numpy()))

    def neighbour(_: Any) -> Any:
        return torch.nextafter(want, want + off) if off else want

    assert torch.equal(root.sqrt_of_correction(x), want)
    monkeypatch.setattr(torch, "sqrt", neighbour)
    assert torch.equal(root.nearest(x), want)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # PyTorch's own, when its compiler is loaded
@pytest.mark.parametrize("settings", [{}, {"amsgrad": True, "weight_decay": 0.01}], ids=["plain", "all"])
def test_a_compiled_step_has_as_many_kernels_as_that_of_pytorch(settings: dict[str, Any]) -> None:
    from torch._inductor import metrics

    from adamcore.backends.torch import Adam

    counts = []
    for cls in (torch.optim.Adam, Adam):
        torch._dynamo.reset()
        p = torch.nn.Parameter(torch.ones(10, 10))
        optimizer = cls([p], lr=torch.tensor(0.1), **settings)
        p.grad = torch.ones_like(p)
        metrics.reset()
        torch.compile(optimizer.step)()
        counts.append(metrics.generated_kernel_count)
    assert counts[1] <= counts[0]
