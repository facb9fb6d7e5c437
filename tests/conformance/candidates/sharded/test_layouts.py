"""How arrays lie on ranks: every element is somewhere, and what is put together is what was cut."""

from __future__ import annotations

import numpy as np
import pytest

from adamcore.conformance.candidates.sharded.layouts import (
    CUTS,
    RankError,
    assemble,
    cuts_of,
    mesh_shape,
    place_of,
)
from adamcore.conformance.settings import LAYOUTS

SHAPES = [(), (1,), (4,), (5,), (3, 5), (0, 3), (4, 3, 2)]


def test_every_layout_has_its_cuts() -> None:
    assert set(CUTS) == set(LAYOUTS)
    assert [CUTS["fsdp"](shape) for shape in [(), (3,), (3, 5)]] == [(None,), (0,), (0,)]
    assert [CUTS["tp"](shape) for shape in [(), (3,), (4,), (3, 5)]] == [(None,), (0,), (None,), (1,)]
    assert cuts_of("fsdp", (3, 5), resumed=True) != cuts_of("fsdp", (3, 5))
    assert cuts_of("2d", (3, 5), resumed=True) != cuts_of("2d", (3, 5))
    assert cuts_of("ddp", (3, 5), resumed=True) == cuts_of("ddp", (3, 5))


@pytest.mark.parametrize("resumed", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_put_together_is_what_was_cut(layout: str, resumed: bool) -> None:
    for ranks in (1, 2, 3, 4, 8):
        mesh = mesh_shape(layout, ranks)
        assert np.prod(mesh) == ranks
        for shape in SHAPES:
            whole = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
            cuts = cuts_of(layout, shape, resumed=resumed)
            assert len(cuts) == len(mesh)
            parts = [whole[place_of(shape, cuts, mesh, rank)] for rank in range(ranks)]
            assert np.array_equal(assemble(parts, shape, cuts, mesh), whole)


def test_parts_lie_as_those_of_pytorch() -> None:
    torch = pytest.importorskip("torch")
    whole = torch.arange(7)
    for count in (2, 3, 4, 8):
        parts = [*torch.chunk(whole, count), *[whole[:0]] * count][:count]
        for rank, part in enumerate(parts):
            assert whole[place_of((7,), (0,), (count,), rank)].tolist() == part.tolist()


def test_what_ranks_disagree_on_is_said() -> None:
    one, other = np.zeros(2, np.float32), np.array([0.0, -0.0], np.float32)
    with pytest.raises(RankError, match="other bits on rank 1 than on rank 0"):
        assemble([one, other], (2,), (None,), (2,))
    with pytest.raises(RankError, match=r"part on rank 1 has shape \(2,\), expected \(1,\)"):
        assemble([one[:1], one], (2,), (0,), (2,))
