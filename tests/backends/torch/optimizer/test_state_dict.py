"""state_dict and load_state_dict: a run goes on in PyTorch's optimizer, and PyTorch's in ours."""

from __future__ import annotations

import copy
import pickle
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from replay import Record
from torch_runs import VERSION, advance, bits, parameters, through_a_file, values

import adamcore
from adamcore import errors
from adamcore.backends.states import from_torch
from adamcore.backends.torch import Adam, AdamW
from adamcore.backends.torch.optimizer.param_groups import core_of

THEIRS: dict[Any, Any] = {Adam: torch.optim.Adam, AdamW: torch.optim.AdamW}


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
    fresh = Adam(params, dialect="torch.NAdam")
    optimizer: Any = torch.optim.NAdam(params, lr=0.05)
    for k in range(3):
        advance(optimizer, params, range(5 * k, 5 * k + 5), record)
        other: Any = torch.optim.NAdam(params) if k else Adam(params, dialect="torch.NAdam")
        other.load_state_dict(through_a_file(optimizer.state_dict()))
        optimizer = other
    fresh.load_state_dict(optimizer.state_dict())
    assert fresh.state_dict()["state"][0]["mu_product"].dtype == torch.float64  # theirs is float32
    result = record.judge(adamcore.Adam.like("torch.NAdam", lr=0.05))
    assert result.status == "passed", result


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"nesterov": "dozat"},
        {"clock": "global"},
        {"clock": "global", "nesterov": "dozat"},
        {"capturable": True},
        {"amsgrad": "corrected"},
    ],
)
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
    assert core_of(ours.param_groups[0], ours.rules).decay == "l2"

    turned.load_state_dict(Adam(params).state_dict())
    again = torch.optim.AdamW(params)
    again.load_state_dict(turned.state_dict())  # carries nothing of ours
    assert "decay" not in again.param_groups[0]
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


def test_moments_keep_their_own_dtype() -> None:
    """torch.optim casts float32 moments of bfloat16 parameters to bfloat16 when it loads them."""
    params = parameters((3,), dtype=torch.bfloat16)
    optimizer = Adam(params, moment_dtype="float32")
    advance(optimizer, params, range(3))
    again = Adam(params, moment_dtype="float32")
    again.load_state_dict(through_a_file(optimizer.state_dict()))
    assert again.state[params[0]]["exp_avg"].dtype == torch.float32
    assert bits(again.state_dict()) == bits(optimizer.state_dict())


@pytest.mark.parametrize(("name", "wide"), [("m_dtype", "exp_avg"), ("v_dtype", "exp_avg_sq")])
def test_one_moment_keeps_its_own_dtype(name: str, wide: str) -> None:
    params = parameters((3,), dtype=torch.bfloat16)
    dtype: dict[str, Any] = {name: "float32"}
    optimizer = Adam(params, **dtype)
    advance(optimizer, params, range(3))
    saved = optimizer.state_dict()
    dtypes = {k: optimizer.state[params[0]][k].dtype for k in ("exp_avg", "exp_avg_sq")}
    assert [k for k, dtype in dtypes.items() if dtype == torch.float32] == [wide]
    again = Adam(params, **dtype)
    again.load_state_dict(through_a_file(saved))
    assert bits(again.state_dict()) == bits(saved)
    assert getattr(from_torch(saved, names=["w"]).adam, name) == "float32"
    with pytest.raises(errors.StateError, match=rf"\['{wide}'\] is in torch.float32.*moment_dtype="):
        Adam(params).load_state_dict(saved)
    other = {k: v for k, v in saved["param_groups"][0].items() if k != name}
    with pytest.raises(errors.StateError, match=rf"\['{wide}'\] is in torch.float32, which torch.bfloat16"):
        Adam(params).load_state_dict(saved | {"param_groups": [other]})


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


NADAM: dict[str, Any] = {"dialect": "torch.NAdam"}


@pytest.mark.parametrize(
    ("cls", "settings", "theirs"),
    [(Adam, {}, torch.optim.Adam), (AdamW, {}, torch.optim.AdamW), (Adam, NADAM, torch.optim.NAdam)],
)
def test_groups_have_the_keys_of_pytorchs(cls: Any, settings: Any, theirs: Any) -> None:
    """Of the settings that PyTorch does not have, only a group that uses one of its own has any."""
    [p] = parameters((3,))
    plain, ours = theirs([p]), cls([p], **settings)
    own = cls([p], **settings | {"clock": "global"})
    for optimizer in (ours, cls([p], **settings | {"moment_dtype": "float64"}), own):
        assert optimizer.param_groups[0].keys() == plain.param_groups[0].keys()
    assert ours.state_dict()["param_groups"] == plain.state_dict()["param_groups"]
    assert own.state_dict()["param_groups"][0]["clock"] == "global"
    group = cls([{"params": [p], "dialect": f"torch.{cls.__name__}"}], clock="global").param_groups[0]
    assert group["clock"] == "per-parameter"  # as its optimizer has another
    ours.load_state_dict(plain.state_dict())
    assert ours.param_groups[0].keys() == plain.param_groups[0].keys()


@pytest.mark.parametrize("how", [lambda x: x, copy.deepcopy, through_a_file])
def test_a_rule_that_our_checkpoint_leaves_out_is_pytorchs(how: Any) -> None:
    params = parameters((3,))
    saved = how(Adam(params).state_dict())
    other = Adam(params, epsilon="inside-corrected")
    with pytest.raises(errors.StateError, match="saved with epsilon='outside-corrected'"):
        other.load_state_dict(saved)
    saved["param_groups"][0]["epsilon"] = "inside-corrected"  # on purpose
    other.load_state_dict(saved)


@pytest.mark.parametrize("flat", [False, True], ids=["nested", "flat"])
@pytest.mark.parametrize(
    ("theirs", "ours"),
    [(torch.optim.AdamW, AdamW), (torch.optim.NAdam, partial(Adam, **NADAM))],
    ids=["AdamW", "NAdam"],
)
def test_pytorchs_distributed_checkpoint(theirs: Any, ours: Any, flat: bool, tmp_path: Path) -> None:
    """Theirs is read into ours and ours into theirs, by qualified names."""
    dcp = pytest.importorskip("torch.distributed.checkpoint")
    from torch.distributed.checkpoint.state_dict import (
        StateDictOptions,
        get_optimizer_state_dict,
        set_optimizer_state_dict,
    )

    options = StateDictOptions(flatten_optimizer_state_dict=flat)
    previous = None
    for k, kind in enumerate((theirs, ours, theirs)):
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Linear(2, 1))
        optimizer = kind(model.parameters(), lr=0.05 if k == 0 else 0.5)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # there is one process
            if previous is not None:
                found = get_optimizer_state_dict(model, optimizer, options=options)
                dcp.load(found, checkpoint_id=tmp_path / str(k - 1))
                set_optimizer_state_dict(model, optimizer, found, options=options)
                own = optimizer.state_dict()
                for each in (*own["state"].values(), *previous["state"].values()):
                    each |= {"mu_product": each["mu_product"].float()} if "mu_product" in each else {}
                assert bits(own["state"]) == bits(previous["state"])
                assert optimizer.param_groups[0]["lr"] == 0.05
            else:
                advance(optimizer, list(model.parameters()), range(4))
            previous = copy.deepcopy(optimizer.state_dict())
            dcp.save(
                get_optimizer_state_dict(model, optimizer, options=options), checkpoint_id=tmp_path / str(k)
            )


@pytest.mark.parametrize("how", ["in memory", "a folder"])
def test_a_flattened_checkpoint_of_pytorchs_is_read_under_other_rules(how: str, tmp_path: Path) -> None:
    """PyTorch has no words for the rules of ours, and asks a checkpoint for what the group spells out."""
    dcp: Any = pytest.importorskip("torch.distributed.checkpoint")
    from torch.distributed.checkpoint.default_planner import DefaultLoadPlanner
    from torch.distributed.checkpoint.state_dict import (
        StateDictOptions,
        get_optimizer_state_dict,
        set_optimizer_state_dict,
    )

    options = StateDictOptions(flatten_optimizer_state_dict=True)
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 2)
    theirs = torch.optim.Adam(model.parameters(), lr=0.05)
    ours = Adam(model.parameters(), moment_dtype="float64", epsilon="inside-corrected")
    advance(theirs, list(model.parameters()), range(3))
    theirs.zero_grad()
    found = get_optimizer_state_dict(model, theirs, options=options)
    if how == "a folder":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # there is one process
            dcp.save(found, checkpoint_id=tmp_path)
            found = get_optimizer_state_dict(model, ours, options=options)
            partial_load = DefaultLoadPlanner(allow_partial_load=True)
            dcp.load(found, checkpoint_id=tmp_path, planner=partial_load)
    set_optimizer_state_dict(model, ours, found, options=options)
    assert ours.param_groups[0]["lr"] == 0.05
    core = core_of(ours.param_groups[0], ours.rules)
    assert (core.moment_dtype, core.epsilon) == ("float64", "inside-corrected")
    for p in model.parameters():
        assert int(ours.state[p]["step"]) == 3
        assert bits(ours.state[p]["exp_avg"]) == bits(theirs.state[p]["exp_avg"].double())


@pytest.mark.skipif(
    VERSION < (2, 10),
    reason="before torch 2.10 set_optimizer_state_dict wants a state of every parameter",
)
def test_frozen_parameters_are_found_by_their_qualified_names() -> None:
    """The group that loads has another order; a frozen parameter may have no state."""
    from torch.distributed.checkpoint.state_dict import (
        StateDictOptions,
        get_optimizer_state_dict,
        set_optimizer_state_dict,
    )

    lenient = StateDictOptions(strict=False)  # a parameter may have no state

    def made(order: int, *frozen: str) -> tuple[torch.nn.Module, AdamW]:
        model = torch.nn.Linear(3, 2)
        model.register_parameter("scale", torch.nn.Parameter(torch.ones(1)))
        named = list(model.named_parameters())[::order]
        optimizer = AdamW(named)
        optimizer.freeze(frozen)
        for _, p in named:
            p.grad = torch.ones_like(p)
        optimizer.step()
        optimizer.zero_grad()
        return model, optimizer

    def frozen(optimizer: AdamW) -> list[str]:
        [group] = optimizer.param_groups
        names = dict(zip(map(id, group["params"]), group["param_names"], strict=True))
        return sorted(names[id(p)] for p in group.get("frozen", ()))

    for early, late in (([], ["bias"]), (["bias"], []), (["bias"], ["weight"]), ([], ["weight", "bias"])):
        model, optimizer = made(1, *early)
        optimizer.freeze(late)
        saved = get_optimizer_state_dict(model, optimizer)
        other_model, other = made(-1)
        set_optimizer_state_dict(other_model, other, copy.deepcopy(saved), options=lenient)
        assert frozen(other) == sorted(early + late)
        _, by_position = made(1)
        by_position.load_state_dict(optimizer.state_dict())
        assert frozen(by_position) == frozen(other)
        assert all("frozen" not in own for own in (*other.state.values(), *by_position.state.values()))

    model, optimizer = made(1, "bias")
    found: Any = get_optimizer_state_dict(model, optimizer)
    found["state"].pop("scale")
    [group] = found["param_groups"]
    group["params"] = group["params"][::-1]
    with pytest.raises(errors.StateError, match="some of the 2 without a state"):
        optimizer.load_state_dict(found)


@pytest.mark.parametrize(
    ("saved", "mine", "kept"),
    [
        (torch.float32, torch.float16, None),
        (torch.float32, torch.bfloat16, None),
        (torch.float64, torch.float32, None),
        (torch.bfloat16, torch.float16, None),
        (torch.complex128, torch.complex64, None),
        (torch.float16, torch.float32, torch.float32),
        (torch.float32, torch.float64, torch.float64),
        (torch.complex64, torch.complex128, torch.complex128),
    ],
)
def test_moments_are_never_narrowed(saved: Any, mine: Any, kept: Any) -> None:
    """On loading and when the module is converted in the middle (MOM.4): a v of 1e-8 is 0 in float16."""
    wide = str(saved.to_real()).removeprefix("torch.")
    p = torch.nn.Parameter(torch.ones(2, dtype=saved))
    first = Adam([p], lr=1e-3, eps=1e-6)
    p.grad = torch.full((2,), 2.0**-12, dtype=saved)
    first.step()
    then = copy.deepcopy(first.state_dict())
    before = bits(first.state[p]["exp_avg_sq"].to(saved))

    q = torch.nn.Parameter(p.detach().to(mine))
    q.grad = torch.full((2,), 2.0**-12, dtype=mine)
    p.data, p.grad = p.data.to(mine), None
    p.grad = q.grad.clone()
    other = Adam([q], lr=1e-3, eps=1e-6)
    if kept is None:
        with pytest.raises(errors.StateError, match=f"moment_dtype='{wide}'"):
            other.load_state_dict(then)
        assert not other.state
        with pytest.raises(errors.StateError, match=f"moment_dtype='{wide}'"):
            first.step()
        assert bits(first.state[p]["exp_avg_sq"]) == before
        first.param_groups[0]["moment_dtype"] = wide
        then["param_groups"][0]["moment_dtype"] = wide
        other = Adam([q], lr=1e-3, eps=1e-6, moment_dtype=wide)
        kept = saved
    other.load_state_dict(then)
    first.step()
    other.step()
    assert first.state[p]["exp_avg"].dtype == other.state[q]["exp_avg"].dtype == kept
    assert bits(p.data) == bits(q.data)
    assert bits(first.state[p]["exp_avg_sq"]) == bits(other.state[q]["exp_avg_sq"])


def test_a_clock_from_numpy() -> None:
    params = parameters((3,))
    optimizer = Adam(params)
    advance(optimizer, params, range(2))
    for step in (np.int64(5), np.uint8(5), np.float32(5), np.array(5), np.array([5.0], dtype=np.float16)):
        saved = optimizer.state_dict()
        saved["state"][0]["step"] = step
        optimizer.load_state_dict(saved)
        assert int(optimizer.state[params[0]]["step"]) == 5
        optimizer.state[params[0]]["step"] = step
        optimizer.step()
        assert int(optimizer.state[params[0]]["step"]) == 6
    refused: list[tuple[Any, str]] = [
        (np.float32(2**25), "can't count"),
        (np.float64(0.5), "whole"),
        (np.bool_(True), "whole"),
    ]
    for clock, words in refused:
        saved["state"][0]["step"] = clock
        with pytest.raises(errors.ClockError, match=words):
            optimizer.load_state_dict(saved)


@pytest.mark.parametrize("cls", [Adam, torch.optim.Adam])
def test_a_checkpoint_goes_into_narrow_weights_whose_moments_stay_wide(cls: Any) -> None:
    """MOM.4: as the refusal says, and for our own checkpoints too, which name the dtype of their moments."""
    p = torch.nn.Parameter(torch.ones(2))
    first = cls([p], lr=1e-3)
    p.grad = torch.full((2,), 1e-5)
    first.step()
    saved = through_a_file(first.state_dict())
    q = torch.nn.Parameter(p.detach().half())
    wide, narrow = Adam([q], lr=1e-3, moment_dtype="float32"), Adam([q], lr=1e-3, v_dtype="float16")
    wide.load_state_dict(saved)
    assert bits(wide.state[q]["exp_avg_sq"]) == bits(first.state[p]["exp_avg_sq"])
    with pytest.raises(errors.StateError, match=r"\['exp_avg'\] is in torch.float32"):
        narrow.load_state_dict(saved)
    asked = Adam([q], lr=1e-3, moment_dtype="float16")
    asked.load_state_dict(saved)
    assert asked.state[q]["exp_avg_sq"].tolist() == [0.0, 0.0]


def test_after_a_reset_a_converted_parameter_starts_anew() -> None:
    p = torch.nn.Parameter(torch.ones(2))
    optimizer = Adam([p], lr=0.5)
    p.grad = torch.ones(2)
    optimizer.step()
    p.data, p.grad = torch.ones(2).half(), None
    p.grad = torch.ones(2).half()
    with pytest.raises(errors.StateError, match="moment_dtype"):
        optimizer.step()
    optimizer.reset(p)
    optimizer.step()
    assert p.tolist() == [0.5, 0.5]
    assert optimizer.state[p]["exp_avg"].dtype == torch.float16


@pytest.mark.parametrize("saved_by", [torch.optim.AdamW, AdamW])
def test_groups_share_a_tensor_lr_after_loading(saved_by: Any) -> None:
    """A schedule that fills it in one group goes on for all of them, as it did before."""
    a, b = parameters((2,), (2,))

    def made(cls: Any) -> Any:
        return cls([{"params": [a]}, {"params": [b]}], lr=torch.tensor(0.1))

    for state in ((saved := made(saved_by).state_dict()), through_a_file(saved)):
        resumed = made(AdamW)
        resumed.load_state_dict(state)
        first, second = resumed.param_groups
        first["lr"].fill_(0.5)
        assert second["lr"].item() == 0.5
        assert saved["param_groups"][0]["lr"] is saved["param_groups"][1]["lr"]
        assert saved["param_groups"][0]["lr"].item() == pytest.approx(0.1)
