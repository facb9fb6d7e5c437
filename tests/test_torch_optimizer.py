"""Adam and AdamW in PyTorch's clothes: groups, checkpoints, freezing, sparse gradients, dialects."""

from __future__ import annotations

import copy
import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import Parameter

import adamcore
from adamcore import errors
from adamcore.backends.torch import Adam, AdamW
from adamcore.conformance.replay import Record
from adamcore.dialects import DIALECTS

THEIRS: dict[Any, Any] = {Adam: torch.optim.Adam, AdamW: torch.optim.AdamW}


def parameters(*shapes: tuple[int, ...], dtype: torch.dtype = torch.float32) -> list[Parameter]:
    torch.manual_seed(len(shapes))
    return [Parameter(torch.randn(shape, dtype=dtype)) for shape in shapes]


def values(params: list[Any]) -> list[np.ndarray]:
    return [p.detach().numpy().copy() for p in params]


def gradients(params: list[Any], t: int) -> list[torch.Tensor]:
    """The same for the same t; of all sizes."""
    generator = torch.Generator().manual_seed(t)
    scale = 10.0 ** (t % 5 - 2)
    return [scale * torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in params]


def advance(optimizer: Any, params: list[Any], steps: range, record: Record | None = None) -> None:
    """Step on those gradients, and write down what happened."""
    for t in steps:
        grads = gradients(params, t)
        for p, g in zip(params, grads, strict=True):
            p.grad = g.clone()
        optimizer.step()
        if record is not None:
            record.add([g.numpy() for g in grads], values(params))


def bits(x: Any) -> Any:
    """What a state dict holds, comparable."""
    if isinstance(x, torch.Tensor):
        return str(x.dtype), tuple(x.shape), x.tolist()
    if isinstance(x, dict):
        return {k: bits(v) for k, v in x.items()}
    return [bits(v) for v in x] if isinstance(x, list | tuple) else x


def through_a_file(state_dict: Any) -> Any:
    file = io.BytesIO()
    torch.save(state_dict, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


# ------------------------------------------------------------------------------ the rules


@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_every_dialect(name: str) -> None:
    """By its name, on tensors of four shapes, within the bound of the definition under that claim."""
    row = DIALECTS[name]
    given = {"lr": 0.05} | ({"weight_decay": 0.02} if row.defaults.get("weight_decay", 0) is None else {})
    params = parameters((), (1,), (3,), (2, 5))
    record = Record(values(params))
    optimizer = Adam(params, dialect=name, **given)  # type: ignore[arg-type]
    advance(optimizer, params, range(8), record)
    result = record.judge(adamcore.Adam.like(name, **given))
    assert result.status == "passed", result
    assert result.undecided == 0


@pytest.mark.parametrize("axis", [a for a in adamcore.AXES if a not in ("missing", "clock", "all_missing")])
def test_every_axis(axis: str) -> None:
    for value in adamcore.AXES[axis]:
        settings = {"lr": 0.05, "weight_decay": 0.1, axis: value}
        params = parameters((4,), (3,))
        record = Record(values(params))
        advance(Adam(params, **settings), params, range(8), record)  # type: ignore[arg-type]
        result = record.judge(adamcore.Adam(**settings))  # type: ignore[arg-type]
        assert result.status == "passed", (value, result)


def test_a_wrong_rule_would_be_seen() -> None:
    params = parameters((4,), (3,))
    record = Record(values(params))
    advance(Adam(params, lr=0.05, weight_decay=0.1), params, range(8), record)
    assert record.judge(adamcore.Adam(lr=0.05, weight_decay=0.1, decay="decoupled")).status == "failed"


def test_groups_have_their_own_rules() -> None:
    first, second = parameters((4,), (3,))
    optimizer = Adam(
        [
            {"params": [first], "decoupled_weight_decay": True, "weight_decay": 0.1},
            {"params": [second], "epsilon": "outside-uncorrected", "eps": 1e-3, "betas": (0.5, 0.8)},
        ],
        lr=0.05,
    )
    claims = [
        adamcore.Adam(lr=0.05, weight_decay=0.1, decay="decoupled"),
        adamcore.Adam(lr=0.05, epsilon="outside-uncorrected", eps=1e-3, b1=0.5, b2=0.8),
    ]
    records = [Record(values([p])) for p in (first, second)]
    for t in range(8):
        grads = gradients([first, second], t)
        first.grad, second.grad = grads
        optimizer.step()
        for record, p, g in zip(records, (first, second), grads, strict=True):
            record.add([g.numpy()], values([p]))
    assert [r.judge(c).status for r, c in zip(records, claims, strict=True)] == ["passed", "passed"]


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"epsilon": "inside"}, errors.AxisError, "nearest: 'inside-"),
        ({"sparse": "rows"}, errors.AxisError, "expected 'dense' or 'lazy'"),
        ({"dialect": "torch.adamw"}, errors.DialectError, "nearest: torch.AdamW"),
        ({"lr": float("nan")}, errors.HyperparameterError, "Invalid learning rate: nan"),
        ({"lr": lambda t: 0.1}, errors.HyperparameterError, "lr_scheduler"),
        ({"betas": (0.9,)}, errors.HyperparameterError, "two numbers"),
        ({"eps": -1.0}, errors.HyperparameterError, "Invalid epsilon value: -1"),
        ({"decay": "l2", "decoupled_weight_decay": True}, errors.AxisError, "contradict"),
        ({"eps_root": 1e-3, "epsilon": "inside-corrected"}, errors.AxisError, "eps_root"),
        ({"epsilom": "inside"}, TypeError, "nearest: epsilon"),
    ],
)
def test_settings_without_a_meaning(settings: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Adam(parameters((2,)), **settings)
    optimizer = Adam(parameters((2,)))
    if "dialect" not in settings and "epsilom" not in settings:
        with pytest.raises(error, match=words):
            optimizer.add_param_group({"params": parameters((3,)), **settings})
        assert len(optimizer.param_groups) == 1


def test_a_setting_changed_in_the_middle_is_checked_before_anything_moves() -> None:
    p, q = parameters((2,), (3,))
    optimizer = Adam([{"params": [p]}, {"params": [q]}], lr=0.1)
    p.grad, q.grad = torch.ones(2), torch.ones(3)
    for name, value in (("betas", (0.9, 1.5)), ("decay", "decoupled"), ("missing", "never")):
        before = values([p, q])
        old, optimizer.param_groups[1][name] = optimizer.param_groups[1][name], value
        with pytest.raises(errors.AdamcoreError):
            optimizer.step()
        optimizer.param_groups[1][name] = old
        assert [x.tobytes() for x in values([p, q])] == [x.tobytes() for x in before]


# ---------------------------------------------------------------------------- checkpoints


@pytest.mark.parametrize("cls", [Adam, AdamW])
@pytest.mark.parametrize("settings", [{}, {"amsgrad": True}, {"maximize": True, "weight_decay": 0.1}])
@pytest.mark.parametrize("first", ["ours", "theirs"])
def test_a_run_goes_on_in_the_other(cls: Any, settings: dict[str, Any], first: str) -> None:
    """Ten steps in one, saved, ten in the other: within the bound of an uninterrupted run."""
    params = parameters((4,), (2, 3))
    record = Record(values(params))
    a, b = (cls, THEIRS[cls]) if first == "ours" else (THEIRS[cls], cls)
    optimizer = a(params, lr=0.05, **settings)
    advance(optimizer, params, range(10), record)
    other = b(params, lr=0.5, **settings)
    other.load_state_dict(through_a_file(optimizer.state_dict()))
    assert other.param_groups[0]["lr"] == 0.05
    assert other.state_dict()["state"][0]["step"].dtype == torch.float32
    advance(other, params, range(10, 20), record)
    rules = {"amsgrad": "uncorrected"} if "amsgrad" in settings else settings
    result = record.judge(adamcore.Adam.like(f"torch.{cls.__name__}", lr=0.05, **rules))
    assert result.status == "passed", result


def test_nadam_goes_on_in_the_other() -> None:
    params = parameters((4,), (2, 3))
    record = Record(values(params))
    optimizer: Any = torch.optim.NAdam(params, lr=0.05)
    for k in range(3):
        advance(optimizer, params, range(5 * k, 5 * k + 5), record)
        other: Any = torch.optim.NAdam(params) if k else Adam(params, dialect="torch.NAdam")
        other.load_state_dict(through_a_file(optimizer.state_dict()))
        optimizer = other
    result = record.judge(adamcore.Adam.like("torch.NAdam", lr=0.05))
    assert result.status == "passed", result


@pytest.mark.parametrize("settings", [
    {}, {"nesterov": "dozat"}, {"clock": "global"}, {"clock": "global", "nesterov": "dozat"},
    {"capturable": True}, {"amsgrad": "corrected"},
])  # fmt: skip
def test_resumed_is_uninterrupted(settings: dict[str, Any]) -> None:
    """Bit for bit (STATE.4), through a file and through pickle and deepcopy."""
    params, again = parameters((4,), (2, 3)), parameters((4,), (2, 3))
    optimizer, whole = Adam(params, lr=0.05, **settings), Adam(again, lr=0.05, **settings)
    advance(optimizer, params, range(5))
    advance(whole, again, range(20))
    resumed = Adam(params, lr=0.05, **settings)
    resumed.load_state_dict(through_a_file(optimizer.state_dict()))
    advance(resumed, params, range(5, 10))
    resumed, params = pickle.loads(pickle.dumps((resumed, params)))
    advance(resumed, params, range(10, 15))
    resumed, params = copy.deepcopy((resumed, params))
    advance(resumed, params, range(15, 20))
    assert bits(params) == bits(again)
    assert bits(resumed.state_dict()) == bits(whole.state_dict())


def test_a_checkpoint_does_not_change_the_rules() -> None:
    """torch.optim.Adam that loads AdamW's state dict is AdamW from then on; ours refuses."""
    params = parameters((3,))
    theirs = torch.optim.AdamW(params)
    advance(theirs, params, range(2))
    turned = torch.optim.Adam(params)
    turned.load_state_dict(theirs.state_dict())
    assert turned.param_groups[0]["decoupled_weight_decay"]  # silently

    ours = Adam(params, lr=0.5)
    before = bits(ours.state_dict())
    with pytest.raises(
        errors.StateError, match=r"param_groups\[0\] was saved with decoupled_weight_decay=True"
    ):
        ours.load_state_dict(theirs.state_dict())
    assert bits(ours.state_dict()) == before
    saved = theirs.state_dict()
    del saved["param_groups"][0]["decoupled_weight_decay"]
    ours.load_state_dict(saved)
    assert ours.param_groups[0]["decay"] == "l2"

    turned.load_state_dict(Adam(params).state_dict())
    again = torch.optim.AdamW(params)
    again.load_state_dict(turned.state_dict())  # carries our axes along, and its own flag beside them
    assert again.param_groups[0]["decay"] == "l2"
    with pytest.raises(errors.StateError, match="decoupled_weight_decay=True"):
        ours.load_state_dict(again.state_dict())

    own = AdamW(params, epsilon="inside-corrected").state_dict()
    with pytest.raises(errors.StateError, match="epsilon='inside-corrected'"):
        AdamW(params).load_state_dict(own)


def test_flags_stay_those_of_the_program() -> None:
    params = parameters((3,))
    theirs = torch.optim.Adam(params, foreach=True)
    ours = Adam(params, capturable=True)
    ours.load_state_dict(theirs.state_dict())
    assert (ours.param_groups[0]["foreach"], ours.param_groups[0]["capturable"]) == (None, True)


def test_nothing_is_shared_with_what_was_loaded() -> None:
    params, others = parameters((3,)), parameters((3,))
    optimizer, other = Adam(params), Adam(others)
    advance(optimizer, params, range(2))
    saved = optimizer.state_dict()
    other.load_state_dict(saved)
    before = bits(saved)
    advance(other, others, range(2))
    assert bits(saved) == before


def damage(saved: Any, how: str) -> None:
    state, group = saved["state"][0], saved["param_groups"][0]
    match how:
        case "shape":
            state["exp_avg"] = torch.zeros(7)
        case "no moment":
            del state["exp_avg_sq"]
        case "foreign":
            state["max_exp_avg_sq"] = torch.zeros(3)
        case "half a step":
            state["step"] = torch.tensor(1.5)
        case "negative":
            state["step"] = -1
        case "saturated":
            state["step"] = torch.tensor(2.0**24 + 2)
        case "bfloat16":
            state["step"] = torch.tensor(512.0, dtype=torch.bfloat16)
        case "nan":
            state["step"] = torch.tensor(float("nan"))
        case "lr":
            group["lr"] = -1.0
        case "groups":
            saved["param_groups"] *= 2
        case "size":
            group["params"] = [0]


@pytest.mark.parametrize(
    ("how", "error", "words"),
    [
        ("shape", errors.StateError, r"state\[0\]\['exp_avg'\] has shape \(7,\): expected \(3,\)"),
        ("no moment", errors.StateError, r"state\[0\] has no 'exp_avg_sq'"),
        ("foreign", errors.StateError, r"state\[0\] has 'max_exp_avg_sq'"),
        ("half a step", errors.ClockError, "whole number"),
        ("negative", errors.ClockError, "whole number from 0"),
        ("saturated", errors.ClockError, "can't count above 16777216"),
        ("bfloat16", errors.ClockError, "can't count above 256"),
        ("nan", errors.ClockError, "whole number"),
        ("lr", errors.HyperparameterError, "Invalid learning rate: -1"),
        ("groups", errors.StateError, "different number of parameter groups"),
        ("size", errors.StateError, "doesn't match the size"),
    ],
)
def test_a_damaged_state_changes_nothing(how: str, error: type[Exception], words: str) -> None:
    params = parameters((3,), (2,))
    optimizer = Adam(params)
    advance(optimizer, params, range(2))
    before, saved = bits(optimizer.state_dict()), copy.deepcopy(optimizer.state_dict())
    damage(saved, how)
    with pytest.raises(error, match=words):
        optimizer.load_state_dict(saved)
    assert bits(optimizer.state_dict()) == before


def test_the_clock_counts_on_where_float32_stops() -> None:
    """Written as float32 up to 2**24, as an integer above; torch.optim stands still there."""
    params = parameters((3,))
    optimizer, theirs = Adam(params), torch.optim.Adam(params)
    for each in (optimizer, theirs):
        advance(each, params, range(1))
        saved = each.state_dict()
        saved["state"][0]["step"] = torch.tensor(2.0**24)
        each.load_state_dict(saved)
        advance(each, params, range(1, 3))
    step = optimizer.state_dict()["state"][0]["step"]
    assert (step.dtype, step.item()) == (torch.int64, 2**24 + 2)
    assert theirs.state_dict()["state"][0]["step"].item() == 2**24
    again = Adam(params)
    again.load_state_dict(through_a_file(optimizer.state_dict()))
    assert again.state[params[0]]["step"].item() == 2**24 + 2


def test_moments_keep_their_own_dtype() -> None:
    """torch.optim casts float32 moments of bfloat16 parameters to bfloat16 when it loads them."""
    params = parameters((3,), dtype=torch.bfloat16)
    optimizer = Adam(params, moment_dtype="float32")
    advance(optimizer, params, range(3))
    again = Adam(params, moment_dtype="float32")
    again.load_state_dict(through_a_file(optimizer.state_dict()))
    assert again.state[params[0]]["exp_avg"].dtype == torch.float32
    assert bits(again.state_dict()) == bits(optimizer.state_dict())


def test_per_parameter_clocks_are_not_made_one() -> None:
    params = parameters((3,), (2,))
    theirs = torch.optim.Adam(params)
    advance(theirs, params[:1], range(3))
    ours = Adam(params, clock="global")
    ours.load_state_dict(theirs.state_dict())  # the other has no state yet, so no clock
    assert ours.param_groups[0]["step"].item() == 3
    advance(theirs, params, range(2))
    with pytest.raises(errors.StateError, match="clocks 2 to 5"):
        ours.load_state_dict(theirs.state_dict())


# ------------------------------------------------------------------- absent, frozen, thawed


def test_an_absent_gradient_leaves_everything() -> None:
    """F1, and not even a state is made; a zero gradient is a gradient (F2)."""
    b, c = parameters((3,), (2,))
    optimizer = Adam([b, c], lr=0.1, weight_decay=0.1)
    before = c.detach().clone()
    b.grad = torch.ones(3)
    optimizer.step()
    assert torch.equal(c, before)
    assert c not in optimizer.state
    c.grad = torch.ones(2)
    optimizer.step()
    state = bits(optimizer.state[c])
    before, c.grad = c.detach().clone(), None
    optimizer.step()
    assert torch.equal(c, before)
    assert bits(optimizer.state[c]) == state
    c.grad = torch.zeros(2)
    optimizer.step()
    assert not torch.equal(c, before)
    assert optimizer.state[c]["step"] == 2


@pytest.mark.parametrize("how", ["keep", "reset"])
def test_freeze_and_thaw(how: Any) -> None:
    """C stands still although it has gradients, then goes on, or anew: each within its bound (F5)."""
    b, c = parameters((3,), (2,))
    optimizer = Adam([b, c], lr=0.1, weight_decay=0.1)
    record = Record(values([c]))
    advance(optimizer, [b, c], range(3))
    first = values([c])
    optimizer.freeze(c)
    advance(optimizer, [b, c], range(3, 6))
    assert values([c])[0].tobytes() == first[0].tobytes()
    assert optimizer.param_groups[0]["frozen"] == (1,)

    resumed = Adam([b, c], lr=0.1, weight_decay=0.1)
    resumed.load_state_dict(through_a_file(optimizer.state_dict()))
    resumed.thaw(c, how=how)
    assert resumed.param_groups[0]["frozen"] == ()
    if how == "reset":
        record = Record(first)
    else:
        replay, again = parameters((3,), (2,)), Adam
        other = again(replay, lr=0.1, weight_decay=0.1)
        for t in range(3):
            advance(other, replay, range(t, t + 1))
            record.add([gradients(replay, t)[1].numpy()], values(replay[1:]))
    for t in range(6, 12):
        advance(resumed, [b, c], range(t, t + 1))
        record.add([gradients([b, c], t)[1].numpy()], values([c]))
    result = record.judge(adamcore.Adam(lr=0.1, weight_decay=0.1))
    assert result.status == "passed", result


def test_reset_takes_the_clock_too() -> None:
    params = parameters((3,), (2,))
    optimizer = Adam(params, lr=0.1, amsgrad=True)
    advance(optimizer, params, range(4))
    tensors = [id(x) for x in optimizer.state[params[1]].values()]
    optimizer.reset([params[1]])
    assert [id(x) for x in optimizer.state[params[1]].values()] == tensors
    assert all(not x.any() for x in optimizer.state[params[1]].values())
    assert optimizer.state[params[0]]["step"] == 4
    optimizer.reset(clock="keep")
    assert optimizer.state[params[0]]["step"] == 4
    assert not optimizer.state[params[0]]["exp_avg"].any()


def test_names_stand_for_parameters() -> None:
    b, c = parameters((3,), (2,))
    optimizer = Adam([("b", b), ("c", c)])
    optimizer.freeze(["c"])
    assert optimizer.param_groups[0]["frozen"] == (1,)
    optimizer.thaw()
    assert optimizer.param_groups[0]["frozen"] == ()
    for stranger in ("d", c.detach(), 3):
        with pytest.raises(errors.ParameterError, match=r"params\[0\]"):
            optimizer.freeze([stranger])  # type: ignore[list-item]
    with pytest.raises(errors.StateError, match="'keep' or 'reset'"):
        optimizer.thaw(c, how="melt")  # type: ignore[arg-type]


def test_a_global_clock_ticks_for_what_is_frozen() -> None:
    """F6; and to reset a part of what shares it is an error (F4)."""
    params = parameters((3,), (2,))
    optimizer = Adam(params, clock="global")
    optimizer.freeze(params[1])
    advance(optimizer, params, range(3))
    assert "step" not in optimizer.state[params[0]]
    assert optimizer.state_dict()["state"][0]["step"] == 3
    with pytest.raises(errors.StateError, match="name them all"):
        optimizer.reset(params[1])
    optimizer.reset(params[0], clock="keep")
    optimizer.reset()
    assert optimizer.param_groups[0]["step"] == 0


@pytest.mark.parametrize(("all_missing", "steps"), [("tick", 3), ("hold", 1), ("error", None)])
def test_all_missing(all_missing: str, steps: int | None) -> None:
    params = parameters((3,))
    optimizer = Adam(params, clock="global", all_missing=all_missing)
    advance(optimizer, params, range(1))
    optimizer.zero_grad()
    if steps is None:
        with pytest.raises(errors.MissingGradientError, match="no gradient at all"):
            optimizer.step()
        return
    optimizer.step()
    optimizer.step()
    assert optimizer.param_groups[0]["step"] == steps


def test_missing_is_zero_or_an_error() -> None:
    b, c = parameters((3,), (2,))
    optimizer = Adam([{"params": [b]}, {"params": [c], "missing": "error"}], missing="zero", weight_decay=0.1)
    before = values([b, c])
    with pytest.raises(errors.MissingGradientError, match=r"param_groups\[1\]\['params'\]\[0\]"):
        optimizer.step()
    assert [x.tobytes() for x in values([b, c])] == [x.tobytes() for x in before]
    c.grad = torch.zeros(2)
    optimizer.step()
    assert optimizer.state[b]["step"] == 1


# -------------------------------------------------------------- sparse and complex gradients


def sparse_gradient(t: int, shape: tuple[int, ...] = (6, 2)) -> tuple[torch.Tensor, np.ndarray]:
    """Uncoalesced, with a row twice; and the mask of the rows it lists."""
    generator = torch.Generator().manual_seed(t)
    rows = torch.randint(0, 6, (3,), generator=generator)
    rows = torch.cat([rows, rows[:1]]) if t != 3 else rows[:0]
    listed = torch.randn((len(rows), 2), generator=generator, dtype=torch.float64)
    mask = np.zeros((6, 1), dtype=bool)
    mask[rows.numpy()] = True
    return torch.sparse_coo_tensor(rows[None], listed, shape, check_invariants=True), mask


@pytest.mark.parametrize("who", ["ours", "theirs"])
def test_lazy_rows(who: str) -> None:
    """What is not listed stands still while the clock ticks, as in torch.optim.SparseAdam."""
    (p,) = parameters((6, 2), dtype=torch.float64)
    optimizer: Any = torch.optim.SparseAdam([p], lr=0.05)
    if who == "ours":
        optimizer = Adam([p], lr=0.05, dialect="torch.SparseAdam", sparse="lazy")
    record = Record(values([p]))
    for t in range(8):
        p.grad, mask = sparse_gradient(t)
        optimizer.step()
        record.add([p.grad.to_dense().numpy()], values([p]), present=[mask])
    assert optimizer.state_dict()["state"][0]["step"] == 8
    result = record.judge(adamcore.Adam.like("torch.SparseAdam", lr=0.05))
    assert result.status == "passed", result


def test_dense_rules_for_sparse_gradients() -> None:
    """By default a sparse gradient is the dense one it stands for; torch.optim.Adam refuses it."""
    (p,) = parameters((6, 2), dtype=torch.float64)
    optimizer = AdamW([p], lr=0.05)
    record = Record(values([p]))
    for t in range(8):
        p.grad, _ = sparse_gradient(t)
        optimizer.step()
        record.add([p.grad.to_dense().numpy()], values([p]))
    assert record.judge(adamcore.Adam.like("torch.AdamW", lr=0.05)).status == "passed"
    with pytest.raises(RuntimeError, match="sparse"):
        torch.optim.AdamW([p]).step()


@pytest.mark.parametrize("who", [Adam, torch.optim.Adam])
def test_complex_within_the_bound(who: Any) -> None:
    params = parameters((3,), (2, 2), dtype=torch.complex64)
    record = Record(values(params))
    advance(who(params, lr=0.05, weight_decay=0.1), params, range(8), record)
    result = record.judge(adamcore.Adam(lr=0.05, weight_decay=0.1))
    assert result.status == "passed", result


# --------------------------------------------------------------------------- other manners


def test_groups_can_be_added_later() -> None:
    b, c = parameters((3,), (2,))
    optimizer = Adam([b], lr=0.1)
    advance(optimizer, [b], range(2))
    optimizer.add_param_group({"params": c, "lr": 0.5, "dialect": "keras.AdamW"})
    group = optimizer.param_groups[1]
    assert (group["lr"], group["decay"], group["eps"]) == (0.5, "decoupled", 1e-8)
    advance(optimizer, [b, c], range(1))
    assert optimizer.state_dict()["state"][0]["step"] == 3
    with pytest.raises(ValueError, match="more than one parameter group"):
        optimizer.add_param_group({"params": [b]})


def test_dialects_of_groups_take_rules_and_leave_numbers() -> None:
    params = parameters((3,))
    optimizer = Adam([{"params": params, "dialect": "keras.Adam"}], lr=0.1, eps=1e-3)
    assert optimizer.param_groups[0]["epsilon"] == "outside-uncorrected"
    assert optimizer.param_groups[0]["eps"] == 1e-3
    assert "dialect" not in optimizer.param_groups[0]


def test_what_cannot_be_optimized() -> None:
    whole = torch.ones(2, dtype=torch.int64)
    optimizer = Adam([whole, torch.ones(2)])  # without a gradient nothing is asked of it
    optimizer.step()
    meta = Parameter(torch.ones(2, device="meta"))
    meta.grad = torch.ones(2, device="meta")
    with pytest.raises(errors.ParameterError, match="meta"):
        Adam([meta]).step()
    small = Parameter(torch.ones(2))
    small.grad = torch.ones(2)
    with pytest.raises(errors.HyperparameterError, match="1e-60"):
        Adam([small], eps=1e-60).step()


def test_tensor_settings() -> None:
    params, again = parameters((3,)), parameters((3,))
    betas = (torch.tensor([0.5]), torch.tensor([[0.75]]))
    a = Adam(params, lr=torch.tensor([0.25]), betas=betas)
    b = Adam(again, lr=0.25, betas=(0.5, 0.75))
    for optimizer, them in ((a, params), (b, again)):
        advance(optimizer, them, range(4))
    assert bits(params) == bits(again)
    a.param_groups[0]["lr"].fill_(0.125)
    b.param_groups[0]["lr"] = 0.125
    a.param_groups[0]["betas"] = (torch.tensor(0.25), torch.tensor(0.5))
    b.param_groups[0]["betas"] = (0.25, 0.5)
    for optimizer, them in ((a, params), (b, again)):
        advance(optimizer, them, range(4, 6))
    assert bits(params) == bits(again)
    with pytest.raises(errors.HyperparameterError, match="only lr can be differentiated"):
        Adam(params, betas=(torch.tensor(0.5, requires_grad=True), torch.tensor(0.5)))


def test_zero_grad() -> None:
    params = parameters((3,))
    optimizer = Adam(params)
    params[0].grad = torch.ones(3)
    optimizer.zero_grad(set_to_none=False)
    assert params[0].grad is not None
    assert not params[0].grad.any()
    optimizer.zero_grad()
    assert params[0].grad is None


def test_the_module_gives_them_by_name() -> None:
    from adamcore.backends import torch as module

    assert module.Adam is Adam
    assert issubclass(AdamW, torch.optim.Optimizer)
    with pytest.raises(AttributeError, match="Adamw"):
        _ = module.Adamw
    assert Path(module.__file__).stem == "torch"
