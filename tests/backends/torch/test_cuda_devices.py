"""Cached steps of tensors on several devices: every other tensor is taken for one of another device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from cuda_shim import Shim, needs_compiler, pretending  # noqa: E402

from adamcore import Adam  # noqa: E402
from adamcore.backends.torch import cuda, cuda_devices  # noqa: E402
from adamcore.jobs import Columns  # noqa: E402


def by_turns(jobs: Sequence[Any]) -> dict[Any, list[int]]:
    return {place: list(range(place, len(jobs), 2)) for place in range(min(2, len(jobs)))}


@needs_compiler
@pytest.mark.parametrize("sees", [False, True], ids=["clocks on the devices", "clocks on the host"])
@pytest.mark.parametrize("optimizer", [False, True])
def test_two_launches_for_each_device(
    sees: bool, optimizer: bool, folder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = "fill" if sees else "tick"

    def trajectory(shim: Shim) -> list[Any]:
        params: Any = [torch.full((1 + k % 3,), 0.5, requires_grad=optimizer) for k in range(9)]
        adam, seen = Adam(lr=0.1, amsgrad="corrected"), []
        if optimizer:
            from adamcore.backends.torch import Adam as Optimizer

            made = Optimizer(params, lr=0.1, amsgrad=True, capturable=True)
        else:
            state = adam.init(params)
        for t in range(4):
            shim.launched.clear()
            grads = [torch.full_like(p, 0.5 - t + i) for i, p in enumerate(params)]
            if optimizer:
                for p, g in zip(params, grads, strict=True):
                    p.grad = g
                made.step()
            else:
                params, state = adam.step(params, grads, state, donate=True)
            seen.append([p.detach().tolist() for p in params])
        return [[name for name, _ in shim.launched], seen]

    with pretending(Shim(folder), sees=sees) as shim:
        alone, expected = trajectory(shim)
        assert alone == [rows, "update"]
        monkeypatch.setattr(cuda, "by_device", by_turns)
        launched, got = trajectory(shim)
    assert launched == [rows, "update"] * 2
    assert got == expected


class Part:
    """A column step that keeps what it is bound to, and writes down the rows with which it is run."""

    def __init__(self, fits: bool = True) -> None:
        self.fits, self.bound, self.ran = fits, None, []  # type: ignore[var-annotated]

    def bind(self, columns: Columns, coefficients: Any, clocks: Any = ()) -> Any:
        self.bound = (columns, list(clocks))  # type: ignore[assignment]
        return (lambda: self.ran.append(list(coefficients))) if self.fits else None


def test_rows_that_are_put_in_after_the_step_was_bound() -> None:
    one, two = Part(), Part()
    rows: Any = [10, 11, 12]
    columns: Any = Columns(*("abc", "def", "ghi", "jkl"))
    run = cuda_devices.DeviceSteps([([0, 2], one), ([1], two)]).bind(columns, rows, [5, 6, 7])
    assert run is not None
    assert one.bound == (Columns(["a", "c"], ["d", "f"], ["g", "i"], ["j", "l"]), [5, 7])
    rows[:] = [20, 21, 22]
    run()
    assert (one.ran, two.ran) == ([[20, 22]], [[21]])


def test_nothing_is_run_if_one_device_does_not_fit() -> None:
    one = Part()
    columns: Any = Columns(*("ab", "cd", "ef", "gh"))
    rows: Any = [1]
    assert cuda_devices.DeviceSteps([([0], one), ([1], Part(fits=False))]).bind(columns, rows) is None
    assert one.ran == []
