"""The kernels for CUDA give the bits of the definition: their very text, compiled by g++ and run on the CPU.

What is not tried here is the device: its square root and quotient are those of IEEE 754 by its maker's
word and by tests marked ``gpu``, its expm1 and pow within 2 ULP of float64.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fast import adams, definition_alone, trajectory

torch = pytest.importorskip("torch")

from cuda_runs import check_reference, reference, stepped  # noqa: E402
from cuda_shim import Shim, needs_compiler, pretending  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

from adamcore import Adam  # noqa: E402
from adamcore.backends.kernels.cuda.table import SMALL  # noqa: E402
from adamcore.backends.numpy import backend as numpy_backend  # noqa: E402
from adamcore.coefficients import MAX_CLOCK  # noqa: E402
from adamcore.dialects import DIALECTS, like  # noqa: E402

pytestmark = needs_compiler


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


class Counted(TorchDispatchMode):
    """Counts PyTorch's operations but for views, of which a device is not told."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += not func.is_view and "detach" not in func.name()
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("adam", [Adam(lr=0.1), Adam(lr=0.1, nesterov="dozat", momentum_decay=0.1)])
def test_many_clocks_of_a_step_that_is_not_donated_tick_at_once(adam: Adam, shim: Shim) -> None:
    """The new tensors are 3 for each, and all that is done beside them takes few operations."""
    params: Any = [torch.full((1 + k % 3,), 0.5) for k in range(148)]
    state = adam.init(params)
    for _ in range(2):
        shim.launched.clear()
        with Counted() as counted:
            params, state = adam.step(params, params, state)
        assert [name for name, _ in shim.launched] == ["tick", "update"]
        assert counted.count <= 3 * 148 + 20
    assert [int(t) for t in state.t] == [2] * 148


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bits_of_every_dialect(dtype: str, shim: Shim) -> None:
    known = [like(name, lr=0.1, weight_decay=0.1) for name in DIALECTS] + adams(60, seed=3)
    for adam in dict.fromkeys(replace(adam, all_missing="tick", moment_dtype=None) for adam in known):
        check(adam, shim, dtype, True, ["tick", "update"])


@pytest.mark.parametrize("words", [SMALL, 100])
def test_more_tensors_than_a_launch_takes(words: int, folder: Path) -> None:
    """Odd sizes, empty ones among them."""
    with pretending(Shim(folder, words=words)) as shim:
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


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradients_that_are_packed_without_gaps(dtype: Any, shim: Shim) -> None:
    """As DDP hands them out: those behind a bias of odd size are not aligned, the other arrays are."""
    sizes, adam = (3, 6, 64, 4097, 9001), Adam(lr=0.1)

    def run(packed: bool) -> list[Any]:
        params: list[Any] = [torch.full((size,), 0.5, dtype=dtype) for size in sizes]
        state = adam.init(params)
        for k in range(3):
            bucket = torch.sin(torch.arange(sum(sizes)) * (k + 1.0)).to(dtype)
            grads = list(bucket.split(sizes))
            params, state = adam.step(
                params, grads if packed else [g.clone() for g in grads], state, donate=True
            )
        assert all(g.data_ptr() % 16 for g in grads[1:])
        return [*params, *state.m, *state.v]

    assert all(torch.equal(x, y) for x, y in zip(run(True), run(False), strict=True))


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


def test_what_the_device_does_not_read_goes_all_checks(shim: Shim) -> None:
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
