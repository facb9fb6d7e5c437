"""Maps that rename, transpose, split, stack, reshape and squeeze; there and back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from state_samples import same

from adamcore import Adam
from adamcore.backends.states import Moments, NamedState
from adamcore.backends.states.maps import parse
from adamcore.errors import CheckpointError


def state(shapes: dict[str, tuple[int, ...]], ts: dict[str, int] | None = None) -> NamedState:
    """Return a state with other numbers in every array, and a maximum."""
    rng = np.random.default_rng(7)

    def leaf(name: str, shape: tuple[int, ...]) -> Moments:
        m, v, v_max = (rng.normal(size=shape).astype(np.float32) for _ in range(3))
        return Moments((ts or {}).get(name, 5), m, v, v_max)

    leaves = {name: leaf(name, shape) for name, shape in shapes.items()}
    return NamedState(Adam(amsgrad="uncorrected"), leaves)


LAYERS: dict[str, tuple[int, ...]] = {f"h.{k}.w": (2, 3) for k in range(11)}
QKV: dict[str, tuple[int, ...]] = {f"attn.{name}.w": (4, 6) for name in "qkv"}


@pytest.mark.parametrize(
    ("shapes", "there", "shape", "back"),
    [
        (
            LAYERS,
            {"scan.w": {"from": "h.{}.w", "stack": 0}},
            (11, 2, 3),
            {"h.{}.w": {"from": "scan.w", "unstack": 0}},
        ),
        (
            LAYERS,
            {"scan.w": {"from": "h.{}.w", "axes": [1, 0], "stack": 1}},
            (3, 11, 2),
            {"h.{}.w": {"from": "scan.w", "unstack": 1, "axes": [1, 0]}},
        ),
        (
            QKV,
            {"qkv": {"from": ["attn.q.w", "attn.k.w", "attn.v.w"], "concat": 0}},
            (12, 6),
            {"attn.{}.w": {"from": "qkv", "split": 0, "names": ["q", "k", "v"]}},
        ),
        (
            QKV,
            {"qkv": {"from": ["attn.q.w", "attn.k.w", "attn.v.w"], "concat": -1, "axes": [1, 0]}},
            (18, 4),
            {"attn.{}.w": {"from": "qkv", "axes": [1, 0], "split": 1, "names": ["q", "k", "v"]}},
        ),
        (
            {"w": (6, 5)},
            {"kernel": {"from": "w", "axes": [1, 0], "reshape": [5, 2, 3]}},
            (5, 2, 3),
            {"w": {"from": "kernel", "reshape": [5, -1], "axes": [1, 0]}},
        ),
        (
            {"w": (4, 1, 1)},
            {"w": {"from": "w", "squeeze": [1, 2]}},
            (4,),
            {"w": {"from": "w", "unsqueeze": [1, 2]}},
        ),
        ({"w": (2, 3)}, {"w": {"from": "w", "axes": None}}, (2, 3), {"w": "w"}),
        ({"w": (2, 3)}, {"w": {"from": "w", "axes": (1, 0)}}, (3, 2), {"w": {"from": "w", "axes": [1, 0]}}),
        ({"w": (1, 4)}, {"x": {"from": "w", "squeeze": 0}}, (4,), {"w": {"from": "x", "unsqueeze": 0}}),
    ],
)
def test_there_and_back(
    shapes: dict[str, tuple[int, ...]], there: dict[str, Any], shape: tuple[int, ...], back: dict[str, Any]
) -> None:
    """Every element of m, v and v_max comes back to its place, with its clock."""
    old = state(shapes)
    new = old.renamed(there)
    assert [leaf.m.shape for leaf in new.leaves.values()] == [shape]
    assert new.one_clock() == 5
    same(new.renamed(back), old)


def test_each_part_is_what_numpy_makes() -> None:
    """Interleaved heads, as Megatron has them, (heads, 3, size) in one axis; unequal parts; each layer."""
    old = state({f"l.{k}.qkv": (2 * 3 * 4, 5) for k in (0, 1)})
    new = old.renamed(
        {
            "h.{}.{}.w": {
                "from": "l.{}.qkv",
                "steps": [{"reshape": [2, 3, 4, 5]}, {"unstack": 1}, {"reshape": [8, 5]}],
                "names": ["q", "k", "v"],
            }
        }
    )
    assert list(new.leaves) == [f"h.{k}.{name}.w" for k in (0, 1) for name in "qkv"]
    x = old.leaves["l.1.qkv"].v.reshape(2, 3, 4, 5)
    assert np.array_equal(new.leaves["h.1.k.w"].v, x[:, 1].reshape(8, 5))
    grouped = state({"qkv": (12, 5)})
    parts = grouped.renamed({"{}": {"from": "qkv", "split": 0, "sizes": [8, 2, 2], "names": ["q", "k", "v"]}})
    assert [leaf.m.shape for leaf in parts.leaves.values()] == [(8, 5), (2, 5), (2, 5)]
    assert np.array_equal(parts.leaves["k"].m, grouped.leaves["qkv"].m[8:10])
    fused = new.renamed({"f.{}": {"from": [f"h.{{}}.{name}.w" for name in "qkv"], "concat": 0}})
    assert list(fused.leaves) == ["f.0", "f.1"]
    assert np.array_equal(fused.leaves["f.1"].m[8:16], new.leaves["h.1.k.w"].m)
    plain = old.renamed({"block.{}.w": "l.{}.qkv"})
    assert list(plain.leaves) == ["block.0.w", "block.1.w"]


def test_what_is_joined_has_one_clock() -> None:
    stack = {"scan.w": {"from": "h.{}.w", "stack": 0}}
    with pytest.raises(
        CheckpointError, match=r"'scan\.w': the clocks of 'h\.0\.w' and 'h\.3\.w' differ \(5, 9\)"
    ):
        state(LAYERS, {"h.3.w": 9}).renamed(stack)
    old = state(LAYERS)
    special = replace(old, special={"h.2.w": {"weight_decay": 0.5}})
    with pytest.raises(CheckpointError, match=r"the hyperparameters of 'h\.0\.w' and 'h\.2\.w' differ"):
        special.renamed(stack)
    unlike = dict(old.leaves) | {"h.1.w": replace(old.leaves["h.1.w"], v_max=None)}
    with pytest.raises(CheckpointError, match="a maximum of v and others don't"):
        replace(old, leaves=unlike).renamed(stack)
    mixed = dict(old.leaves)
    wide = np.ones((2, 3))
    mixed["h.1.w"] = Moments(5, wide, wide, wide)
    with pytest.raises(CheckpointError, match="of one dtype"):
        replace(old, leaves=mixed).renamed(stack)
    everywhere = replace(old, special={name: {"weight_decay": 0.5} for name in LAYERS})
    assert everywhere.renamed(stack).special == {"scan.w": {"weight_decay": 0.5}}
    back = everywhere.renamed(stack).renamed({"h.{}.w": {"from": "scan.w", "unstack": 0}})
    assert back.special == everywhere.special


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"from": "w", "axes": [0, 0]}, r"'new', from 'w': axes=\[0, 0\] .* of shape \(4, 6\)"),
        ({"from": "w", "axes": [0]}, r"expected each of its axes once"),
        ({"from": "w", "reshape": [5, 5]}, r"reshape=\[5, 5\] can't be made of shape \(4, 6\)"),
        ({"from": "w", "squeeze": 0}, r"squeeze=0 can't be made of shape \(4, 6\)"),
        ({"from": "w", "squeeze": 7}, r"squeeze=7 can't be made"),
        ({"from": ["w", "b"], "concat": 0}, r"concat=0 can't be made of shape \(4, 6\), \(6,\)"),
        ({"from": ["w", "b"], "stack": 0}, r"stack=0 can't be made"),
        ({"from": "none"}, "new is to come from 'none', which is not there: 'w', 'b'"),
        ({"from": "w.{}", "stack": 0}, r"no name is 'w\.\{\}' with a number"),
    ],
)
def test_what_does_not_fit_the_state(entry: Any, said: str) -> None:
    with pytest.raises(CheckpointError, match=said):
        state({"w": (4, 6), "b": (6,)}).renamed({"new": entry})


def test_parts_that_do_not_fit() -> None:
    old = state({"w": (4, 6)})
    for entry, said in (
        ({"split": 0, "names": ["a", "b", "c"]}, "3 equal parts of a length of 4"),
        ({"split": 0, "sizes": [3, 3]}, r"the sizes \[3, 3\] make 6: expected 4"),
        ({"split": 5, "sizes": [3, 3]}, r"split=5 can't be made of shape \(4, 6\)"),
        ({"unstack": 0, "names": ["a", "b"]}, "2 names for 4 arrays"),
    ):
        with pytest.raises(CheckpointError, match=said):
            old.renamed({"n.{}": {"from": "w"} | entry})
    with pytest.raises(CheckpointError, match="without gaps"):
        state({"h.0": (2,), "h.2": (2,)}).renamed({"all": {"from": "h.{}", "stack": 0}})
    with pytest.raises(CheckpointError, match=r"is to come from 'b\.1', which is not there"):
        state({"a.0": (2,), "a.1": (2,), "b.0": (2,)}).renamed(
            {"c.{}": {"from": ["a.{}", "b.{}"], "concat": 0}}
        )
    with pytest.raises(CheckpointError, match=r"two parameters are called 'n\.1'"):
        old.renamed({"n.{}": {"from": "w", "unstack": 0}, "n.1": "w"})


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (1, "is given 1: expected an old name"),
        ({"axes": [1, 0]}, "is given"),
        ({"from": []}, "is given"),
        ({"from": "w", "axis": [1, 0]}, "is given"),
        ({"from": "w", "axes": "10"}, "is given"),
        ({"from": "w", "reshape": [2.0]}, "is given"),
        ({"from": "w", "stack": True}, "is given"),
        ({"from": "w", "steps": {"stack": 0}}, "is given"),
        ({"from": "w", "sizes": [1]}, "is given"),
        ({"from": "w", "split": 0, "sizes": 3}, "is given"),
        ({"from": "w", "stack": 0}, "stack needs several arrays"),
        ({"from": ["a", "b"]}, "expected stack or concat"),
        ({"from": "a.{}"}, "expected stack or concat"),
        ({"from": "w", "unstack": 0}, "expected a new name with {}"),
        ({"from": ["a", "b"], "stack": 0, "steps": [{"concat": 0}]}, "at most one join"),
    ],
)
def test_another_form(entry: Any, said: str) -> None:
    """It is told by the map alone, whatever the state."""
    with pytest.raises(CheckpointError) as error:
        parse({"new": entry})
    assert said in str(error.value)


def test_a_split_needs_sizes_or_names() -> None:
    with pytest.raises(CheckpointError, match="sizes of the parts, or names"):
        parse({"a.{}": {"from": "w", "split": 0}})
