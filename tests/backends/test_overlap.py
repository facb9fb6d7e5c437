"""Views of the same memory: what would be written twice in place is refused, what is apart is stepped."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adamcore import Adam
from adamcore.errors import TreeError


def arange(library: str, count: int) -> Any:
    xp = pytest.importorskip(library)
    return xp.arange(1.0, count + 1.0)


def step(params: list[Any], grads: list[Any], state: Any = None) -> list[Any]:
    adam = Adam(lr=0.5, eps=0.0)
    new, _ = adam.step(params, grads, state or adam.init(params), donate=True)
    return [np.asarray(p).tolist() for p in new]


def like(p: Any) -> Any:
    """A gradient of ones in memory of its own."""
    return p * 0 + 1


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_parameters_that_overlap_are_refused_and_nothing_changes(library: str) -> None:
    a = arange(library, 8)
    params = [a[:5], a[4:]]
    with pytest.raises(TreeError, match=r"params\[0\] and params\[1\], .* share memory"):
        step(params, list(map(like, params)))
    assert np.asarray(a).tolist() == list(range(1, 9))


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_a_gradient_in_the_memory_of_another_parameter_is_refused(library: str) -> None:
    a, b = arange(library, 4), arange(library, 4)
    with pytest.raises(TreeError, match="share memory"):
        step([a, b], [like(a), a])


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_a_moment_in_the_memory_of_another_parameter_is_refused(library: str) -> None:
    a, b = arange(library, 4), arange(library, 4)
    state = Adam(eps=0.0).init([a, b])
    with pytest.raises(TreeError, match="share memory"):
        step([a, b], [like(a), like(b)], state._replace(v=[state.v[0], a]))


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize(
    "cut", [(slice(0, 4), slice(4, 8)), (slice(0, 8, 2), slice(1, 8, 2))], ids=["halves", "turns"]
)
def test_views_without_a_common_element_are_stepped(library: str, cut: tuple[slice, slice]) -> None:
    a = arange(library, 8)
    params = [a[part] for part in cut]
    assert step(params, list(map(like, params))) == [[x - 0.5 for x in range(1, 9)][part] for part in cut]


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_one_gradient_may_serve_many_parameters(library: str) -> None:
    a, b = arange(library, 4), arange(library, 4)
    g = like(a)
    assert step([a, b], [g, g]) == [[0.5, 1.5, 2.5, 3.5]] * 2


def test_without_donation_views_may_overlap() -> None:
    a = np.arange(1.0, 9.0)
    params = [a[:5], a[4:]]
    adam = Adam(lr=0.5, eps=0.0)
    new, _ = adam.step(params, [np.ones(5), np.ones(4)], adam.init(params))
    assert [p.tolist() for p in new] == [[0.5, 1.5, 2.5, 3.5, 4.5], [4.5, 5.5, 6.5, 7.5]]
