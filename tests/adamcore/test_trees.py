"""Trees of every shape, in each library's own kind."""

from __future__ import annotations

import dataclasses
import gc
from collections import OrderedDict, defaultdict
from typing import Any, NamedTuple

import numpy as np
import pytest
from small_trees import layered

from adamcore import Adam
from adamcore.errors import BackendError, GradientError, ParameterError, TreeError
from adamcore.trees import (
    LARGE,
    OTHER,
    ParamTree,
    collection_paused,
    leaves_of,
    plain_shape,
    shape_of,
    tree_of,
)

A = np.ones(3)


class Pair(NamedTuple):
    x: Any
    y: Any


def ones(lib: Any) -> Any:
    return lib([1.0, 1.0])


SHAPES: dict[str, Any] = {
    "bare": lambda a: a(),
    "dict": lambda a: {"w": a(), "b": a()},
    "list": lambda a: [a(), a()],
    "tuple": lambda a: (a(), (a(),)),
    "named tuple": lambda a: Pair(a(), [Pair(a(), a())]),
    "nested": lambda a: {"l": [{"w": a()}, (a(), Pair(a(), {"z": a(), "y": a()}))], "e": {}, "n": ()},
    "ordered": lambda a: OrderedDict(z=a(), a=a()),
    "default": lambda a: defaultdict(list, k=[a(), a()]),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_step_keeps_the_structure(lib: Any, shape: str) -> None:
    opt, make = Adam(lr=0.5, amsgrad="uncorrected", nesterov="dozat"), SHAPES[shape]
    params, grads = make(lambda: ones(lib)), make(lambda: ones(lib))
    state = opt.init(params)
    new, after = opt.step(params, grads, state)

    def kinds(tree: Any) -> Any:
        if isinstance(tree, dict):
            return type(tree), {k: kinds(v) for k, v in tree.items()}
        return (type(tree), [kinds(v) for v in tree]) if isinstance(tree, (list, tuple)) else "leaf"

    assert kinds(new) == kinds(params)
    for part in (part for part in (*state, *after) if part is not None):
        assert kinds(part) == kinds(params)


@pytest.mark.parametrize("tree", [{}, [], (), {"a": {}, "b": []}, None, {"a": None}])
def test_no_leaves(tree: Any) -> None:
    for opt in (Adam(), Adam(clock="global", nesterov="dozat")):
        state = opt.init(tree)
        new, after = opt.step(tree, tree, state)
        assert new == tree
        assert after == opt.reset(after) == state


def test_none_is_a_place_without_a_parameter(lib: Any) -> None:
    params, opt = {"a": ones(lib), "b": None, "c": [None]}, Adam(lr=0.5, nesterov="dozat")
    new, state = opt.step(params, {"a": ones(lib), "b": None, "c": [None]}, opt.init(params))
    assert new["b"] is state.m["b"] is state.t["b"] is None
    assert new["c"] == [None]
    assert opt.reset(state).v["b"] is None


def test_order_of_keys_does_not_matter(lib: Any) -> None:
    params, opt = {"z": lib([1.0]), "a": lib([5.0])}, Adam(lr=0.5, eps=0.0)
    grads = {"a": lib([-1.0]), "z": lib([1.0])}
    new, _ = opt.step(params, grads, opt.init(dict(reversed(params.items()))))
    assert float(new["z"][0]) == pytest.approx(0.5)
    assert float(new["a"][0]) == pytest.approx(5.5)


@pytest.mark.parametrize("keys", ["0123", "2013"])
def test_a_long_container_is_taken_apart_as_the_library_does(lib: Any, keys: str) -> None:
    tree = {f"{k}{i}": [lib([1.0])] if k == "2" else lib([1.0]) for k in keys for i in range(LARGE // 4)}
    for long in (tree, list(tree.values()), tree | {"2": None}):
        ours = ParamTree(long)
        leaves, structure = ours.backend.flatten(long)
        assert list(map(id, ours.leaves)) == list(map(id, leaves))
        assert ours.structure == structure
        assert ours.path(5) == "params" + ours.backend.paths(long)[5]


def test_keys_that_do_not_sort() -> None:
    params, opt = {1: np.ones(1), "a": np.ones(1)}, Adam()
    new, _ = opt.step(params, {"a": np.ones(1), 1: np.ones(1)}, opt.init(params))
    assert set(new) == {1, "a"}


def test_gradients_may_be_one_array(lib: Any) -> None:
    g, opt = ones(lib), Adam()
    params = [ones(lib), ones(lib)]
    opt.step(params, [g, g], opt.init(params))


def test_nodes_registered_with_jax() -> None:
    jax = pytest.importorskip("jax")

    @dataclasses.dataclass
    class Layer:
        w: Any
        b: Any
        name: str = "layer"

    jax.tree_util.register_dataclass(Layer, ["w", "b"], ["name"])
    params, opt = Layer(jax.numpy.ones(2), {"x": jax.numpy.ones(3)}), Adam(lr=0.5)
    grads = jax.grad(lambda p: p.w.sum() + 2 * p.b["x"].sum())(params)
    new, state = jax.jit(opt.step)(params, grads, opt.init(params))
    assert type(new) is type(state.m) is Layer
    np.testing.assert_allclose(new.b["x"], 0.5, rtol=1e-6)
    with pytest.raises(ValueError, match=r"grads\.w is of shape"):
        opt.step(params, Layer(jax.numpy.ones(3), grads.b), state)


def test_nodes_registered_with_torch() -> None:
    torch = pytest.importorskip("torch")

    class Box:
        def __init__(self, w: Any) -> None:
            self.w = w

    torch.utils._pytree.register_pytree_node(Box, lambda b: ([b.w], None), lambda w, _: Box(*w))
    params, opt = Box([torch.ones(2)]), Adam(lr=0.5)
    new, _ = opt.step(params, Box([torch.ones(2)]), opt.init(params))
    torch.testing.assert_close(new.w[0], torch.full((2,), 0.5))


def test_nodes_registered_with_optree() -> None:
    optree = pytest.importorskip("optree")

    class Box:
        def __init__(self, w: Any) -> None:
            self.w = w

    everywhere = optree.registry.__GLOBAL_NAMESPACE
    optree.register_pytree_node(Box, lambda b: ([b.w], None), lambda _, w: Box(*w), namespace=everywhere)
    params, opt = Box(np.ones(2)), Adam(lr=0.5)
    new, _ = opt.step(params, Box(np.ones(2)), opt.init(params))
    np.testing.assert_allclose(new.w, 0.5)


def test_a_module_of_torch() -> None:
    torch = pytest.importorskip("torch")
    net = torch.nn.Linear(2, 1)
    params, opt = dict(net.named_parameters()), Adam(lr=0.1)
    state = opt.init(params)
    x, losses = torch.tensor([[1.0, 2.0], [0.5, -1.0]]), []
    for _ in range(50):
        loss = (net(x) - 1).square().mean()
        losses.append(loss.item())
        grads = torch.autograd.grad(loss, list(params.values()))
        params, state = opt.step(params, dict(zip(params, grads, strict=True)), state, donate=True)
    assert losses[-1] < 0.01 * losses[0]


@pytest.mark.parametrize(
    ("leaf", "error", "words"),
    [
        (np.ones(2, dtype=int), ParameterError, r"params\['layer'\]\['w'\] has dtype int64"),
        (np.ones(2, dtype=bool), ParameterError, "has dtype bool"),
        (np.asarray(["a"]), ParameterError, "has dtype <U1"),
        (1.5, ParameterError, r"params\['layer'\]\['w'\] is float: expected an array of numpy"),
        ("w", ParameterError, "is str"),
        (np.ma.masked_array([1.0], [True]), ParameterError, "masked array"),
    ],
)
def test_parameters(leaf: Any, error: type[Exception], words: str) -> None:
    for name in ("init", "step"):
        params = layered()
        params["layer"]["w"] = leaf
        args = (params,) if name == "init" else (params, layered(), Adam().init(layered()))
        with pytest.raises(error, match=words):
            getattr(Adam(), name)(*args)


def test_parameters_without_any_array() -> None:
    with pytest.raises(ParameterError, match=r"params\['a'\]\[0\] is float"):
        Adam().init({"a": [1.0]})


def test_one_array_in_two_leaves() -> None:
    with pytest.raises(TreeError, match=r"params\['b'\] and params\['a'\] are the same array"):
        Adam().init({"a": A, "b": A})


def test_libraries_mixed() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(BackendError, match=r"params\[1\] is an array of torch in a tree of numpy"):
        Adam().init([A, torch.ones(2)])
    with pytest.raises(GradientError, match=r"grads\[0\] is Tensor: expected an array of numpy"):
        Adam().step([A], [torch.ones(3)], Adam().init([A]))


def test_tensors_that_cannot_be_optimized() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(ParameterError, match="meta device"):
        Adam().init({"w": torch.ones(2, device="meta")})
    with pytest.raises(ParameterError, match=r"layout torch.sparse_coo"):
        Adam().init(torch.eye(2).to_sparse())


def endless(a: Any, kind: str) -> Any:
    """A tree that contains itself, at its beginning or its end."""
    tree: Any = {} if kind == "dict" else []
    if kind == "dict":
        tree["a"], tree["b"] = a, tree
    else:
        tree += [tree, a] if kind == "list, first" else [a, tree]
    return tree


@pytest.mark.parametrize("kind", ["list", "list, first", "dict"])
def test_a_tree_that_contains_itself(lib: Any, kind: str) -> None:
    params = [ones(lib)]
    with pytest.raises(TreeError, match="params contains itself"):
        Adam().init(endless(ones(lib), kind))
    with pytest.raises(TreeError, match="grads contains itself"):
        Adam().step(params, endless(ones(lib), kind), Adam().init(params))


# Large trees -------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_key", [False, True])
def test_plain_containers_keep_the_order_of_a_dictionary_whatever_the_order_of_its_leaves(
    by_key: bool,
) -> None:
    tree = {"w": [1, {"d": 2, "c": 3}], "b": (4, 5)}
    shape = shape_of(tree, by_key)
    assert leaves_of(shape, tree) == ([4, 5, 1, 3, 2] if by_key else [1, 2, 3, 4, 5])
    again = tree_of(shape, iter(leaves_of(shape, tree) or []))
    assert again == tree
    assert (list(again), list(again["w"][1])) == (["w", "b"], ["d", "c"])


def test_the_order_of_a_librarys_leaves_is_found() -> None:
    tree = {"w": object(), "b": object()}
    listed, sorted_ = [tree["w"], tree["b"]], [tree["b"], tree["w"]]
    assert leaves_of(plain_shape(tree, listed), tree) == listed
    assert leaves_of(plain_shape(tree, sorted_), tree) == sorted_
    assert plain_shape(tree, [tree["w"]]) is OTHER
    assert plain_shape({1: tree["w"], "b": tree["b"]}, sorted_) is OTHER, "keys that can't be sorted"


def test_the_collector_rests_during_a_step_of_a_large_tree_and_runs_after_it() -> None:
    seen: list[bool] = []

    def schedule(t: int) -> float:
        seen.append(gc.isenabled())
        return 0.1

    adam = Adam(lr=schedule)
    for count in (LARGE - 1, LARGE):
        params = [np.ones(1) for _ in range(count)]
        adam.step(params, params, adam.init(params))
    assert seen == [True, False]
    assert gc.isenabled()
    with pytest.raises(GradientError):
        adam.step(params, [*params[:-1], np.ones(2)], adam.init(params))
    assert gc.isenabled()


def test_a_collector_that_is_off_stays_off() -> None:
    gc.disable()
    try:
        with collection_paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("params", "numbers"),
    [
        ({"w": 1, "b": 1}, [1, 0]),
        ({"b": 1, "w": 1}, [0, 1]),
        ({"w": [1, {"y": 1, "x": None}], "b": Pair(1, {"d": 1, "c": 1})}, [3, 5, 4, 0, 2, 1]),
        (OrderedDict(w=1, b=1), [0, 1]),
        (defaultdict(list, w=[1, 1], b=1), [1, 2, 0]),
        ({2: 1, "a": 1}, [0, 1]),
        (1, [0]),
    ],
)
def test_leaves_are_numbered_by_sorted_keys(params: Any, numbers: list[int]) -> None:
    """PyTorch lists a dictionary in its own order; ``numbers`` has the number of each leaf in that order."""
    torch = pytest.importorskip("torch")

    def made(tree: Any) -> Any:
        return torch.utils._pytree.tree_map(lambda leaf: None if leaf is None else torch.ones(2), tree)

    assert list(ParamTree(made(params)).numbers()) == numbers


@pytest.mark.parametrize("tree", [{"w": A, "b": A.copy()}, [{"w": A, "b": A.copy()}]])
def test_a_library_that_sorts_keys_numbers_leaves_as_it_lists_them(tree: Any) -> None:
    assert list(ParamTree(tree).numbers()) == [0, 1]
