"""The settings of a parameter group: validated, and turned into the :class:`adamcore.Adam` of the group.

A group is the dictionary of PyTorch (``lr``, ``betas``, ``eps``, ``weight_decay``, the flags).  It may also
have every axis of docs/spec.md and the other :data:`OWN` settings, so any setting may differ from group to
group.  A group leaves these out if they are the optimizer's own, so that it has the keys of
``torch.optim``'s groups and no others: what reads a checkpoint of PyTorch into it asks for no more.  The
optimizer keeps them, and :func:`complete` puts them back.  Two of PyTorch's flags repeat an axis:
``decoupled_weight_decay`` follows the axis ``decay``, and ``amsgrad`` is False, True (the axis value
"uncorrected") or "corrected".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import lru_cache
from itertools import product
from operator import itemgetter
from typing import Any

import torch

from adamcore.adam import Adam as Core
from adamcore.axes import AXES, RELATIVE, check_number
from adamcore.backends.torch.optimizer.group_keys import Group, complete
from adamcore.config import MOMENT_DTYPES, MOMENT_STORAGE, STORAGE
from adamcore.dialects import dialect, like
from adamcore.errors import AxisError, BackendError, HyperparameterError
from adamcore.storage.moments import IN_8_BITS

NUMBERS = ("eps", "eps_root", "weight_decay", "momentum_decay", "lr_max")  #: besides lr and betas
RULES = (
    *AXES,
    *MOMENT_DTYPES,
    *STORAGE,
    "sparse",
)  #: settings that a checkpoint cannot change: what is computed
FLAGS = ("foreach", "fused", "capturable", "differentiable")  #: settings of how it is computed, likewise
NULLABLE = ("foreach", "fused", *MOMENT_DTYPES)  #: settings of which None is a value
FIELDS = (*NUMBERS, *MOMENT_DTYPES, *STORAGE, *AXES)  #: of an Adam, besides lr and the betas
AMSGRAD = {"none": False, "uncorrected": True, "corrected": "corrected"}
SPARSE = ("dense", "lazy")

WHY_NOT = {
    ("differentiable", "stochastic"): "random bits have no derivative",
    **{("differentiable", policy): "codes have no derivative" for policy in IN_8_BITS},
    **{("sparse", policy): "rows cut the blocks of codes" for policy in IN_8_BITS},
}
"""Why a setting does not go with a way to keep moments."""


def of_dialect(name: str, given: Mapping[str, Any]) -> Group:
    """Return all settings of a dialect, with those in ``given`` instead of the dialect's own.

    Raises:
        DialectError: there is no dialect of this name.
        TypeError: ``given`` has a name that is no setting.
        HyperparameterError, AxisError, BackendError: as :func:`resolve`.
    """
    settings = ("lr", "betas", *NUMBERS, *RULES, *FLAGS, "decoupled_weight_decay")
    unknown = given.keys() - set(settings)
    if unknown:
        near = [f"{n!r} (nearest: {', '.join(get_close_matches(n, settings)) or 'none'})" for n in unknown]
        raise TypeError(f"unknown setting {', '.join(sorted(near))}: expected one of {', '.join(settings)}")
    known = {"lr": 0.0, "lr_max": 1.0} if given.get("lr") is not None else {}
    known |= {n: given[n] for n in NUMBERS if is_number(given.get(n))}
    core = like(name, **known)
    base: Group = {"lr": core.lr, "betas": (core.b1, core.b2)}
    base |= {n: getattr(core, n) for n in (*NUMBERS, *AXES, *MOMENT_DTYPES, *STORAGE)}
    if known.get("lr_max") is not given.get("lr_max"):
        base["lr_max"] = 0.0  # until `resolve` has seen lr
    flags = {"foreach": None, "fused": None, "capturable": False, "differentiable": False}
    return resolve(given, base | flags | {"sparse": "dense"})


def of_group(given: Mapping[str, Any], defaults: Group) -> Group:
    """Return all settings of a parameter group.

    Those that the group gives come first, then the axes of its dialect, then the optimizer's defaults.

    Raises:
        DialectError, HyperparameterError, AxisError, BackendError: as :func:`of_dialect`.
    """
    base = defaults
    if given.get("dialect") is not None:
        core = dialect(given["dialect"]).adam(lr=0.0, weight_decay=0.0)
        base = defaults | {axis: getattr(core, axis) for axis in AXES}
    return resolve({k: v for k, v in given.items() if k in defaults}, base)


def repeated(params: Iterable[torch.Tensor]) -> list[torch.Tensor]:
    """Return the parameters that are in a list for a second or later time, as often as they are."""
    seen: set[int] = set()
    again = []
    for p in params:
        if id(p) in seen:
            again.append(p)
        seen.add(id(p))
    return again


def is_number(value: object) -> bool:
    """True if :class:`adamcore.Adam` takes this value as a hyperparameter."""
    try:
        check_number("", value)
    except HyperparameterError:
        return False
    return True


def resolve(given: Mapping[str, Any], base: Group, *, mixed_betas: bool = False) -> Group:
    """Return the settings ``base`` with the given ones in their place, validated.

    Args:
        given: settings under PyTorch's names or the names of the axes.  A setting that is None counts
            as not given, unless None is one of its values.
        base: all settings.
        mixed_betas: one of the betas may be a tensor and the other a float, as schedulers leave them;
            PyTorch's constructors refuse it.

    Raises:
        HyperparameterError, AxisError: a setting does not have this value.
        BackendError: two flags exclude each other.

    >>> base = of_dialect("torch.Adam", {})
    >>> resolve({"decoupled_weight_decay": True}, base)["decay"]
    'decoupled'
    """
    chosen = {k: v for k, v in given.items() if v is not None or k in NULLABLE}
    group = base | chosen
    decoupled = chosen.get("decoupled_weight_decay")
    if decoupled is not None and bool(decoupled) != (group["decay"] != "l2"):
        if "decay" in chosen:
            raise AxisError(
                f"decoupled_weight_decay={decoupled!r} with decay={chosen['decay']!r}: they contradict each "
                "other; give one of the two"
            )
        group["decay"] = "decoupled" if decoupled else "l2"
    group["decoupled_weight_decay"] = group["decay"] != "l2"
    group["amsgrad"] = AMSGRAD.get(group["amsgrad"], group["amsgrad"])
    check_lr(group)
    if group["decay"] in RELATIVE and not group["lr_max"]:
        group["lr_max"] = float(number_of(group["lr"]))
    if not mixed_betas and len({isinstance(b, torch.Tensor) for b in pair(group["betas"])}) == 2:
        raise HyperparameterError("betas must be either both floats or both Tensors")
    group["betas"] = read_betas(group)
    for name in NUMBERS:
        check(name, f"Invalid {'epsilon' if name == 'eps' else name} value: ", group[name])
    if group["sparse"] not in SPARSE:
        raise AxisError(f"sparse={group['sparse']!r}: expected 'dense' or 'lazy'")
    if group["fused"] and group["differentiable"]:
        raise BackendError("`fused` does not support `differentiable`: give one of the two")
    if group["differentiable"] and group["p_storage"] != "plain":
        raise BackendError(
            f"`differentiable` with p_storage={group['p_storage']!r}: a parameter's bits have no derivative; "
            "give one of the two"
        )
    asked = {"differentiable": group["differentiable"], "sparse": group["sparse"] == "lazy"}
    for name, other in product(MOMENT_STORAGE, asked):
        if asked[other] and (why := WHY_NOT.get((other, group[name]))):
            raise BackendError(f"`{other}` with {name}={group[name]!r}: {why}; give one of the two")
    if group["fused"] and group["foreach"]:
        raise BackendError("`fused` and `foreach` cannot be `True` together: give one of the two")
    core_of(group, {})
    return group


def check(name: str, before: str, value: object, below: float = float("inf")) -> None:
    """Raise HyperparameterError for a bad number; the message has PyTorch's words first, then ours."""
    try:
        check_number(name, value, below=below)
    except HyperparameterError as error:
        raise HyperparameterError(f"{before}{value} ({error})") from None


def check_lr(group: Group) -> None:
    """Raise HyperparameterError unless ``lr`` is a number or a tensor with one element."""
    lr = group["lr"]
    if not isinstance(lr, torch.Tensor):
        if callable(lr):
            raise HyperparameterError(
                "lr is a function: expected a number or a tensor of one element; a schedule is one of "
                "torch.optim.lr_scheduler"
            )
        return check("lr", "Invalid learning rate: ", lr)
    if group["foreach"] and not group["capturable"]:
        raise HyperparameterError(
            "lr as a Tensor is not supported for capturable=False and foreach=True; leave foreach out"
        )
    if lr.numel() != 1:
        raise HyperparameterError(f"Tensor lr must be 1-element; it has shape {tuple(lr.shape)}")
    if lr.device.type == "cpu":
        check("lr", "Invalid learning rate: ", float(lr.detach()))
    return None


def is_idle(group: Group, kept: Mapping[str, Any]) -> bool:
    """True if a step leaves a group as it is whatever its numbers: it has and needs no gradient.

    Schedulers without a training in between, as a plot of a schedule needs them, may go out of every range.
    """
    if any(p.grad is not None for p in group["params"]):
        return False
    rules = complete(group, kept)
    return bool(rules["missing"] == "skip" and rules["clock"] == "per-parameter")


def is_lazy(group: Group, kept: Mapping[str, Any]) -> bool:
    """True if the rows that a sparse gradient does not list stay as they are."""
    return bool(group.get("sparse", kept["sparse"]) == "lazy")


def refuse_derivative(group: Group) -> None:
    """Raise BackendError if torch.func differentiates a step that is not recorded: it would find zeros."""
    functorch = torch._C._functorch
    if group["differentiable"] or functorch.peek_interpreter_stack() is None:
        return
    for x in (group["lr"], *group["params"], *(p.grad for p in group["params"])):
        while isinstance(x, torch.Tensor) and functorch.is_functorch_wrapped_tensor(x):
            tangent: Any = torch.autograd.forward_ad.unpack_dual(x).tangent
            if x.requires_grad or tangent is not None:
                raise BackendError(
                    "torch.func differentiates this step, which is not recorded, so that its derivative "
                    "would be 0: give the optimizer differentiable=True, or detach what it steps"
                )
            x = functorch.get_unwrapped(x)


def number_of(lr: float | torch.Tensor) -> float | torch.Tensor:
    """Return a learning rate as a number, or as a 0-d tensor if it is a tensor of one element."""
    if lr is None:
        check("lr", "Invalid learning rate: ", lr)
    return lr.reshape(()) if isinstance(lr, torch.Tensor) else lr


def pair(betas: Any) -> tuple[Any, Any]:
    """Return betas as a tuple of two; raise HyperparameterError if they are not two."""
    if isinstance(betas, str):
        raise HyperparameterError(f"betas={betas!r} is a string: expected two numbers in [0, 1)")
    values = tuple(betas) if isinstance(betas, Iterable) else (betas,)
    if len(values) != 2:
        raise HyperparameterError(f"betas={betas!r}: expected two numbers in [0, 1)")
    return values


def read_betas(group: Group) -> tuple[float, float]:
    """Return the two betas as floats, also if they are tensors.

    Raises:
        HyperparameterError: they are not two numbers in [0, 1), or not two such tensors.
    """
    betas = pair(group["betas"])
    values = []
    for i, b in enumerate(betas):
        if isinstance(b, torch.Tensor):
            if group["foreach"] and not group["capturable"]:
                raise HyperparameterError(
                    f"betas[{i}] as a Tensor is not supported for capturable=False and foreach=True; "
                    "leave foreach out"
                )
            if b.numel() != 1:
                raise HyperparameterError(f"Tensor betas[{i}] must be 1-element")
            if b.requires_grad:
                raise HyperparameterError(f"betas[{i}] requires a gradient: only lr can be differentiated")
            b = b.item()
        check(f"b{i + 1}", f"Invalid beta parameter at index {i}: ", b, 1.0)
        values.append(float(b))
    return values[0], values[1]


def core_of(group: Mapping[str, Any], kept: Mapping[str, Any]) -> Core:
    """Return the :class:`adamcore.Adam` of a group, with a learning rate of 0: each step passes its own.

    ``kept`` has what the group leaves out.  Equal settings give the same object.

    Raises:
        HyperparameterError, AxisError: a setting was changed to one that has no meaning.
    """
    group = complete(group, kept)
    betas = pair(group["betas"])
    if isinstance(betas[0], torch.Tensor) or isinstance(betas[1], torch.Tensor):
        betas = read_betas(group)
    if bool(group["decoupled_weight_decay"]) != (group["decay"] != "l2"):
        raise AxisError(
            f"decoupled_weight_decay={group['decoupled_weight_decay']!r} with decay={group['decay']!r} in a "
            "parameter group: they contradict each other; set both"
        )
    return adam_of(betas[0], betas[1], *(group[n] for n in FIELDS))


def settings_of(group: Group) -> list[Any] | None:
    """Return the settings that :func:`core_of` reads, or None if one of them can change in place.

    As long as these are the same objects, the Adam of a group is the same: what it leaves out is so for ever.
    """
    betas = group["betas"]
    if (
        type(betas) is not tuple
        or len(betas) != 2
        or type(betas[0]) is not float
        or type(betas[1]) is not float
    ):
        return None
    read = reader(tuple(group))
    return [*betas, read, *read(group)]


@lru_cache(maxsize=64)
def reader(keys: tuple[str, ...]) -> Callable[[Group], tuple[Any, ...]]:
    """Return the function that reads the settings behind the betas from a group with these keys."""
    return itemgetter("betas", *(name for name in READ if name in keys))


READ = ("decoupled_weight_decay", *FIELDS)  #: what core_of reads besides the betas


@lru_cache(maxsize=256)
def adam_of(b1: float, b2: float, *rest: Any) -> Core:
    """Return the Adam of these settings: b1, b2, and the :data:`FIELDS`."""
    fields: dict[str, Any] = dict(zip(FIELDS, rest, strict=True))
    fields["amsgrad"] = {v: k for k, v in AMSGRAD.items()}.get(fields["amsgrad"], fields["amsgrad"])
    return Core(lr=0.0, b1=b1, b2=b2, **fields)
