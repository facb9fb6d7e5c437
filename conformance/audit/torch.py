"""The recorder of PyTorch: what the hooks around ``optimizer.step()`` see.

Whatever goes wrong in a hook is kept as a fault of the recording: no hook raises.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from ctypes import string_at
from dataclasses import dataclass, field
from types import FrameType
from typing import Any
from weakref import ref

from adamcore.backends.io.safetensors import Tensor
from adamcore.conformance.audit.arrays import RecordingError, pack
from adamcore.conformance.audit.log import Log, ParamStep, Settings, State
from adamcore.conformance.audit.param_groups import check_group, claimed_by, is_ours, settings_of
from adamcore.dialects import DIALECTS

STATE = {
    "t": "step",
    "m": "exp_avg",
    "v": "exp_avg_sq",
    "v_max": "max_exp_avg_sq",
    "mu_product": "mu_product",
}
SAMPLE = 16  #: bytes of a moment by which a change from outside is seen that is not counted


@dataclass
class Known:
    """A tensor that is or was a parameter of the optimizer."""

    tensor: ref[Any]
    name: str
    kind: tuple[Any, ...]  #: its dtype and shape
    mark: Any = None  #: of its state after the last step; None before the first
    stepped: bool = False  #: a step with a gradient of it was recorded
    left_out: bool = False  #: it cannot be recorded


@dataclass
class Look:
    """What a step begins with."""

    settings: list[Settings]
    before: dict[str, Tensor] = field(default_factory=dict)
    grads: dict[str, Tensor | None] = field(default_factory=dict)
    masks: dict[str, Tensor] = field(default_factory=dict)
    states: dict[str, State] = field(default_factory=dict)
    groups: dict[str, int] = field(default_factory=dict)
    frozen: set[str] = field(default_factory=set)
    tensors: dict[str, Any] = field(default_factory=dict)


class Observer:
    """Follow the parameters, groups, settings and states of one optimizer from step to step.

    Args:
        optimizer: a ``torch.optim.Optimizer``, or a wrapper that has one.
        log: where the steps are entered.
        names: of the parameters: a mapping from names, pairs, or a module.

    Raises:
        RecordingError: no optimizer of PyTorch, or one with a state that cannot be read.
    """

    def __init__(self, optimizer: Any, log: Log, names: Any = None) -> None:
        torch = sys.modules["torch"]
        optimizer = unwrapped(optimizer)
        self._optimizer, self.log = ref(optimizer), log  # whose hooks hold this
        self.module = names if hasattr(names, "named_parameters") else None
        self.claimed = claimed_by(self.optimizer)
        self.known: dict[int, Known] = {}
        self.places: dict[tuple[int, int], Known] = {}
        self.used: dict[str, int] = {}
        self.given = given_names(names)
        self.pending: Look | None = None
        self.gap = False  # whether the step before was not recorded
        for group in optimizer.param_groups:
            for p in group["params"]:
                self.read_state(group, p)
            check_group(optimizer, group, self.claimed)
        self.follow()

        @torch._disable_dynamo  # type: ignore[untyped-decorator]
        def before(optimizer: Any, args: Any, kwargs: Any) -> Any:
            return self.before(args, kwargs)

        @torch._disable_dynamo  # type: ignore[untyped-decorator]
        def after(*_: Any) -> None:
            self.after()

        self.handles = [
            self.optimizer.register_step_pre_hook(before),
            self.optimizer.register_step_post_hook(after),
        ]

    @property
    def optimizer(self) -> Any:
        return self._optimizer()

    def detach(self) -> None:
        for handle in self.handles:
            handle.remove()

    # ---------------------------------------------------------------------------- the hooks

    def before(self, args: Any, kwargs: Any) -> Any:
        """Look at everything before a step; with a closure, after the closure made the gradients."""
        try:
            if self.is_nested():
                return None
            self.pending = None  # of a step that raised
            closure = args[1] if len(args) > 1 else kwargs.get("closure")
            if closure is None:
                self.pending = self.look()
                return None
            if not callable(closure):
                return None

            def watched(*a: Any, **k: Any) -> Any:
                loss = closure(*a, **k)
                try:
                    self.pending = self.look()
                except Exception as error:
                    self.fail(error)
                return loss

            if len(args) > 1:
                return (args[0], watched, *args[2:]), kwargs
            return args, {**kwargs, "closure": watched}
        except Exception as error:
            self.fail(error)
            return None

    def after(self) -> None:
        """Enter the step."""
        if self.is_nested():
            return
        look, self.pending = self.pending, None
        try:
            if look is None:
                if not self.gap:
                    raise RecordingError("the optimizer did not call its closure; this step is not recorded")
                return
            if self.skipped():  # GradScaler found infinities, and the optimizer was told
                if any(is_global(settings) for settings in look.settings):
                    return  # a global clock stands too, which no step of a recording says
                look.grads = dict.fromkeys(look.grads)
                look.frozen = set(look.grads)
            params = {
                name: ParamStep(
                    look.groups[name], before, look.grads[name], pack(name, look.tensors[name]),
                    name in look.frozen, look.masks.get(name), look.states.get(name),
                )
                for name, before in look.before.items()
            }  # fmt: skip
            self.log.enter(params, look.settings)
            self.gap = False
            for name, p in look.tensors.items():
                known = self.known[id(p)]
                known.mark = mark_of(self.optimizer, p)
                known.stepped |= look.grads[name] is not None and name not in look.frozen
        except Exception as error:
            self.fail(error)

    def fail(self, error: Exception) -> None:
        """Keep a fault; the next step is taken up with the states that there are then."""
        self.pending, self.gap = None, True
        ours = isinstance(error, RecordingError)
        self.log.fault(str(error) if ours else f"{type(error).__name__}: {error}")

    def is_nested(self) -> bool:
        """Return whether a hook is called within another step: that of a subclass, by ``super().step()``.

        PyTorch calls the hooks for each class whose step it has wrapped; the outermost call counts.
        """
        calls, file = 0, sys.modules["torch.optim.optimizer"].__file__
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and calls < 2:
            if frame.f_code.co_name == "wrapper" and frame.f_code.co_filename == file:
                calls += frame.f_locals.get("self") is self.optimizer
            frame = frame.f_back
        return calls > 1

    # ---------------------------------------------------------------------------- before a step

    def look(self) -> Look:
        """Return what the step begins with."""
        torch = sys.modules["torch"]
        if torch.cuda.is_available() and torch.cuda.is_current_stream_capturing():
            raise RecordingError("a step captured in a CUDA graph is not recorded")
        optimizer = self.optimizer
        self.follow()
        scale = getattr(optimizer, "grad_scale", None)
        groups = optimizer.param_groups
        look = Look([settings_of(optimizer, group, self.claimed) for group in groups])
        for i, group in enumerate(groups):
            frozen = frozen_in(optimizer, group)
            rules = getattr(optimizer, "rules", {})  # ours keeps what its groups leave out
            lazy = self.claimed.lazy or group.get("sparse", rules.get("sparse")) == "lazy"
            for p in group["params"]:
                known = self.known[id(p)]
                if known.left_out:
                    continue
                try:
                    self.see(look, i, group, p, known, scale, lazy)
                except Exception as error:
                    known.left_out = True
                    look.before.pop(known.name, None)
                    look.tensors.pop(known.name, None)
                    self.log.fault(f"parameter {known.name!r} is not recorded from here on: {error}")
                    continue
                if id(p) in frozen:
                    look.frozen.add(known.name)
        return look

    def see(self, look: Look, i: int, group: Any, p: Any, known: Known, scale: Any, lazy: bool) -> None:
        """Enter one parameter into what the step begins with."""
        name, grad = known.name, p.grad
        mark = mark_of(self.optimizer, p)
        late = known.mark is None and self.log.steps > 0
        if self.gap or late or mark != (known.mark or ()):
            state = self.read_state(group, p)
            if state is None and self.gap and known.stepped and not known.mark:
                raise RecordingError("a step was not recorded, and its state since is not in optimizer.state")
            if state is not None or self.gap or late or known.mark:
                look.states[name] = state or State()
        if grad is not None:
            grad = grad.detach()
            if grad.layout is sys.modules["torch"].sparse_coo:
                grad = grad.coalesce()
                if lazy:
                    look.masks[name] = listed(grad)
            if scale is not None:
                grad = grad.to_dense() if grad.is_sparse else grad
                wide = grad.float() if grad.element_size() < 4 else grad
                grad = wide / scale.to(wide.device)
        look.grads[name] = None if grad is None else pack(f"{name}.grad", grad)
        look.before[name] = pack(name, p)
        look.groups[name], look.tensors[name] = i, p

    def skipped(self) -> bool:
        """Return whether GradScaler told the optimizer not to step."""
        found = getattr(self.optimizer, "found_inf", None)
        return found is not None and bool(found)

    def read_state(self, group: Mapping[str, Any], p: Any) -> State | None:
        """Return the state that the optimizer keeps of a parameter; None where there is none.

        Raises:
            RecordingError: there is one, under names that the table of dialects does not have.
        """
        names = STATE | (dict(self.claimed.row.state) if self.claimed.row else {})
        own = self.optimizer.state.get(p) or {}
        found = {ours: own[theirs] for ours, theirs in names.items() if own.get(theirs) is not None}
        if own and not found:
            kind = type(self.optimizer).__name__
            raise RecordingError(
                f"the state of {kind} has {', '.join(map(repr, own))}, and nothing of what is known "
                f"({', '.join(names.values())}): attach the recorder before the first step"
            )
        clock = found.get("t", group.get(names["t"]))
        if clock is None and "m" in found:
            raise RecordingError(f"the state of {type(self.optimizer).__name__} has no clock {names['t']!r}")
        if clock is None:
            return None
        product = found.get("mu_product", group.get(names["mu_product"], 1.0))
        arrays: dict[str, Tensor] = {
            ours: pack(names[ours], found[ours]) for ours in ("m", "v", "v_max") if ours in found
        }
        return State(int(clock), float(product), arrays)

    # ------------------------------------------------------------------ parameters that come and go

    def follow(self) -> None:
        """Take note of parameters that are new, that went, and that became others."""
        groups = self.optimizer.param_groups
        here = {id(p) for group in groups for p in group["params"]}
        fresh = [p for group in groups for p in group["params"] if not self.is_known(p)]
        if fresh and self.module is not None:
            self.given = given_names(self.module)
        places = {}
        for i, group in enumerate(groups):
            for j, p in enumerate(group["params"]):
                if not self.is_known(p):
                    before = self.places.get((i, j))
                    gone = before is not None and id(before.tensor()) not in here
                    base = self.name_of(
                        group, i, j, p, before.name.split("#")[0] if before and gone else None
                    )
                    self.known[id(p)] = Known(ref(p), self.unused(base), kind_of(p))
                places[i, j] = self.known[id(p)]
        self.places = places
        for key in [k for k, known in self.known.items() if known.tensor() is None]:
            del self.known[key]

    def is_known(self, p: Any) -> bool:
        """Return whether a tensor has a name, and still is of the same dtype and shape."""
        known = self.known.get(id(p))
        return known is not None and known.tensor() is p and known.kind == kind_of(p)

    def name_of(self, group: Mapping[str, Any], i: int, j: int, p: Any, before: str | None) -> str:
        """Return the name of a parameter: a given one, its predecessor's, its group's, its place."""
        known = self.known.get(id(p))
        if known is not None and known.tensor() is p:  # of another dtype or shape now
            return known.name.split("#")[0]
        for tensor, name in self.given.get(id(p), ()):
            if tensor() is p:
                return name
        own = group.get("param_names")
        if isinstance(own, list) and j < len(own):
            return str(own[j])
        if before is not None:
            return before
        if isinstance(group.get("name"), str):
            return str(group["name"]) if len(group["params"]) == 1 else f"{group['name']}.{j}"
        return f"{i}.{j}"

    def unused(self, name: str) -> str:
        """Return the name, with a number where another parameter had it before."""
        self.used[name] = self.used.get(name, 0) + 1
        return name if self.used[name] == 1 else f"{name}#{self.used[name]}"


def unwrapped(optimizer: Any) -> Any:
    """Return the optimizer of PyTorch in a wrapper, as accelerate, Lightning and ZeRO have them."""
    seen = 0
    while seen < 8:
        for name in ("optimizer", "_optimizer", "optim"):
            inner = getattr(optimizer, name, None)
            if hasattr(inner, "param_groups") and inner is not optimizer:
                optimizer, seen = inner, seen + 1
                break
        else:
            break
    hooks = ("register_step_pre_hook", "register_step_post_hook", "param_groups", "state")
    if not all(hasattr(optimizer, name) for name in hooks):
        raise RecordingError(
            f"{type(optimizer).__name__} is no torch.optim.Optimizer: use Recorder(...).step"
        )
    return optimizer


def given_names(names: Any) -> dict[int, list[tuple[ref[Any], str]]]:
    """Return the names of tensors, by the tensor's id.

    Raises:
        RecordingError: neither a mapping from names to tensors, nor pairs of them, nor a module.
    """
    if names is None:
        return {}
    if hasattr(names, "named_parameters"):
        names = names.named_parameters()
    found: dict[int, list[tuple[ref[Any], str]]] = {}
    try:
        pairs: Iterable[tuple[str, Any]] = names.items() if hasattr(names, "items") else names
        for name, tensor in pairs:
            found.setdefault(id(tensor), []).append((ref(tensor), str(name)))
    except (TypeError, ValueError) as error:
        raise RecordingError(
            f"names: expected a mapping from names to tensors, or a module ({error})"
        ) from error
    return found


def is_global(settings: Settings) -> bool:
    """Return whether the parameters of a group share one clock."""
    row = DIALECTS.get(settings.dialect or "")
    axes = settings.axes or (row.axes if row else {})
    return axes.get("clock") == "global"


def kind_of(p: Any) -> tuple[Any, ...]:
    return p.dtype, tuple(p.shape)


def frozen_in(optimizer: Any, group: Mapping[str, Any]) -> set[int]:
    """Return the ids of the parameters that an optimizer of ours keeps frozen."""
    if not is_ours(optimizer):
        return set()
    from adamcore.backends.torch.optimizer.freeze import frozen_params

    return {id(p) for p in frozen_params(group)}


def listed(grad: Any) -> Tensor:
    """Return which elements a sparse gradient lists."""
    torch = sys.modules["torch"]
    mask = torch.zeros(grad.shape[: grad.sparse_dim()], dtype=torch.bool, device=grad.device)
    mask[tuple(grad.indices())] = True
    mask = mask.reshape(*mask.shape, *[1] * grad.dense_dim()).expand(grad.shape).cpu().contiguous()
    return Tensor("bool", tuple(mask.shape), mask.view(torch.uint8).numpy().tobytes())


def mark_of(optimizer: Any, p: Any) -> tuple[Any, ...]:
    """Return by what a later change of a parameter's state is seen; empty where there is no state.

    Which tensors there are, PyTorch's count of changes made to each, and, in the CPU's memory, a few of
    their bytes, for changes that are not counted.
    """
    own = optimizer.state.get(p)
    return tuple([(name, mark(value)) for name, value in own.items()]) if own else ()


def mark(value: Any) -> tuple[Any, ...]:
    if not isinstance(value, sys.modules["torch"].Tensor):
        return (repr(value),)
    tensor = value.to_local() if hasattr(value, "to_local") else value
    start, few = tensor.data_ptr(), b""
    if tensor.is_cpu and tensor.is_contiguous():
        size = tensor.nbytes
        few = string_at(start + size // 2, SAMPLE) if size >= 2 * SAMPLE else string_at(start, size)
    return id(value), start, value._version, few
