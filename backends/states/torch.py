"""The ``state_dict`` of PyTorch's optimizers, and those of Apex and DeepSpeed, which have the same form."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from adamcore.axes import AXES
from adamcore.backends.checkpoints.quantizers import (
    Kept,
    entry_of,
    library_of,
    refuse_without_optimizer,
    row_of,
)
from adamcore.backends.checkpoints.state_dicts import as_state_dict, check_form, refuse_partition
from adamcore.backends.states.named import Moments, NamedState, listed, numpy_of, whole_number
from adamcore.backends.states.quantized import FIELDS, array_of, check_entry, codes_of, is_adam, plain_entry
from adamcore.backends.states.torch_groups import (
    HYPER,
    adam_of_group,
    dialect_of_keys,
    fill_group,
    is_ours,
    shared_clock,
)
from adamcore.backends.states.torch_names import check_shapes, names_of, of_optimizer
from adamcore.config import STORAGE
from adamcore.errors import CheckpointError, ConversionError

MAX_FLOAT_CLOCK = 2**24  #: the last whole number to which PyTorch's float32 step counts


PARTS = frozenset({"step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq", "mu_product", "p_rest", "coded"})
"""What the state of a parameter is read from, under the names of PyTorch."""


def from_torch(
    state_dict: Any,
    names: Iterable[Any] | None = None,
    *,
    dialect: str | None = None,
    by_position: bool = False,
) -> NamedState:
    """Return the state in a ``state_dict`` of torch.optim's Adam, AdamW or NAdam, or of a FusedAdam.

    FusedAdam is that of Apex or DeepSpeed.  A parameter that had no gradient so far has no state, and the
    result leaves it out.

    Args:
        state_dict: the result of ``optimizer.state_dict()``, or the optimizer itself.
        names: the parameters' names, as strings in the optimizer's order, one group after another; a list
            for each group; or ``model.named_parameters()``, whose shapes are compared with the moments'.
            The model's order is the optimizer's if there is one group; with several, give the optimizer
            itself as well, whose parameters are then found in the model.  A state_dict with
            ``param_names`` needs none.
        dialect: a row of :mod:`adamcore.dialects`, if the state_dict does not tell it.
        by_position: if True, call the parameters "0", "1", and so on, in the optimizer's order.

    Raises:
        CheckpointError: it is no such state_dict, it has no names, or the names are those of parameters of
            other shapes.
        ClockError: a step is no whole number.
    """
    source, names = of_optimizer(state_dict, names)
    whole = as_state_dict(source)
    if whole is None:
        refuse_partition(source, "this")
        keys = listed(map(str, source)) if isinstance(source, Mapping) else type(source).__name__
        raise CheckpointError(
            f"no state_dict of an optimizer: it has {keys}; expected 'state' and 'param_groups'"
        )
    check_form(whole)
    groups = whole["param_groups"]
    if not groups:
        raise CheckpointError("the state_dict has no group of parameters: expected one at least")
    raw = {i: each_of(whole["state"], i) for group in groups for i in group["params"]}
    plain = {i: plain_entry(each, f"parameter {i}") for i, each in raw.items() if each}
    entries = {i: entry for i, (entry, _) in plain.items() if is_adam(entry)}
    shapes = {i: entry["exp_avg"].shape for i, entry in entries.items() if "exp_avg" in entry}
    called = names_of(groups, names, by_position, shapes)
    others = [i for i in plain if i not in entries]
    if others and not entries:
        check_entry(plain[others[0]][0], None, called[others[0]])
    of_adam = [group for group in groups if any(i in entries for i in group["params"])] or groups[:1]
    first = next(iter(entries), None)
    row = dialect or dialect_of_keys(of_adam[0], raw.get(first, {}))
    adams = [adam_of_group(group, row) for group in of_adam]
    leaves: dict[str, Moments] = {}
    special: dict[str, dict[str, Any]] = {}
    for group, adam in zip(of_adam, adams, strict=True):
        own = {
            k: getattr(adam, k) for k in (*HYPER, *AXES, *STORAGE) if getattr(adam, k) != getattr(adams[0], k)
        }
        for i in group["params"]:
            if i in entries:
                leaves[called[i]] = moments_of(entries[i], group.get("step"), called[i])
                special |= {called[i]: own} if own else {}
    warn_of_others({called[i]: plain[i][0] for i in others})
    warn_of_more({called[i]: entry for i, entry in entries.items()})
    warn_of_codes({called[i]: kind for i, (_, kind) in plain.items() if kind})
    return NamedState(adams[0], leaves, special, row)


def each_of(states: Mapping[Any, Any], i: Any) -> Mapping[str, Any]:
    """Return the state of the parameter with this id; JSON makes strings of ids."""
    each: Mapping[str, Any] = states[i] if i in states else states.get(str(i), {})
    return each


def moments_of(entry: Mapping[str, Any], shared_step: Any, name: str) -> Moments:
    """Return the moments in a parameter's state.

    Raises:
        CheckpointError: it is no Adam's.
        ClockError: its step is no whole number.
    """
    step = entry.get("step", shared_step)
    check_entry(entry, step, name)
    v_max, mu = entry.get("max_exp_avg_sq"), entry.get("mu_product")
    return Moments(
        whole_number(step, f"step of {name}"),
        entry["exp_avg"],
        entry["exp_avg_sq"],
        v_max,
        None if mu is None else float(array_of(mu, f"mu_product of {name}", size=1).reshape(-1)[0]),
        None if "p_rest" not in entry else numpy_of(entry["p_rest"]),
        entry.get("coded", {}),
    )


def warn_of_others(entries: Mapping[str, Mapping[str, Any]]) -> None:
    """Warn that these parameters' states are left out: they are no Adam's."""
    if entries:
        kept = dict.fromkeys(str(key) for entry in entries.values() for key in entry)
        warnings.warn(
            f"left out: {len(entries)} parameters whose state is no Adam's ({listed(entries)}; they have "
            f"{listed(kept)})",
            stacklevel=4,
        )


def warn_of_more(entries: Mapping[str, Mapping[str, Any]]) -> None:
    """Warn of what stands beside moments and is no part of an Adam: GaLore's projector, for one."""
    more = {name: [key for key in entry if key not in PARTS] for name, entry in entries.items()}
    having = [name for name, keys in more.items() if keys]
    if having:
        kept = dict.fromkeys(str(key) for keys in more.values() for key in keys)
        warnings.warn(
            f"left out: {listed(kept)} in the states of {len(having)} parameters ({listed(having)}), no part "
            "of an Adam's: if steps of the optimizer that saved them depend on them, those of another go on "
            "otherwise",
            stacklevel=4,
        )


def warn_of_codes(kinds: Mapping[str, str]) -> None:
    """Warn that these parameters' moments were quantised."""
    if kinds:
        warnings.warn(
            f"the moments of {len(kinds)} parameters ({listed(kinds)}) were quantised to "
            f"{', '.join(sorted(set(kinds.values())))}: read as the numbers that the codes stand for",
            stacklevel=4,
        )


def to_torch(
    state: NamedState,
    like: Any,
    names: Iterable[Any] | None = None,
    *,
    by_position: bool = False,
) -> dict[str, Any]:
    """Return a ``state_dict`` with which an optimizer continues.

    Its hyperparameters are those of the state.  A parameter that the state does not have gets no state, as
    if it had no gradient so far.  An optimizer of bitsandbytes or torchao gets codes where it keeps codes:
    those of the state under ``m_storage="blockwise8"``, others rounded once.

    Args:
        state: in the dialect of the optimizer; :func:`fit` makes it so.
        like: the optimizer's own ``state_dict()``, which gives the groups, or the optimizer itself, which
            those of bitsandbytes and torchao need.
        names, by_position: the names of the optimizer's parameters, as for :func:`from_torch`.

    Raises:
        CheckpointError: there are no names, or the optimizer lacks a parameter of the state.
        ConversionError: a group cannot hold the hyperparameters, clocks differ in a group that has one, or
            a clock is above 2**24, where PyTorch's float32 step stops counting.
    """
    import torch

    optimizer, (like, names) = like, of_optimizer(like, names)
    whole = as_state_dict(like)
    if whole is None:
        raise CheckpointError("like is no state_dict of an optimizer: expected 'state' and 'param_groups'")
    check_form(whole)
    groups: list[dict[str, Any]] = copy.deepcopy(list(whole["param_groups"]))
    states: dict[Any, dict[str, Any]] = {}
    quantises = library_of(optimizer) is not None
    if not quantises:
        refuse_without_optimizer(groups, whole["state"])
    elif not state.dialect:
        state = replace(state, dialect=row_of(optimizer))
    order = [i for group in groups for i in group["params"]]
    names = None if names is None else list(names)
    called = names_of(groups, names, by_position, {})
    check_shapes(state, names)
    extra = [name for name in state.leaves if name not in called.values()]
    if extra:
        raise CheckpointError(
            f"the optimizer has no parameter called {listed(extra)}: rename the state first"
        )
    in_group = any("step" in group for group in groups)
    ours = any(is_ours(group) for group in groups)
    places = {i: (k, at) for k, group in enumerate(groups) for at, i in enumerate(group["params"])}
    for number, group in enumerate(groups):
        mine = [called[i] for i in group["params"] if called[i] in state.leaves]
        lr = group["lr"]
        fill_group(group, number, state, mine)
        if isinstance(lr, torch.Tensor):  # a compiled step would not see another number
            group["lr"] = torch.full_like(lr, group["lr"])
        if in_group:
            group["step"] = shared_clock(state, mine, number)
            products = {state.leaves[name].mu_product for name in mine}
            group |= {"mu_product": products.pop()} if "mu_product" in group and mine else {}
    for i in order:
        leaf = state.leaves.get(called[i])
        if leaf is None:
            continue
        each: dict[str, Any] = {}
        if quantises:
            states[i] = entry_of(optimizer, places[i], kept_of(leaf))
            continue
        if ours or not in_group:
            each["step"] = torch_step(leaf.t, called[i], ours)
        each |= {"exp_avg": tensor(leaf.m), "exp_avg_sq": tensor(leaf.v)}
        if leaf.v_max is not None:
            each["max_exp_avg_sq"] = tensor(leaf.v_max)
        for key, name in FIELDS.items():
            if ours and name in leaf.coded:
                each |= {key: tensor(leaf.coded[name].codes), f"{key}_scale": tensor(leaf.coded[name].scales)}
        if leaf.p_rest is not None:
            each["p_rest"] = tensor(leaf.p_rest)
        if leaf.mu_product is not None:
            each["mu_product"] = torch.tensor(leaf.mu_product)
        states[i] = each
    return {"state": states, "param_groups": groups}


def kept_of(leaf: Moments) -> Kept:
    """Return what an optimizer that quantises is to keep of a parameter."""
    numbers = {"m": leaf.m, "v": leaf.v} | ({} if leaf.v_max is None else {"v_max": leaf.v_max})

    def codes(part: str) -> tuple[Any, Any]:
        own = leaf.coded.get(part)
        if own is None or own.policy != "blockwise8":
            own = codes_of(numbers[part], part, "blockwise8")
        return own.codes, own.scales

    return Kept(leaf.t, numbers, codes)


def torch_step(t: int, name: str, ours: bool) -> Any:
    """Return a clock as PyTorch stores it, or above 2**24 in an integer for our own optimizer.

    Raises:
        ConversionError: it is above 2**24, and the optimizer is PyTorch's.
    """
    import torch

    if ours and t > MAX_FLOAT_CLOCK:
        return torch.tensor(t, dtype=torch.int64)
    if t > MAX_FLOAT_CLOCK:
        raise ConversionError(
            f"the clock of {name} is {t}, and PyTorch's float32 step stops at 2**24 = {MAX_FLOAT_CLOCK}: "
            "expected no more; adamcore.backends.torch.Adam counts on in an integer"
        )
    return torch.tensor(float(t), dtype=torch.float32)


def tensor(x: Any) -> Any:
    """Return a copy of a NumPy array as a tensor."""
    import torch

    if x.dtype.kind == "V":  # ml_dtypes' bfloat16
        return torch.from_numpy(x.astype(np.float32)).to(torch.bfloat16)
    return torch.from_numpy(np.array(x))
