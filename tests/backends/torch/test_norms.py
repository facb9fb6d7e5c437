"""Norms of gradients in PyTorch: large and small ones, masked, complex, compiled."""

from __future__ import annotations

import pytest
import torch

from adamcore.backends.torch.norms import norm


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
@pytest.mark.parametrize("size", [1.0, 2.0**-100, 2.0**100])
def test_norm(dtype: str, size: float) -> None:
    g = torch.tensor([[3.0 * size], [4.0 * size]], dtype=getattr(torch, dtype))
    assert norm(g, None, torch.float64).item() == pytest.approx(5 * size, rel=1e-15)
    assert norm(g.T, torch.tensor([False, True]), torch.float64).item() == 4 * size


def test_ends_of_float64() -> None:
    for size in (2.0**1000, 2.0**-1000):
        g = torch.tensor([3.0 * size, 4.0 * size], dtype=torch.float64)
        assert norm(g, None, torch.float64).item() == 5 * size


def test_long_vectors() -> None:
    """A sum of 3,000,001 equal squares in float32 alone would be off by 1e-3."""
    g = torch.full((3_000_001,), 0.1)
    assert norm(g, None, torch.float64).item() == pytest.approx(0.1 * 3_000_001**0.5, rel=1e-6)
    assert norm(g[:4096], None, torch.float64).item() == pytest.approx(6.4, rel=1e-6)
    g[-1] = 1e25
    assert norm(g, None, torch.float64).item() == pytest.approx(1e25, rel=1e-7)
    assert norm(torch.full((5000,), 1e-30), None, torch.float64).item() == pytest.approx(
        1e-30 * 5000**0.5, rel=1e-7
    )


def test_what_does_not_count() -> None:
    g = torch.tensor([3.0, float("nan"), float("inf"), -4.0])
    assert norm(g, None, torch.float64).item() == 5.0
    assert norm(torch.full((2,), float("nan")), None, torch.float64).item() == 0.0
    assert norm(torch.zeros(0, 3), None, torch.float64).item() == 0.0
    z = torch.tensor([3 + 4j, complex("nan")])
    assert norm(z, None, torch.float64).item() == 5.0
    assert norm(z, torch.tensor([False, True]), torch.float64).item() == 0.0


def test_under_a_transformation() -> None:
    g = torch.tensor([[3.0, 4.0], [0.0, 1e-3]])
    found = torch.func.vmap(lambda x: norm(x, None, torch.float64))(g)
    assert found.tolist() == pytest.approx([5.0, 1e-3])
