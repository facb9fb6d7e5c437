"""Cached steps: made on the same arrays alone, with the bits of the step with all checks."""

from __future__ import annotations

import copy
import gc
import pickle
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from adamcore import Adam, Clip, step_cache
from adamcore.errors import GradientError, HyperparameterError
from adamcore.lane import Lanes
from adamcore.step_cache import FEW, InPlaceStep, StepCache, cache_of, identities
from adamcore.trees import leaves_of, shape_of, tree_of

TREES: dict[str, Callable[[], Any]] = {
    "an array": lambda: np.ones(5, "f"),
    "a list": lambda: [np.ones(5, "f"), np.ones((2, 3), "f")],
    "a tuple": lambda: (np.ones(5, "f"), np.ones(1, "f")),
    "a list in a list": lambda: [[np.ones(5, "f")]],
    "a dict": lambda: {"a": np.ones(5, "f"), "b": np.ones(2, "f")},
    "an OrderedDict": lambda: OrderedDict(b=np.ones(5, "f"), a=np.ones(2, "f")),
    "nested": lambda: {"a": [np.ones(5, "f"), {"w": np.ones(2, "f")}], "b": np.ones(1, "f")},
}


def mapped(function: Callable[[Any], Any], tree: Any) -> Any:
    """Return a tree of plain containers with another value for each leaf."""
    shape = shape_of(tree)
    return tree_of(shape, iter([function(x) for x in leaves_of(shape, tree) or []]))


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[InPlaceStep]:
    """The cached steps that were made, in their order."""
    steps: list[InPlaceStep] = []
    run = InPlaceStep.run

    def counting(cached: InPlaceStep, *arguments: Any) -> Any:
        steps.append(cached)
        return run(cached, *arguments)

    monkeypatch.setattr(InPlaceStep, "run", counting)
    return steps


def trajectory(adam: Adam, tree: Any, absent: int | None = None, steps: int = 5) -> list[bytes]:
    """The bits after each step; from the third on one gradient is absent."""
    params = mapped(np.copy, tree)
    state, seen = adam.init(params), []
    for k in range(steps):
        grads = mapped(partial(gradient, k), params)
        if absent is not None and k >= 2:
            grads[absent] = None
        params, state = adam.step(params, grads, state, donate=True, lr=0.1 * (k + 1))
        trees = (params, state.m, state.v, state.v_max, state.t)
        seen.append(b"".join(x.tobytes() for tree in trees for x in flat(tree)))
    return seen


def gradient(k: int, p: Any) -> Any:
    return np.sin(p * (k + 1))


def flat(tree: Any) -> list[Any]:
    return [x for x in leaves_of(shape_of(tree), tree) or [] if x is not None]


def with_all_checks(adam: Adam, tree: Any, absent: int | None = None) -> list[bytes]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StepCache, "bind", lambda *_: None)
        return trajectory(adam, tree, absent)


@pytest.mark.parametrize("amsgrad", ["none", "corrected"])
@pytest.mark.parametrize("clock", ["per-parameter", "global"])
@pytest.mark.parametrize("tree", TREES)
def test_it_has_the_bits_of_the_step_with_all_checks(
    tree: str, clock: Any, amsgrad: Any, made: list[Any]
) -> None:
    adam = Adam(clock=clock, weight_decay=0.1, amsgrad=amsgrad)
    got = trajectory(adam, TREES[tree]())
    assert len(made) == 4
    assert got == with_all_checks(adam, TREES[tree]())


@pytest.mark.parametrize("clock", ["per-parameter", "global"])
def test_an_absent_gradient_makes_another_cached_step(clock: Any, made: list[Any]) -> None:
    adam = Adam(clock=clock)
    got = trajectory(adam, TREES["a list"](), absent=1)
    assert len(made) == 3  # the second step, then the fourth and fifth
    assert len(set(map(id, made))) == 2
    assert got == with_all_checks(adam, TREES["a list"](), absent=1)


def test_a_place_without_a_parameter(made: list[Any]) -> None:
    """None in the tree takes part in no step; a global clock has no such place."""
    for clock, count in (("per-parameter", 0), ("global", 2)):
        adam = Adam(clock=clock)  # type: ignore[arg-type]
        params: Any = {"a": np.ones(3, "f"), "b": None}
        state = adam.init(params)
        for _ in range(3):
            params, state = adam.step(params, {"a": np.ones(3, "f"), "b": None}, state, donate=True)
        assert params["b"] is None
        assert len(made) == count
        made.clear()


def warm(adam: Adam, params: Any) -> tuple[Any, Any]:
    state = adam.init(params)
    return adam.step(params, mapped(np.ones_like, params), state, donate=True)


def test_nothing_is_changed_until_the_function_is_called() -> None:
    adam = Adam(lr=0.1)
    params, state = warm(adam, [np.ones(3, "f")])
    before = params[0].tobytes(), state.m[0].tobytes(), int(state.t[0])
    [cached] = cache_of(adam)
    step = cached.bind(params, [np.ones(3, "f")], state, None)
    assert (params[0].tobytes(), state.m[0].tobytes(), int(state.t[0])) == before
    assert step is not None
    after = step()
    assert after is not None
    assert after[0] is params
    assert int(state.t[0]) == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda p, g, s: ([x.copy() for x in p], g, s),
        lambda p, g, s: (p, g, s._replace(m=[x.copy() for x in s.m])),
        lambda p, g, s: (p, g, s._replace(t=[x.copy() for x in s.t])),
        lambda p, g, s: (p, g, s._replace(v_max=s.v)),
        lambda p, g, s: ({"a": p[0]}, g, s),
        lambda p, g, s: (p, [*g, g[0]], s),
        lambda p, g, s: (p, [None], s),
        lambda p, g, s: (p, [g[0].astype("d")], s),
        lambda p, g, s: (p, [g[0][:2]], s),
        lambda p, g, s: (p, [np.ones(6, "f")[::2]], s),
        lambda p, g, s: (p, [np.frombuffer(b"12345" * 3, "f", 3, 1)], s),
        lambda p, g, s: (p, tuple(g) * 2, s),
        lambda p, g, s: ([p], g, s),
        lambda p, g, s: (p, [p[0]], s),
    ],
)
def test_it_is_for_the_same_arrays_alone(change: Callable[[Any, Any, Any], tuple[Any, Any, Any]]) -> None:
    adam = Adam(lr=0.1)
    params, state = warm(adam, [np.ones(3, "f")])
    grads = [np.ones(3, "f")]
    [cached] = cache_of(adam)
    assert cached.bind(*change(params, grads, state), None) is None
    assert cached.bind(params, grads, state, None) is not None


def test_a_gradient_whose_dtype_is_another_object_of_the_same_value() -> None:
    """As an array has that was pickled: most others share one object."""
    adam = Adam(lr=0.1)
    params, state = warm(adam, [np.ones(3, "f")])
    [cached] = cache_of(adam)
    other = pickle.loads(pickle.dumps(np.ones(3, "f")))
    assert cached.bind(params, [other], state, None) is not None


def test_a_wrong_learning_rate_is_refused() -> None:
    adam = Adam()
    params, state = warm(adam, [np.ones(3, "f")])
    with pytest.raises(HyperparameterError):
        adam.step(params, [np.ones(3, "f")], state, lr=-1.0, donate=True)
    assert int(state.t[0]) == 1


def test_a_schedule_is_asked_at_each_step(made: list[Any]) -> None:
    asked: list[int] = []

    def schedule(t: int) -> float:
        asked.append(t)
        return 0.1

    adam = Adam(lr=schedule)
    params, state = warm(adam, [np.ones(3, "f")])
    for _ in range(2):
        params, state = adam.step(params, [np.ones(3, "f")], state, donate=True)
    assert asked == [1, 2, 3]


def test_the_last_four_trees_are_kept_and_those_that_are_gone_are_not() -> None:
    adam = Adam()
    kept = [warm(adam, [np.ones(3, "f")]) for _ in range(6)]
    assert len(cache_of(adam)) == 4
    kept[3:5] = []
    gc.collect()
    assert [bool(cached.dead) for cached in cache_of(adam)] == [False, True, True, False]
    kept.append(warm(adam, [np.ones(3, "f")]))
    assert [bool(cached.dead) for cached in cache_of(adam)] == [False, False]


def test_a_copy_has_no_cached_steps() -> None:
    adam = Adam()
    warm(adam, [np.ones(3, "f")])
    assert len(cache_of(adam)) == 1
    for other in (copy.copy(adam), copy.deepcopy(adam), pickle.loads(pickle.dumps(adam))):
        assert other == adam
        assert cache_of(other) == []
    assert pickle.loads(pickle.dumps(cache_of(adam))) == []
    assert Lanes is StepCache


@pytest.mark.parametrize("kind", [list, tuple])
@pytest.mark.parametrize("count", [0, 1, FEW - 1, FEW, 1000])
def test_identities_are_those_of_the_objects(kind: Any, count: int) -> None:
    xs = kind(object() for _ in range(count))
    assert list(identities(xs)) == list(map(id, xs))


def test_a_list_that_has_grown_and_shrunk_is_read_where_it_is_now() -> None:
    xs: list[Any] = [None] * 100
    for _ in range(5000):
        xs.append(object())
    del xs[:50]
    assert list(identities(xs)) == list(map(id, xs))


def test_lists_of_another_structure_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    assert step_cache.readable()
    monkeypatch.setattr(step_cache, "ITEMS", list.__basicsize__)
    assert not step_cache.readable.__wrapped__()


# Clipped steps -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ways", [(Clip(global_norm=1.0), Clip(global_norm=9.0)), (Clip(norm=0.5),), (Clip(value=0.3),)]
)
@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_a_clipped_step_is_cached_with_its_bits(library: str, ways: Any, made: list[Any]) -> None:
    """Each step by a cached one, whatever the number of the clipping; then another way, which is not."""
    array: Any = np.array if library == "numpy" else pytest.importorskip("torch").tensor
    rng = np.random.default_rng(5)
    values = [rng.standard_normal(size).astype("f") for size in (5, 40)]
    ours, theirs = Adam(lr=0.1, weight_decay=0.1), Adam(lr=0.1, weight_decay=0.1)
    params, others = ([array(x) for x in values] for _ in range(2))
    state, other = ours.init(params), theirs.init(others)
    for t in range(5):
        clip = ways[t % len(ways)]
        gs = [array(rng.standard_normal(x.shape).astype("f")) for x in values]
        params, state = ours.step(params, gs, state, donate=True, clip=clip)
        others, other = theirs.step(others, gs, other, clip=clip)
    assert len(made) == 4
    for x, y in zip([*params, *state.m, *state.v], [*others, *other.m, *other.v], strict=True):
        assert np.asarray(x).tobytes() == np.asarray(y).tobytes()
    ours.step(params, gs, state, donate=True)
    assert len(made) == 4


def test_a_cached_step_looks_at_the_clipping(made: list[Any]) -> None:
    adam = Adam(lr=0.1)
    params, g = [np.ones(3, "f")], [np.ones(3, "f")]
    params, state = adam.step(params, g, adam.init(params), donate=True, clip=Clip(norm=1.0))
    with pytest.raises(HyperparameterError, match=r"Clip\.norm=-1\.0"):
        adam.step(params, g, state, donate=True, clip=Clip(norm=-1.0))
    with pytest.raises(GradientError):
        adam.step(params, [np.ones(4, "f")], state, donate=True, clip=Clip(norm=1.0))
    assert not made
    assert int(state.t[0]) == 1
