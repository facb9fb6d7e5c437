"""The content of an optimizer's ``state_dict``, in the layout of PyTorch's Adam, AdamW and NAdam.

Each parameter has ``exp_avg``, ``exp_avg_sq``, ``step`` as a float32 tensor, and with some axes
``max_exp_avg_sq`` or ``mu_product``.  ``torch.optim`` reads what is written here, and the other way round.

A checkpoint gives the numbers (lr, betas, eps, weight decay) and the state.  The axes and the flags stay
those of the optimizer that loads it, and a checkpoint with other axes is refused.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import torch

from adamcore.adam import Adam as Core
from adamcore.backends.torch import shards
from adamcore.backends.torch.backend import backend
from adamcore.backends.torch.optimizer.clocks import (
    new_clock,
    new_product,
    number_in,
    read_clock,
    write_clock,
)
from adamcore.backends.torch.optimizer.freeze import names_of, restore_frozen
from adamcore.backends.torch.optimizer.group_keys import (
    NADAM,
    OWN,
    PYTORCH,
    Group,
    complete,
    completed_by_class,
    shorten,
)
from adamcore.backends.torch.optimizer.param_groups import (
    AMSGRAD,
    FLAGS,
    NUMBERS,
    RULES,
    core_of,
    resolve,
)
from adamcore.backends.torch.optimizer.snapshot import Snapshots, kept
from adamcore.backends.torch.optimizer.state import MOMENTS, PARTS, REST, SCALES, as_kept, rest_of
from adamcore.config import MOMENT_DTYPES
from adamcore.dtypes import DtypeTable
from adamcore.errors import BackendError, StateError


def pack(
    groups: list[Group],
    rules: Mapping[str, Any],
    state: Mapping[Any, Any],
    known: Mapping[torch.Tensor, str],
    snapshots: Snapshots,
) -> dict[str, Any]:
    """Return the ``state_dict`` of these groups and this state, which later steps do not change.

    A group spells out what it leaves out here (``rules``), unless it is as in a class of PyTorch's.
    """
    places: dict[torch.Tensor, int] = {}
    packed_groups, start = [], 0
    settings: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
    for group in groups:
        for k, p in enumerate(group["params"], start):
            places.setdefault(p, k)
        start += len(group["params"])
        left_out = ("params", "frozen", "step", "mu_product")
        packed = {k: kept(v, settings) for k, v in complete(group, rules).items() if k not in left_out}
        if not shorten(packed, PYTORCH):
            shorten(packed, NADAM)
        frozen = set(map(id, group.get("frozen", ())))
        if frozen:
            packed["frozen"] = tuple(k for k, p in enumerate(group["params"]) if id(p) in frozen)
        if "param_names" in group and None not in (names := names_of(group, known)):
            packed["param_names"] = names
        shared = is_global(group, rules)
        if shared and "step" in group:
            packed["step"] = number_in(group["step"], 0)
            packed |= {"mu_product": group["mu_product"].clone()} if "mu_product" in group else {}
        packed_groups.append(packed | {"params": [places[p] for p in group["params"]]})
    packed_state: dict[Any, Any] = {}
    for group in groups:
        shared, frozen = is_global(group, rules), set(map(id, group.get("frozen", ())))
        for p in group["params"]:
            if p in state:
                own = group if shared else state[p]
                clocks = {"step": write_clock(own["step"])} if "step" in own else {}
                clocks |= {"mu_product": own["mu_product"].clone()} if "mu_product" in own else {}
                unseen = group["capturable"] or group["differentiable"]
                packed_state[places[p]] = clocks | {
                    k: snapshots.of(v, unseen) if k in PARTS else v
                    for k, v in state[p].items()
                    if k not in clocks
                }
                if id(p) in frozen:  # under qualified names "params" may come back in another order
                    packed_state[places[p]]["frozen"] = True
    packed_state |= {k: v for k, v in state.items() if not isinstance(k, torch.Tensor)}
    packed = OrderedDict(state=packed_state, param_groups=packed_groups)
    packed._metadata = {"adamcore": 1}  # type: ignore[attr-defined] # as modules do; a file keeps it
    return packed


def says_all(state_dict: Any) -> bool:
    """True if :func:`pack` wrote this: what its groups leave out is as it is in PyTorch."""
    return "adamcore" in getattr(state_dict, "_metadata", ())


def unpack(
    groups: list[Group], rules: Mapping[str, Any], state_dict: Mapping[str, Any], whole: bool
) -> tuple[Any, list[Group]]:
    """Return the state and the groups in a ``state_dict``; they share no memory with it.

    Args:
        groups: the groups of the optimizer that loads it.
        rules: what these groups leave out.
        state_dict: written by :func:`pack` or by ``torch.optim``.
        whole: what :func:`says_all` says of it; if False, a rule that it leaves out is not compared.

    Raises:
        StateError: a group has another size or other axes, or a state does not fit its parameter.
        ClockError: as :func:`read_clock`.
        HyperparameterError: a number is outside its range.
    """
    saved_groups = state_dict["param_groups"]
    if len(saved_groups) != len(groups):
        raise StateError(
            "loaded state dict has a different number of parameter groups: "
            f"{len(saved_groups)}, expected {len(groups)}"
        )
    state: defaultdict[Any, Any] = defaultdict(dict)
    loaded, places = [], set()
    copies: dict[int, Any] = {}  # a tensor lr that the saved groups share is one tensor here too
    for i, (group, saved) in enumerate(zip(groups, saved_groups, strict=True)):
        if len(saved["params"]) != len(group["params"]):
            raise StateError(
                "loaded state dict contains a parameter group that doesn't match the size of optimizer's "
                f"group: group {i} has {len(saved['params'])} parameters, expected {len(group['params'])}"
            )
        saved = as_ordered(saved, state_dict["state"], f"param_groups[{i}]")
        new = load_group(group, rules, saved, whole, f"param_groups[{i}]", copies)
        core = core_of(new, rules)
        steps = []
        for place, p in zip(saved["params"], new["params"], strict=True):
            places.add(place)
            if place in state_dict["state"]:
                entry = with_clock_of(core, saved, state_dict["state"][place])
                own = load_state(core, new, p, entry, f"state[{place}]")
                steps += [own.pop("step")] if core.clock == "global" and "step" in own else []
                if own:
                    state[p] = own
        if core.clock == "global":
            load_global(core, new, saved, steps, i)
        loaded.append(new)
    for key, value in state_dict["state"].items():
        if key not in places:
            state[key] = deepcopy(value)
    return state, loaded


def as_ordered(saved: Mapping[str, Any], state: Mapping[Any, Any], where: str) -> Mapping[str, Any]:
    """Return a saved group in which everything is in the order of its "params".

    ``torch.distributed.checkpoint.state_dict`` puts qualified names into "params", in the order of the
    optimizer that loads, and leaves "frozen" and "param_names" as they were saved.  The state follows the
    names.

    Raises:
        StateError: names and state do not tell which parameters are frozen.
    """
    names = saved["params"]
    if not all(isinstance(name, str) for name in names):
        return saved
    saved = {k: v for k, v in saved.items() if k != "param_names"}
    if not saved.get("frozen"):
        return saved
    marked = [k for k, name in enumerate(names) if "frozen" in state.get(name, ())]
    stateless = [k for k, name in enumerate(names) if not state.get(name)]
    others = len(saved["frozen"]) - len(marked)
    if others not in (0, len(stateless)):
        raise StateError(
            f"{where} has {len(saved['frozen'])} frozen parameters: {len(marked)} are told by their state, "
            f"{others} are some of the {len(stateless)} without a state; take 'frozen' out of the state "
            "dict's group, and freeze them by name after loading"
        )
    return saved | {"frozen": tuple(marked + (stateless if others else []))}


def load_group(
    group: Group,
    rules: Mapping[str, Any],
    saved: Mapping[str, Any],
    whole: bool,
    where: str,
    copies: dict[int, Any],
) -> Group:
    """Return a group with the saved numbers and the axes and flags of ``group``.

    ``copies`` is the memo of ``deepcopy`` for all groups.
    """
    current = complete(group, rules)
    is_short = whole and not any(name in saved for name in OWN if name != "momentum_decay")
    stated_rules = completed_by_class(saved) if is_short else saved
    for name in (*RULES, "decoupled_weight_decay"):
        if name in MOMENT_DTYPES:  # `in_dtype` looks at the moments themselves
            continue
        if name not in stated_rules or (name == "decay" and "decay" not in saved):
            continue
        stated, ours = stated_rules[name], current[name]
        stated = AMSGRAD.get(stated, stated) if name == "amsgrad" and isinstance(stated, str) else stated
        if stated != ours:
            raise StateError(
                f"{where} was saved with {name}={stated!r} and is loaded into {name}={ours!r}: the rules "
                f"stay those of the program; construct the optimizer with {name}={stated!r}, or write "
                f"{name!r}: {ours!r} into the state dict's group to go on under other rules"
            )
    program = ("params", *RULES, *FLAGS, "decoupled_weight_decay")
    given = {k: deepcopy(v, copies) for k, v in saved.items() if k not in (*program, "step", "mu_product")}
    new = {k: v for k, v in group.items() if k not in ("step", "mu_product")} | given
    if whole and "frozen" not in saved:
        new.pop("frozen", None)
    numbers = {n: given[n] for n in ("lr", "betas", *NUMBERS) if n in given}
    resolve(numbers, complete(new, rules), mixed_betas=True)
    restore_frozen(new)
    return new


def is_global(group: Group, rules: Mapping[str, Any]) -> bool:
    """True if the parameters of a group share one clock."""
    return bool(complete(group, rules)["clock"] == "global")


def load_state(core: Core, group: Group, p: torch.Tensor, saved: Any, where: str) -> dict[str, Any]:
    """Return one parameter's state, in the dtypes and on the devices that the optimizer gives it."""
    if not saved:
        return {}
    wanted = {"step", "exp_avg", "exp_avg_sq"}
    wanted |= {"max_exp_avg_sq"} if core.amsgrad != "none" else set()
    wanted |= {"mu_product"} if core.nesterov == "dozat" else set()
    for name in (*sorted(wanted), "max_exp_avg_sq", "mu_product"):
        if (name in saved) != (name in wanted):
            has, expected = ("has", "none") if name in saved else ("has no", "one")
            raise StateError(
                f"{where} {has} {name!r}: expected {expected}, as amsgrad={core.amsgrad!r} and "
                f"nesterov={core.nesterov!r}; it was saved by an optimizer of other rules"
            )
    formats = DtypeTable(core, backend).of(p)
    clock = new_clock(p, group, read_clock(saved["step"], f"{where}['step']"))
    new: dict[str, Any] = {"step": clock}
    for name, value in saved.items():
        if name in MOMENTS:
            if tuple(value.shape) != tuple(p.shape):
                raise StateError(
                    f"{where}[{name!r}] has shape {tuple(value.shape)}: expected {tuple(p.shape)}, its "
                    "parameter's; the parameters stand in another order or are others"
                )
            for key, x in as_kept(core, saved, name, p, formats, where).items():
                if key == name:
                    fresh = torch.empty_like(p, dtype=x.dtype, requires_grad=False)
                    new[key] = fresh.copy_(lying_as(p, x, f"{where}[{name!r}]"))
                else:
                    new[key] = x.detach().to(p.device, copy=True)
        elif name == REST:
            rest_of(core, {REST: value}, p, formats, where)
            value = lying_as(p, value, f"{where}[{name!r}]")
            new[REST] = torch.empty_like(p, dtype=value.dtype, requires_grad=False).copy_(value)
        elif name == "mu_product":
            if core.clock == "per-parameter":
                new[name] = new_product(clock, number_in(value, 1.0))
        elif name not in ("step", "frozen", *SCALES.values()):
            new[name] = deepcopy(value)
    return new


def with_clock_of(core: Core, saved: Mapping[str, Any], entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a parameter's saved state with its group's one clock, which a flattened state leaves out."""
    names = ("step", "mu_product") if core.clock == "global" and entry else ()
    return {name: saved[name] for name in names if name in saved} | dict(entry)


def lying_as(p: torch.Tensor, value: torch.Tensor, where: str) -> torch.Tensor:
    """Return a tensor of a state as it lies beside its parameter: whole, or sharded as that is.

    Raises:
        BackendError: it is on another mesh than its parameter, or the parameter on none.
    """
    if shards.is_sharded(p):
        return shards.placed_as(p, shards.distributed_like(p, value), where)  # type: ignore[no-any-return]
    if shards.is_sharded(value):
        raise BackendError(
            f"{where} is a DTensor, its parameter is not: expected a whole tensor; gather it first "
            "(full_tensor(), or StateDictOptions(full_state_dict=True))"
        )
    return value


def load_global(
    core: Core, group: Group, saved: Mapping[str, Any], steps: list[torch.Tensor], i: int
) -> None:
    """Give a group its one clock: the saved one, or the one on which its parameters agree."""
    found = {number_in(t, 0) for t in steps}
    if "step" in saved:
        found = {read_clock(saved["step"], f"param_groups[{i}]['step']")}
    if len(found) > 1:
        raise StateError(
            f"param_groups[{i}] has parameters with clocks {min(found)} to {max(found)}: expected one for "
            "all, as clock='global'; choose clock='per-parameter', or make them agree"
        )
    if found:
        group["step"] = new_clock(group["params"][0], group, found.pop())
        if core.nesterov == "dozat":
            if "mu_product" not in saved:
                raise StateError(f"param_groups[{i}] has no 'mu_product': expected one beside its clock")
            group["mu_product"] = new_product(group["step"], number_in(saved["mu_product"], 1.0))
