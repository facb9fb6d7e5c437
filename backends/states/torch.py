"""The ``state_dict`` of PyTorch's optimizers, and those of Apex and DeepSpeed, which have the same form."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from adamcore.adam import Adam
from adamcore.axes import AXES
from adamcore.backends.states.fitting import differences
from adamcore.backends.states.named import Moments, NamedState, listed, numpy_of, unique, whole_number
from adamcore.config import MOMENT_DTYPES
from adamcore.dialects import dialect as dialect_named
from adamcore.errors import CheckpointError, ConversionError

MAX_FLOAT_CLOCK = 2**24  #: the last whole number to which PyTorch's float32 step counts


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
    state_dict, names = of_optimizer(state_dict, names)
    if not isinstance(state_dict, Mapping) or not {"state", "param_groups"} <= set(state_dict):
        keys = listed(state_dict) if isinstance(state_dict, Mapping) else type(state_dict).__name__
        if isinstance(state_dict, Mapping) and {
            "base_optimizer_state",
            "single_partition_of_fp32_groups",
        } & set(state_dict):
            raise CheckpointError(
                "a partition of DeepSpeed's ZeRO: its moments are flat slices without names; convert the "
                "checkpoint to DeepSpeed's universal form first (ds_to_universal.py)"
            )
        raise CheckpointError(
            f"no state_dict of an optimizer: it has {keys}; expected 'state' and 'param_groups'"
        )
    groups, states = state_dict["param_groups"], state_dict["state"]
    order = [i for group in groups for i in group["params"]]
    shapes = {i: each["exp_avg"].shape for i in order if "exp_avg" in (each := each_of(states, i))}
    called = names_of(groups, names, by_position, shapes)
    row = dialect or dialect_of_keys(groups[0] if groups else {}, next(iter(states.values()), {}))
    adams = [adam_of_group(group, row) for group in groups]
    leaves, special = {}, {}
    for group, adam in zip(groups, adams, strict=True):
        for i in group["params"]:
            name, each = called[i], each_of(states, i)
            if not each:
                continue
            step = each.get("step", group.get("step"))
            if step is None or "exp_avg" not in each or "exp_avg_sq" not in each:
                raise CheckpointError(
                    f"state of {name} has {listed(each)}: expected 'step' (or a step of its group), "
                    "'exp_avg' and 'exp_avg_sq'; this is no Adam"
                )
            v_max, mu = each.get("max_exp_avg_sq"), each.get("mu_product")
            leaves[name] = Moments(
                whole_number(step, f"step of {name}"),
                numpy_of(each["exp_avg"]),
                numpy_of(each["exp_avg_sq"]),
                None if v_max is None else numpy_of(v_max),
                None if mu is None else float(mu),
            )
            special[name] = {k: getattr(adam, k) for k in HYPER if getattr(adam, k) != getattr(adams[0], k)}
    return NamedState(adams[0], leaves, {n: x for n, x in special.items() if x}, row)


HYPER = ("lr", "b1", "b2", "eps", "weight_decay", "momentum_decay")


def each_of(states: Mapping[Any, Any], i: Any) -> Mapping[str, Any]:
    """Return the state of the parameter with this id; JSON makes strings of ids."""
    each: Mapping[str, Any] = states.get(i) or states.get(str(i)) or {}
    return each


def of_optimizer(source: Any, names: Iterable[Any] | None) -> tuple[Any, Iterable[Any] | None]:
    """Return the ``state_dict`` of an optimizer, and the names of its parameters, a list for each group.

    Anything else than an optimizer is returned as it is.

    Raises:
        CheckpointError: the names are those of another model's parameters.
    """
    if not callable(getattr(source, "state_dict", None)) or not hasattr(source, "param_groups"):
        return source, names
    if names is None:
        return source.state_dict(), None
    given = list(names)
    if not all(is_pair(entry) for entry in given):
        return source.state_dict(), given
    found = {id(parameter): (name, parameter) for name, parameter in given}
    for number, group in enumerate(source.param_groups):
        for p in group["params"]:
            if id(p) not in found:
                raise CheckpointError(
                    f"group {number} of the optimizer has a parameter of shape {tuple(p.shape)} that none of "
                    "the names belongs to: expected the names of the model whose parameters it steps"
                )
    return source.state_dict(), [[found[id(p)] for p in group["params"]] for group in source.param_groups]


def is_pair(entry: Any) -> bool:
    """True for a name with its parameter, as ``model.named_parameters()`` gives them."""
    return isinstance(entry, tuple) and len(entry) == 2 and hasattr(entry[1], "shape")


def names_of(
    groups: list[dict[str, Any]],
    names: Iterable[Any] | None,
    by_position: bool,
    shapes: Mapping[Any, Any],
) -> dict[Any, str]:
    """Return the name of each id in a ``state_dict``.

    Args:
        groups: its parameter groups.
        names: strings, pairs of a name and a parameter, or a list of these for each group.
        by_position: if True, and without names, the ids are counted.
        shapes: the shapes of the moments, by id.

    Raises:
        CheckpointError: there are no names, or not as many as parameters; their order is not known; or a
            parameter has another shape than its moments.
    """
    order = [i for group in groups for i in group["params"]]
    several = sum(1 for group in groups if group["params"]) > 1
    if names is None and not by_position:
        own = [name for group in groups for name in group.get("param_names", [])]
        if len(own) != len(order):
            raise CheckpointError(
                f"the state_dict numbers its {len(order)} parameters and does not name them: give their "
                f"names in the optimizer's order ({SEVERAL if several else ONE}), or ask for "
                "by_position=True (--by-position)"
            )
        names = own
    if names is None:
        names = [str(k) for k in range(len(order))]
    given = list(names)
    if any(isinstance(entry, str) or is_pair(entry) for entry in given):
        if several and any(is_pair(entry) for entry in given):
            raise CheckpointError(
                f"the model's order is not that of the optimizer's {len(groups)} groups: give the names in "
                f"the optimizer's order ({SEVERAL})"
            )
    else:
        sizes = [len(entry) for entry in given], [len(group["params"]) for group in groups]
        if sizes[0] != sizes[1]:
            raise CheckpointError(f"names for groups of {sizes[0]} parameters: expected {sizes[1]}")
        given = [entry for group in given for entry in group]
    listing = unique([entry if isinstance(entry, str) else entry[0] for entry in given])
    if len(listing) != len(order):
        raise CheckpointError(f"{len(listing)} names for {len(order)} parameters: expected one for each")
    for i, entry in zip(order, given, strict=True):
        if is_pair(entry) and i in shapes and tuple(shapes[i]) != tuple(entry[1].shape):
            raise CheckpointError(
                f"{entry[0]} has shape {tuple(entry[1].shape)} and the moments in its place "
                f"{tuple(shapes[i])}: the names are not in the optimizer's order"
            )
    return dict(zip(order, listing, strict=True))


ONE = "names=model.named_parameters(), on the command line --names FILE"
SEVERAL = (
    "names=[[names of the first group], ...]; or give the optimizer itself with "
    "names=model.named_parameters(); on the command line --names FILE, one group after another"
)


def dialect_of_keys(group: Mapping[str, Any], each: Mapping[str, Any]) -> str:
    """Return the dialect that the keys of a group and of a parameter's state tell; "" for our own class.

    Raises:
        CheckpointError: the keys do not tell it.
    """
    if is_ours(group):
        return ""
    if "momentum_decay" in group:
        return "torch.NAdam"
    if "decoupled_weight_decay" in group:
        return "torch.AdamW" if group["decoupled_weight_decay"] else "torch.Adam"
    if "bias_correction" in group and "step" in group:
        return "apex.FusedAdam"
    if "bias_correction" in group and "step" in each:
        return "deepspeed.FusedAdam"
    raise CheckpointError(
        f"a group with {listed(group, 12)} does not tell whose Adam it is: expected 'decoupled_weight_decay' "
        "(torch.optim) or 'bias_correction' (Apex, DeepSpeed); give dialect='torch.AdamW' or another row "
        "(--dialect)"
    )


def is_ours(group: Mapping[str, Any]) -> bool:
    """True for a group of ``adamcore.backends.torch.Adam``, which has every axis."""
    return "decay_order" in group


def adam_of_group(group: Mapping[str, Any], row: str) -> Adam:
    """Return the Adam of a parameter group in a ``state_dict``."""
    if is_ours(group):
        axes: dict[str, Any] = {axis: group[axis] for axis in AXES if axis in group}
        if isinstance(axes["amsgrad"], bool):
            axes["amsgrad"] = "uncorrected" if axes["amsgrad"] else "none"
        own: dict[str, Any] = {name: float(group[name]) for name in (*HYPER, "eps_root") if name in group}
        b1, b2 = (float(b) for b in group["betas"])
        dtypes: dict[str, Any] = {name: group.get(name) for name in MOMENT_DTYPES}
        return Adam(b1=b1, b2=b2, **dtypes, **own, **axes)
    b1, b2 = (float(b) for b in group["betas"])
    numbers: dict[str, Any] = {"lr": float(group["lr"]), "b1": b1, "b2": b2, "eps": float(group["eps"])}
    numbers["weight_decay"] = float(group.get("weight_decay", 0.0))
    if "momentum_decay" in group:
        numbers["momentum_decay"] = float(group["momentum_decay"])
    axes = {}
    if group.get("amsgrad"):
        axes["amsgrad"] = "uncorrected"
    if group.get("maximize"):
        axes["maximize"] = True
    if not group.get("bias_correction", True):
        axes["bias_correction"] = "none"
    if "decoupled_weight_decay" in group:
        axes["decay"] = "decoupled" if group["decoupled_weight_decay"] else "l2"
    return dialect_named(row).adam(**numbers, **axes)


def to_torch(
    state: NamedState,
    like: Any,
    names: Iterable[Any] | None = None,
    *,
    by_position: bool = False,
) -> dict[str, Any]:
    """Return a ``state_dict`` with which an optimizer continues.

    Its hyperparameters are those of the state.  A parameter that the state does not have gets no state, as
    if it had no gradient so far.

    Args:
        state: in the dialect of the optimizer; :func:`fit` makes it so.
        like: the optimizer's own ``state_dict()``, which gives the groups, or the optimizer itself.
        names, by_position: the names of the optimizer's parameters, as for :func:`from_torch`.

    Raises:
        CheckpointError: there are no names, or the optimizer lacks a parameter of the state.
        ConversionError: a group cannot hold the hyperparameters, clocks differ in a group that has one, or
            a clock is above 2**24, where PyTorch's float32 step stops counting.
    """
    import torch

    like, names = of_optimizer(like, names)
    groups: list[dict[str, Any]] = copy.deepcopy(list(like["param_groups"]))
    states: dict[Any, dict[str, Any]] = {}
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
    for number, group in enumerate(groups):
        mine = [called[i] for i in group["params"] if called[i] in state.leaves]
        fill_group(group, number, state, mine)
        if in_group:
            group["step"] = shared_clock(state, mine, number)
            products = {state.leaves[name].mu_product for name in mine}
            group |= {"mu_product": products.pop()} if "mu_product" in group and mine else {}
    for i in order:
        leaf = state.leaves.get(called[i])
        if leaf is None:
            continue
        each: dict[str, Any] = {}
        if ours or not in_group:
            each["step"] = torch_step(leaf.t, called[i], ours)
        each |= {"exp_avg": tensor(leaf.m), "exp_avg_sq": tensor(leaf.v)}
        if leaf.v_max is not None:
            each["max_exp_avg_sq"] = tensor(leaf.v_max)
        if leaf.mu_product is not None:
            each["mu_product"] = torch.tensor(leaf.mu_product)
        states[i] = each
    return {"state": states, "param_groups": groups}


def check_shapes(state: NamedState, names: list[Any] | None) -> None:
    """Raise CheckpointError if a parameter that is given with its name has another shape than its moments."""
    flat = [x for entry in names or [] for x in (entry if isinstance(entry, list) else [entry])]
    for name, parameter in filter(is_pair, flat):
        if name in state.leaves and tuple(parameter.shape) != state.leaves[name].m.shape:
            raise CheckpointError(
                f"{name} has shape {tuple(parameter.shape)} and its moments {state.leaves[name].m.shape}: "
                "expected the same; rename the state with axes first"
            )


def fill_group(group: dict[str, Any], number: int, state: NamedState, names: list[str]) -> None:
    """Set a group's hyperparameters to those of its parameters.

    Raises:
        ConversionError: they differ among the parameters, or the group cannot hold them.
    """
    if not names:
        return
    adams = {name: state.adam_of(name) for name in names}
    first = adams[names[0]]
    other = next((name for name in names if adams[name] != first), None)
    if other is not None:
        raise ConversionError(
            f"group {number} holds {names[0]!r} and {other!r}, whose hyperparameters differ: expected one "
            "set for a group; make the optimizer with a group for each"
        )
    group |= {
        "lr": first.lr,
        "betas": (first.b1, first.b2),
        "eps": first.eps,
        "weight_decay": first.weight_decay,
    }
    if is_ours(group):
        group |= {"eps_root": first.eps_root, "momentum_decay": first.momentum_decay}
    switches = {
        "amsgrad": first.amsgrad != "none",
        "maximize": first.maximize,
        "decoupled_weight_decay": first.decay == "decoupled",
        "bias_correction": first.bias_correction == "both",
        "momentum_decay": first.momentum_decay,
    }
    if not is_ours(group):  # whose axes are the program's
        group |= {name: value for name, value in switches.items() if name in group}
    kept = adam_of_group(group, state.dialect if state.dialect else dialect_of_keys(group, {}))
    has_complex = any(np.iscomplexobj(state.leaves[name].m) for name in names)
    lacking = differences(first, kept, has_complex=has_complex)
    if lacking:
        raise ConversionError(
            f"group {number} can't hold {', '.join(f'{n}={getattr(first, n)!r}' for n in lacking)}"
        )


def shared_clock(state: NamedState, names: list[str], number: int) -> int:
    """Return the clock of a group that has one for all its parameters.

    Raises:
        ConversionError: the clocks differ.
    """
    clocks = {state.leaves[name].t for name in names}
    if len(clocks) > 1:
        raise ConversionError(
            f"the clocks in group {number} differ ({min(clocks)} to {max(clocks)}) and its optimizer keeps "
            "one for the group: choose one first (fit(..., clock='max'))"
        )
    return clocks.pop() if clocks else 0


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
