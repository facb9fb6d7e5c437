"""Clocks on a device: which learning rates and clocks the kernel takes."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from adamcore.backends.torch import cuda_clock  # noqa: E402

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("lr", "want"),
    [
        (0.1, 0.1),
        (1, 1.0),
        (0.0, 0.0),
        (torch.tensor(0.5), 0.5),
        (torch.tensor([0.25], dtype=torch.float64), 0.25),
        (-0.1, None),
        (float("nan"), None),
        (float("inf"), None),
        (True, None),
        (lambda t: 0.1, None),
        (torch.tensor([0.1, 0.2]), None),
    ],
)
def test_learning_rates(lr: Any, want: float | None) -> None:
    assert cuda_clock.rate(lr, CPU) == want


def test_clocks() -> None:
    def fits(*clocks: Any, products: Any = ()) -> bool:
        return cuda_clock.fit(clocks, products, CPU, bool(products))

    t, other = torch.tensor(1, dtype=torch.int32), torch.tensor(2, dtype=torch.int32)
    assert fits(t, other)
    assert not fits(t, t)
    assert not fits(t, torch.tensor(2))
    assert not fits(t, torch.tensor([1, 2], dtype=torch.int32))
    assert not fits(t, 3)
    assert fits(t, products=[torch.tensor(0.9, dtype=torch.float64)])
    assert not fits(t, products=[torch.tensor(0.9)])
    assert not cuda_clock.fit([t], [], CPU, momentum=True)


def test_nothing_is_ticked_without_a_kernel() -> None:
    from adamcore import Adam

    t = torch.tensor(1, dtype=torch.int32)
    assert cuda_clock.tick_copies(Adam(), [t], [None], 0.1, CPU) is None
    assert t.item() == 1
