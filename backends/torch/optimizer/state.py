"""The parameters of a group that take part in a step, and their state, made where there is none yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from typing import Any, Literal, NamedTuple

import torch

from adamcore.adam import Adam as Core
from adamcore.backends.arrays import dtype_name
from adamcore.backends.torch import shards
from adamcore.backends.torch.backend import PLAIN, backend
from adamcore.backends.torch.optimizer.clocks import new_clock, new_product, read_clock
from adamcore.backends.torch.optimizer.group_keys import Group
from adamcore.backends.torch.words import WORDS
from adamcore.dtypes import DtypeTable, first_part, named_by
from adamcore.errors import BackendError, MissingGradientError, StateError
from adamcore.jobs import LeafDtypes, Result
from adamcore.storage.moments import IN_8_BITS, Coding, decode, encode

State = MutableMapping[Any, Any]

MOMENTS = {"exp_avg": "m", "exp_avg_sq": "v", "max_exp_avg_sq": "v"}  #: key -> the dtype it has in LeafDtypes

REST = "p_rest"  #: the key of what ``p_storage`` keeps of a parameter
SCALES = {name: f"{name}_scale" for name in MOMENTS}  #: the keys of the scales of moments in 8 bits
PARTS = (*MOMENTS, REST, *SCALES.values())  #: the keys of a parameter's arrays
FIELDS = {"exp_avg": "m", "exp_avg_sq": "v", "max_exp_avg_sq": "v_max"}  #: their names in a Job


class GroupState(NamedTuple):
    """The parameters of a group that take part in a step, and what belongs to them: lists side by side."""

    params: list[Any]
    grads: list[Any]  #: None where it is taken to be zero (``missing="zero"``)
    ms: list[Any]
    vs: list[Any]
    maxima: list[Any]  #: None for each without AMSGrad
    rests: list[Any]  #: what ``p_storage`` keeps of a parameter in the state, or None
    m_scales: list[Any]  #: of moments in 8 bits; None for each where they are kept as numbers
    v_scales: list[Any]
    v_max_scales: list[Any]
    numbers: list[int]  #: where a parameter stands in all groups, where random bits are made of it; else 0
    clocks: list[Any]  #: int32 0-d tensors; one for all with a global clock
    products: list[Any]  #: of Dozat's schedule, one for each clock; None for each without it

    @classmethod
    def empty(cls) -> GroupState:
        return cls(*([] for _ in cls._fields))


def gather_state(core: Core, group: Group, state: State, gathered: GroupState, where: str) -> None:
    """Fill ``gathered`` for a step; ``where`` names the group in messages.

    Raises:
        MissingGradientError: an absent gradient that the axes ``missing`` or ``all_missing`` forbid.
        StateError: a state without what the rules need, or of another shape than its parameter.
        ClockError: a clock that is no whole number in its range.
        BackendError: a parameter on the meta device, with ``fused``.
    """
    params = list(taking_part(core, group, where))
    if core.clock == "global" and not params and core.all_missing == "error":
        raise MissingGradientError(
            f"{where} has no gradient at all: expected one at least, as all_missing='error', clock='global'"
        )
    fresh = [p for p in params if "exp_avg" not in state.get(p, ())]
    if group.get("fused") and any(p.is_meta for p in fresh):
        raise BackendError(
            "`fused=True` requires all the params to be floating point Tensors of supported devices: a "
            f"parameter of {where} is on the meta device and has no values; give it storage with to_empty()"
        )
    make_moments(core, state, fresh)
    table = DtypeTable(core, backend)
    for p in params:
        own, formats = state[p], table.of(p)
        if core.amsgrad != "none" and "max_exp_avg_sq" not in own:
            raise StateError(
                f"{where}: a parameter's state has no 'max_exp_avg_sq', and amsgrad={core.amsgrad!r}: the "
                "rule was changed after its first step; delete its state to start anew"
            )
        for name in MOMENTS:
            if name in own and own[name].shape != p.shape:
                raise StateError(
                    f"{where}: a parameter of shape {tuple(p.shape)} has state[{name!r}] of shape "
                    f"{tuple(own[name].shape)}: they must agree; delete its state to start anew"
                )
            if name in own:
                own |= as_kept(core, own, name, p, formats, f"{where}: a parameter's state")
                if formats.coding(MOMENTS[name]) is None:
                    own.pop(SCALES[name], None)
        gathered.params.append(p)
        gathered.grads.append(p.grad)
        gathered.ms.append(own["exp_avg"])
        gathered.vs.append(own["exp_avg_sq"])
        gathered.maxima.append(None if core.amsgrad == "none" else own["max_exp_avg_sq"])
        gathered.rests.append(rest_of(core, own, p, formats, where))
        gathered.m_scales.append(own.get(SCALES["exp_avg"]))
        gathered.v_scales.append(own.get(SCALES["exp_avg_sq"]))
        # AMSGrad that was given up leaves its maximum and the scales of that as they are
        gathered.v_max_scales.append(own.get(SCALES["max_exp_avg_sq"]) if core.amsgrad != "none" else None)
        gathered.numbers.append(0)
    ticks = bool(params) or core.all_missing == "tick"  # a global clock ticks for absent parameters too (F6)
    for owner in clock_owners(core, group, state, params, where, ticks):
        gathered.clocks.append(owner["step"])
        gathered.products.append(owner["mu_product"] if core.nesterov == "dozat" else None)


def as_kept(
    core: Core, own: Mapping[str, Any], name: str, p: torch.Tensor, formats: LeafDtypes, where: str
) -> dict[str, torch.Tensor]:
    """Return the moment of this name as it has to be kept, with its scales if it is one of 8 bits.

    Numbers become codes if the settings ask for these, and the numbers of codes are exact in float32.

    Args:
        core: the Adam of the group.
        own: the parameter's state.
        name: the key of the moment.
        p: the parameter.
        formats: the dtypes that go with it.
        where: the state, for messages.

    Raises:
        StateError: codes have no scales, or a moment in the parameter's dtype would lose digits (MOM.4).
    """
    x, coding = own[name], formats.coding(MOMENTS[name])
    found = coding_in(own, name, where)
    if found is not None and found == coding:
        return {name: x, SCALES[name]: own[SCALES[name]]}
    wanted: Any = getattr(formats, MOMENTS[name])
    x = numbers_in(own, name, where)
    if coding is None:
        return {name: x if x.dtype is wanted else in_dtype(x, wanted, core, name, where)}
    if shards.is_sharded(p):
        shards.check_blocks(p, coding.block)
    codes, scales = encode(WORDS, coding, shards.local(x.detach()).float())
    dtype: Any = backend.dtype_named(coding.scale_dtype, p)
    return {
        name: shards.shard_beside(p, codes.to(wanted), p.shape),
        SCALES[name]: shards.shard_beside(p, scales.to(dtype), (coding.blocks(p.shape),)),
    }


def numbers_in(own: Mapping[str, Any], name: str, where: str) -> torch.Tensor:
    """Return a moment as numbers; the arguments and the errors are those of :func:`coding_in`."""
    coding = coding_in(own, name, where)
    x: torch.Tensor = own[name]
    if coding is None:
        return x
    here = decode(WORDS, coding, shards.local(x), shards.local(own[SCALES[name]]))
    return shards.shard_beside(x, here, x.shape)


def coding_in(own: Mapping[str, Any], name: str, where: str) -> Coding | None:
    """Return how the moment of this name is kept in a parameter's state; None if it has numbers.

    Raises:
        StateError: it has codes without scales that fit.
    """
    x, scales = own[name], own.get(SCALES[name])
    if x.is_floating_point() or x.is_complex():
        return None
    found = next((c for c in codings(name) if is_kept_by(c, x, scales)), None)
    if found is None:
        came = "no scales" if scales is None else f"scales in {scales.dtype} of shape {tuple(scales.shape)}"
        raise StateError(
            f"{where}[{name!r}] is in {x.dtype} with {came} in {SCALES[name]!r}: expected numbers, or the "
            "codes and scales that this optimizer keeps; delete the parameter's state to start anew"
        )
    return found


def codings(name: str) -> list[Coding]:
    """Return the ways in which a moment of this name may be kept in 8 bits."""
    return [Coding(policy, name == "exp_avg") for policy in IN_8_BITS]


def is_kept_by(coding: Coding, codes: torch.Tensor, scales: Any) -> bool:
    """True if codes and scales have the form of this way of keeping moments."""
    form = None if scales is None else (dtype_name(scales.dtype), tuple(scales.shape))
    wanted = (coding.scale_dtype, (coding.blocks(codes.shape),))
    return coding.serves(codes.shape) and dtype_name(codes.dtype) == coding.dtype and form == wanted


def rest_of(core: Core, own: State, p: torch.Tensor, formats: LeafDtypes, where: str) -> Any:
    """Return what the state has of a parameter besides itself; made of the parameter where there is none.

    Raises:
        StateError: it is there, but is of another ``p_storage`` or of another dtype of the parameter.
    """
    if formats.rest is not None and REST not in own:
        own[REST] = first_part(backend, "p_rest", p.detach(), formats)
    rest = own.get(REST)
    if rest is not None and (rest.dtype is not formats.rest or rest.shape != p.shape):
        expected = "none" if formats.rest is None else f"{formats.rest} of shape {tuple(p.shape)}"
        raise StateError(
            f"{where}: a parameter of {p.dtype} has state[{REST!r}] in {rest.dtype} of shape "
            f"{tuple(rest.shape)}: expected {expected}, as p_storage={core.p_storage!r}; the dtype or the "
            f"policy was changed after its first step; delete state[{REST!r}] to go on from the parameter "
            "as it is"
        )
    return rest


def init_state(core: Core, group: Group, state: State, where: str) -> None:
    """Make the state of every parameter of a group that requires a gradient and has none yet."""
    params = [p for p in group["params"] if p.requires_grad]
    make_moments(core, state, [p for p in params if "exp_avg" not in state.get(p, ())])
    clock_owners(core, group, state, params, where, ticks=True)


def clock_owners(
    core: Core, group: Group, state: State, params: list[torch.Tensor], where: str, ticks: bool
) -> list[State]:
    """Return the dictionaries that hold the clocks of these parameters; made where there are none."""
    owners: list[tuple[State, torch.Tensor]] = [(state[p], p) for p in params]
    if core.clock == "global":
        owners = [(group, p) for p in group["params"][:1] if ticks]
    for owner, p in owners:
        if getattr(owner.get("step"), "dtype", None) is not torch.int32:  # none yet, or set by hand
            owner["step"] = new_clock(p, group, read_clock(owner.get("step", 0), f"{where}: step"))
        if core.nesterov == "dozat" and "mu_product" not in owner:
            owner["mu_product"] = new_product(owner["step"])
    return [owner for owner, _ in owners]


def in_dtype(x: torch.Tensor, wanted: Any, core: Core, name: str, where: str) -> torch.Tensor:
    """Return the moment of this name in the dtype that it has to have (MOM.4).

    Raises:
        StateError: that dtype does not hold every value of the moment's own, the settings do not ask for it,
            and the moment is not at its start.
    """
    _, asked = named_by(core, f"{MOMENTS[name]}_dtype")
    if asked is None and torch.promote_types(x.dtype, wanted) is not wanted and x.count_nonzero():
        raise StateError(
            f"{where}[{name!r}] is in {x.dtype}, which {wanted}, the parameter's, does not hold: a second "
            "moment that becomes 0 makes a huge step; give the optimizer (or the group) "
            f"moment_dtype={str(x.dtype.to_real()).removeprefix('torch.')!r}, or the name of a narrower one "
            "to have it rounded"
        )
    return x.detach().to(wanted)


def taking_part(core: Core, group: Group, where: str) -> Iterator[torch.Tensor]:
    """Yield the parameters that are neither frozen nor absent, each once."""
    done = set(map(id, group.get("frozen", ())))
    for k, p in enumerate(group["params"]):
        if id(p) in done:
            continue
        done.add(id(p))
        if p.grad is None and core.missing == "error":
            raise MissingGradientError(
                f"{where}['params'][{k}].grad is None: expected a gradient, as missing='error'; give one, "
                "freeze the parameter, or choose missing='skip' or 'zero'"
            )
        if p.grad is not None or core.missing == "zero":
            yield p


def make_moments(core: Core, state: State, params: list[torch.Tensor]) -> None:
    """Make the moments of parameters that take part for the first time."""
    if not params:
        return
    for p in params:
        refuse_subclass(p)
    fresh = core.init(params)
    for k, p in enumerate(params):
        moments = {"exp_avg": fresh.m[k], "exp_avg_sq": fresh.v[k]}
        if core.amsgrad != "none":
            moments["max_exp_avg_sq"] = fresh.v_max[k]
        if fresh.p_rest is not None and fresh.p_rest[k] is not None:
            moments[REST] = fresh.p_rest[k]
        for name in moments.keys() & SCALES.keys():
            scales = getattr(fresh, f"{FIELDS[name]}_scale")
            if scales is not None and scales[k] is not None:
                moments[SCALES[name]] = scales[k]
        state[p] |= moments


def refuse_subclass(p: torch.Tensor) -> None:
    """Raise BackendError if a parameter, or the part of it that is here, is of a class without arithmetic."""
    part = shards.local(p)
    if type(part) in PLAIN:
        return
    try:
        _ = part.detach() + torch.zeros_like(part)
    except (NotImplementedError, RuntimeError, TypeError) as error:
        raise BackendError(
            f"a parameter of shape {tuple(p.shape)} is a {type(part).__module__}.{type(part).__name__}, "
            "which cannot be added to zeros of its kind: expected a class with the arithmetic of tensors; "
            "make a plain tensor the parameter and the other of it, or use an optimizer of its library"
        ) from error


def store_state(state: State, gathered: GroupState, results: Sequence[Result]) -> None:
    """Put the moments that autograd has recorded in the place of the old ones."""
    for p, new in zip(gathered.params, results, strict=True):
        own = state[p]
        own["exp_avg"], own["exp_avg_sq"] = new.m, new.v
        if new.v_max is not None:
            own["max_exp_avg_sq"] = new.v_max


def restart(own: State, clock: Literal["reset", "keep"]) -> None:
    """Set a parameter's state, or a group's one clock, back to the start, in the same tensors (F4)."""
    for name, value in own.items():
        if name in MOMENTS or name in SCALES.values():
            value.detach_().zero_()
        elif name == "step" and clock == "reset":
            value.zero_()
        elif name == "mu_product" and clock == "reset":
            value.fill_(1.0)
