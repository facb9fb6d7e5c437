"""The kernels for CUDA give the bits of the definition: their very text, compiled by g++ and run on the CPU.

What is not tried here is the device: its square root and quotient are those of IEEE 754 by its maker's
word and by tests marked ``gpu``, its expm1 and pow within 2 ULP of float64.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fast import adams, bits, definition_alone, gradients, trajectory

torch = pytest.importorskip("torch")

from cuda_shim import Shim, needs_compiler, pretending  # noqa: E402

from adamcore import Adam  # noqa: E402
from adamcore.backends import torch_clock, torch_cuda, torch_fast  # noqa: E402
from adamcore.backends.cuda_table import SMALL  # noqa: E402
from adamcore.backends.numpy import backend as numpy_backend  # noqa: E402
from adamcore.backends.torch import backend  # noqa: E402
from adamcore.coefficients import MAX_CLOCK, Host  # noqa: E402
from adamcore.definition import coefficients, update  # noqa: E402
from adamcore.dialects import DIALECTS, like  # noqa: E402

pytestmark = needs_compiler


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cuda")


@pytest.fixture
def shim(folder: Path) -> Iterator[Shim]:
    with pretending(Shim(folder)) as made:
        yield made


def tensor(x: np.ndarray) -> Any:
    return torch.tensor(x)


def check(adam: Adam, shim: Shim, dtype: str, donate: bool, wanted: list[str]) -> None:
    """Four steps, and what was launched for the last of them."""
    with definition_alone(numpy_backend):
        want = trajectory(adam, np.array, np.asarray, dtype, False, steps=4)
    shim.launched.clear()
    assert trajectory(adam, tensor, np.asarray, dtype, donate, steps=4) == want, adam
    assert [name for name, _ in shim.launched[-len(wanted) :]] == wanted


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("donate", [False, True])
def test_bits_of_the_definition(dtype: str, donate: bool, shim: Shim) -> None:
    """With clocks on the device."""
    for adam in adams(6, seed=7):
        again = donate and adam.nesterov != "dozat"
        check(adam, shim, dtype, donate, ["update", "tick", "update"] if again else ["tick", "update"])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("donate", [False, True])
def test_bits_with_clocks_on_the_host(dtype: str, donate: bool, folder: Path) -> None:
    with pretending(Shim(folder), sees=True) as shim:
        for adam in adams(6, seed=7):
            check(adam, shim, dtype, donate, ["update", "fill", "update"])


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bits_of_every_dialect(dtype: str, shim: Shim) -> None:
    known = [like(name, lr=0.1, weight_decay=0.1) for name in DIALECTS] + adams(60, seed=3)
    for adam in dict.fromkeys(replace(adam, all_missing="tick", moment_dtype=None) for adam in known):
        check(adam, shim, dtype, True, ["tick", "update"])


def reference(
    adam: Adam, params: list[Any], steps: int = 4, lr: Any = None, absent: Any = lambda k, i: False,
    t: list[int] | None = None,
) -> list[list[bytes]]:  # fmt: skip
    """As :func:`stepped`, by the definition in NumPy: widened, updated, rounded once as PyTorch rounds."""
    kind = params[0].dtype
    moment = kind if adam.moment_dtype is None else getattr(torch, adam.moment_dtype)
    work = np.float64 if torch.float64 in (kind, moment) else np.float32
    stored = [kind, moment, moment, *([moment] if adam.amsgrad != "none" else [])]

    def rounded(x: Any, dtype: Any) -> Any:
        return torch.from_numpy(np.asarray(x)).to(dtype).to(getattr(torch, np.dtype(work).name)).numpy()

    def wide(x: Any) -> Any:
        return x.detach().to(getattr(torch, np.dtype(work).name)).numpy().copy()

    ps = [wide(p) for p in params]
    state = [[p, np.zeros_like(p), np.zeros_like(p), np.zeros_like(p)][: len(stored)] for p in ps]
    clocks, seen = list(t or [0] * len(ps)), []
    for k in range(steps):
        drawn = gradients(k, "float32", [tuple(p.shape) for p in params])
        for i, own in enumerate(state):
            if absent(k, i) and adam.clock == "per-parameter":
                continue
            clocks[i] = min(clocks[i] + 1, MAX_CLOCK)
            if absent(k, i):
                continue
            c = coefficients(Host(), adam, clocks[i], adam.lr if lr is None else lr(k))
            g = wide(torch.tensor(drawn[i]).to(kind))
            p, m, v, *most = own
            with np.errstate(all="ignore"):
                [(p, m)], v, v_max = update(np, adam, c, [(p, g, m)], v, most[0] if most else None)
            state[i] = [rounded(x, d) for x, d in zip((p, m, v, v_max), stored, strict=False)]
        seen.append([bits(np.float64(own[k])) for k in range(len(stored)) for own in state])
        count = clocks if adam.clock == "per-parameter" else clocks[:1]
        seen[-1].append(repr(count).encode())
    return seen


def stepped(
    adam: Adam, params: list[Any], steps: int = 4, lr: Any = None, absent: Any = lambda k, i: False,
    t: list[int] | None = None,
) -> list[list[bytes]]:  # fmt: skip
    """The bits after each step, in place, with gradients of all sizes."""
    state, seen = adam.init(params), []
    if t is not None:
        state = state._replace(t=[torch.tensor(x, dtype=torch.int32) for x in t])
    for k in range(steps):
        shapes = [tuple(p.shape) for p in params]
        drawn = [torch.tensor(g).to(params[0].dtype) for g in gradients(k, "float32", shapes)]
        grads = [None if absent(k, i) else g for i, g in enumerate(drawn)]
        params, state = adam.step(params, grads, state, lr=lr and lr(k), donate=True)
        trees = [params, state.m, state.v, state.v_max or []]
        seen.append([bits(x.detach().double().numpy()) for tree in trees for x in tree])
        seen[-1].append(repr([int(x) for x in ([state.t] if adam.clock == "global" else state.t)]).encode())
    return seen


def check_reference(adam: Adam, make: Any, launched: list[tuple[str, int]], **options: Any) -> None:
    """The steps of the kernels against those of the definition, on tensors made twice."""
    launched.clear()
    got = stepped(adam, make(), **options)
    assert {name for name, _ in launched} <= {"tick", "fill", "update"}
    assert len(launched) >= 8
    want = reference(adam, make(), **options)
    for one, two in zip(got, want, strict=True):
        assert one == two


@pytest.mark.parametrize("words", [SMALL, 100])
def test_more_tensors_than_a_launch_takes(words: int, folder: Path) -> None:
    """Odd sizes, empty ones among them."""
    with pretending(Shim(folder, words=words)) as shim, pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch_clock, "SMALL", words)
        adam = Adam(lr=0.1, weight_decay=0.1, decay="decoupled", amsgrad="corrected")
        check_reference(
            adam, lambda: [torch.full((k % 23,), 0.5) for k in range(150)], shim.launched,
            t=[k % 7 for k in range(150)],
        )  # fmt: skip
        names = [name for name, _ in shim.launched[-14:]]
        assert names[-3:] == ["update"] * 3
        assert words == SMALL or names == ["tick"] * 2 + ["update"] * 12


def test_tensors_at_any_address(shim: Shim) -> None:
    """Slices of one vector, none of them aligned; what lies between them is not written to."""
    sizes, adam = (3, 4, 5, 16, 4095, 4096, 4097, 9001), Adam(lr=0.1)
    memories: list[Any] = []

    def make() -> list[Any]:
        memory = torch.full((sum(sizes) + 3 * len(sizes) + 8,), 7.0)
        memories.append(memory)
        found, at = [], 1
        for k, size in enumerate(sizes):
            found.append(memory[at : at + size].fill_(0.5))
            at += size + 1 + k % 3
        return found

    check_reference(adam, make, shim.launched)
    between, at = torch.ones_like(memories[0], dtype=torch.bool), 1
    for k, size in enumerate(sizes):
        between[at : at + size] = False
        at += size + 1 + k % 3
    assert bool((memories[0][between] == 7.0).all())


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
        patch.setattr(torch_cuda, "pretended", None)
        assert got == run()  # as on the CPU


def test_clocks_of_each_parameter(shim: Shim) -> None:
    """Absent gradients, and counts up to where the clock stands still."""
    t = [0, 1, 999, 2**24, MAX_CLOCK - 2, MAX_CLOCK - 1, MAX_CLOCK]
    check_reference(
        Adam(lr=0.1, nesterov="optax"), lambda: [torch.ones(3) for _ in t], shim.launched,
        steps=5, t=t, absent=lambda k, i: i == 2,
    )  # fmt: skip
    check_reference(
        Adam(lr=0.1, clock="global"), lambda: [torch.ones(3) for _ in t], shim.launched,
        steps=5, absent=lambda k, i: i == 2,
    )  # fmt: skip
    check_reference(  # where t and t+1 still differ, if there is a t+1
        Adam(lr=0.1, nesterov="optax", b1=1 - 1e-10), lambda: [torch.zeros(3, dtype=torch.float64)],
        shim.launched, t=[MAX_CLOCK - 2],
    )  # fmt: skip


def test_a_maximum_that_is_no_number_stays_one(shim: Shim) -> None:
    adam, p = Adam(lr=0.1, amsgrad="uncorrected"), torch.ones(5)
    state = adam.init([p])._replace(v_max=[torch.tensor([0.0, torch.nan, 9.0, torch.inf, 0.0])])
    g = torch.tensor([1.0, 1.0, 1.0, 1.0, torch.nan])
    [new], state = adam.step([p], [g], state)
    assert state.v_max[0].isnan().tolist() == new.isnan().tolist() == [False, True, False, False, True]
    assert state.v_max[0][2:4].tolist() == [9.0, torch.inf]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_lr_on_the_device(dtype: Any, shim: Shim) -> None:
    """Read where it stands; as the number that it is."""
    lrs = [0.1, 0.05, 0.3, 0.0]
    for adam in (Adam(), Adam(decay="decoupled-corrected", weight_decay=0.1)):
        shim.launched.clear()
        make = lambda: [torch.ones(5), torch.ones(9)]  # noqa: E731
        got = stepped(adam, make(), lr=lambda k: torch.tensor(lrs[k], dtype=dtype))
        assert shim.launched[-6:] == [("tick", 1), ("update", 2)] * 3
        assert got == reference(adam, make(), lr=lambda k: float(torch.tensor(lrs[k], dtype=dtype)))


def test_what_the_device_does_not_read_goes_the_long_way(shim: Shim) -> None:
    """A function of the clock, or a learning rate in 16 bits: coefficients by PyTorch's own operations."""

    def schedule(t: Any) -> Any:
        return 0.25 / t

    narrow = torch.tensor(0.25, dtype=torch.bfloat16)
    for lr, number in ((lambda k: schedule, lambda k: 0.25 / (k + 1)), (lambda k: narrow, lambda k: 0.25)):
        shim.launched.clear()
        got = stepped(Adam(), [torch.ones(5)], lr=lr)
        assert [name for name, _ in shim.launched] == ["update"] * 4
        assert got == reference(Adam(), [torch.ones(5)], lr=number)
    with pytest.raises(ValueError, match="lr"):
        stepped(Adam(), [torch.ones(5)], lr=lambda k: -1.0 if k == 2 else 1.0)


def test_coefficients_that_the_host_knows(folder: Path) -> None:
    """Clocks on the host: the rows go with a launch, as many as there are different ones."""
    with pretending(Shim(folder), sees=True) as shim:
        for dtype in (torch.float32, torch.float64):
            shim.launched.clear()
            make = lambda dtype=dtype: [torch.ones(5, dtype=dtype) for _ in range(120)]  # noqa: E731
            t = [k % 113 for k in range(120)]
            got = stepped(Adam(lr=0.1), make(), t=t)
            fills = 1 if dtype is torch.float32 else 2  # for 113 rows of 5
            assert [name for name, _ in shim.launched] == [*["fill"] * fills, "update"] * 4
            assert got == reference(Adam(lr=0.1), make(), t=t)
        shim.launched.clear()
        stepped(Adam(lr=0.1), [torch.ones(5), torch.ones(7)])
        assert shim.launched == [("fill", 1), ("update", 2)] * 4


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: torch.ones(4, 6).t(), "not contiguous"),
        (lambda: torch.ones(5, dtype=torch.complex64), "complex"),
        (lambda: torch._neg_view(torch.ones(5)), "negation"),
    ],
)
def test_what_is_not_served_says_why_and_falls_back(make: Any, why: str, shim: Shim) -> None:
    p = make()
    adam = Adam(lr=0.1)
    with pytest.MonkeyPatch.context() as patch:
        seen: list[Any] = []
        inner = torch_fast.obstacle
        patch.setattr(torch_fast, "obstacle", lambda job: (seen.append(inner(job)), seen[-1])[1])
        adam.step([p], [torch.ones_like(p)], adam.init([p]))
    assert why in seen[0]
    [got], _ = adam.step([p], [torch.ones_like(p)], adam.init([p]))
    assert "update" not in dict(shim.launched)
    with definition_alone(backend):
        [want], _ = adam.step([p], [torch.ones_like(p)], adam.init([p]))
    torch.testing.assert_close(got, want)


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
        patch.setattr(torch_cuda, "pretended", None)
        assert got == run()  # as on the CPU


def test_there_is_no_runtime_on_the_cpu() -> None:
    assert torch_cuda.runtime(torch.device("cpu")) is None
    assert torch_cuda.missing(torch.device("cpu")) == "a tensor on cpu"
    assert torch_fast.MEMORY.obstacle(torch.ones(3)) is None
