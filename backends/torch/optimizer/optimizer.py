"""Adam and AdamW as optimizers of PyTorch: every dialect under the interface of torch.optim."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal

import torch

from adamcore.adam import Adam as Core
from adamcore.backends.torch import fast
from adamcore.backends.torch.optimizer.freeze import Freezing
from adamcore.backends.torch.optimizer.hooks import wrapped
from adamcore.backends.torch.optimizer.param_groups import Group, core_of, of_dialect, of_group
from adamcore.backends.torch.optimizer.state import GroupState, gather_state, store_state
from adamcore.backends.torch.optimizer.state_dict import pack, unpack
from adamcore.backends.torch.optimizer.step_cache import StepCache
from adamcore.backends.torch.optimizer.update import update_group


class Adam(Freezing):
    """One Adam of :mod:`adamcore` as a ``torch.optim.Optimizer``.

    Takes what ``torch.optim.Adam`` takes, and every axis of docs/spec.md as a keyword besides; what is
    not given comes from ``dialect``.  Any setting but ``dialect`` may stand in a parameter group.

    Args:
        params: tensors, named tensors, or groups, as for any optimizer; floating or complex, dense.
        lr: a number >= 0, or a tensor of one element (LR schedulers write to either).
        betas: two numbers in [0, 1); tensors are read once.
        eps, weight_decay: numbers >= 0.
        amsgrad: False, True (as PyTorch: "uncorrected"), or a value of the axis.
        dialect: a row of :mod:`adamcore.dialects`, whose axes and defaults this one starts from.
        decoupled_weight_decay: PyTorch's spelling of ``decay="decoupled"``.
        maximize: as the axis.
        foreach: makes no difference: a step always goes to the backend whole.
        fused: loss scales are taken out of the gradients inside the step (GradScaler); else as foreach.
        capturable: clocks stand on the parameters' device and nothing waits for it, for CUDA graphs.
        differentiable: the step is recorded by autograd, also as a function of a tensor ``lr``.
        sparse: "dense", where a sparse gradient is zero in what it does not list; or "lazy": what it
            does not list stands still, while the parameter's clock ticks.
        axes: the other axes, ``eps_root``, ``momentum_decay`` and ``moment_dtype`` of
            :class:`adamcore.Adam`.

    Raises:
        HyperparameterError, AxisError, DialectError: a setting without a meaning.
        BackendError: flags that exclude each other.

    Example:
        >>> w = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
        >>> opt = Adam([w], lr=0.1)
        >>> w.grad = torch.tensor([0.5, 0.0])
        >>> opt.step()
        >>> w.data
        tensor([ 0.9000, -2.0000])
    """

    dialect: ClassVar[str] = "torch.Adam"  #: where settings come from that are not given

    def __init__(
        self,
        params: Any,
        lr: float | torch.Tensor | None = None,
        betas: tuple[Any, Any] | None = None,
        eps: float | None = None,
        weight_decay: float | None = None,
        amsgrad: bool | str | None = None,
        *,
        dialect: str | None = None,
        decoupled_weight_decay: bool | None = None,
        maximize: bool | None = None,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        sparse: Literal["dense", "lazy"] = "dense",
        **axes: Any,
    ) -> None:
        given = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad,
            "decoupled_weight_decay": decoupled_weight_decay, "maximize": maximize, "foreach": foreach,
            "fused": fused, "capturable": capturable, "differentiable": differentiable, "sparse": sparse,
        }  # fmt: skip
        defaults = of_dialect(dialect or type(self).dialect, given | axes)
        self._cores: dict[int, Core] = {}  # of each group, as of the last step
        self._step_cache = StepCache()
        super().__init__(params, defaults)

    @property
    def _step_supports_amp_scaling(self) -> bool:
        """Whether GradScaler leaves unscaling to the step."""
        return bool(self.defaults["fused"])

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._cores, self._step_cache = {}, StepCache()
        for group in self.param_groups:
            for name, value in (self.defaults | {"frozen": ()}).items():
                group.setdefault(name, value)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group; see ``torch.optim.Optimizer.add_param_group``.  Raises as the constructor."""
        if isinstance(param_group, dict):
            param_group.update(of_group(param_group, self.defaults))
            param_group.pop("dialect", None)
        super().add_param_group(param_group)

    # ---------------------------------------------------------------------------- the step

    @wrapped
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Make one update of every parameter that has a gradient.

        A parameter whose ``grad`` is None stands still, bit for bit, and so does its state (F1).

        Args:
            closure: computes the loss anew, with gradients.

        Returns:
            What the closure returned.

        Raises:
            MissingGradientError: a gradient is None under ``missing="error"``.
            HyperparameterError, AxisError: a setting of a group was changed to one without a meaning.
            ClockError: a clock that is no whole number in its range.
        """
        self._check_capture()
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        scale, skipped = getattr(self, "grad_scale", None), getattr(self, "found_inf", None)
        if skipped is not None:
            skipped = skipped.reshape(()) != 0
            if skipped.is_cpu and not torch.compiler.is_compiling():
                if skipped.item():
                    return loss
                skipped = None
        plain = scale is None and skipped is None and fast.can_cache()
        bound: dict[int, Any] = self._step_cache.bind(self.param_groups, self.state) if plain else {}
        gathered = [GroupState([], [], [], [], [], [], []) for _ in self.param_groups]
        for i, group in enumerate(self.param_groups):
            if i not in bound:
                self._init_group(i, group, *gathered[i])
        for i, group in enumerate(self.param_groups):
            if i in bound:
                bound[i]()
            elif gathered[i].clocks:
                jobs, new = update_group(self._cores[i], group, gathered[i], scale, skipped)
                if group["differentiable"]:
                    store_state(self.state, gathered[i], new)
                elif plain:
                    self._step_cache.remember(i, self._cores[i], group, self.state, gathered[i], jobs)
        return loss

    def _init_group(
        self, index: int, group: Group, params: list[Any], grads: list[Any], ms: list[Any],
        vs: list[Any], maxima: list[Any], clocks: list[Any], products: list[Any],
    ) -> None:  # fmt: skip
        """Fill the lists with what takes part in the step; make the state of what is new.

        torch.compile knows this method by its name: it runs it where it traces the rest.
        """
        self._cores[index] = core_of(group)
        gathered = GroupState(params, grads, ms, vs, maxima, clocks, products)
        gather_state(self._cores[index], group, self.state, gathered, f"param_groups[{index}]")

    def _check_capture(self) -> None:
        """Refuse a CUDA graph that would have the host's clock baked in."""
        check = getattr(self, "_accelerator_graph_capture_health_check", None)
        (check or self._cuda_graph_capture_health_check)()

    # -------------------------------------------------------------------------- checkpoints

    @torch._disable_dynamo  # type: ignore[attr-defined]
    def state_dict(self) -> dict[str, Any]:
        """The state in PyTorch's layout: see docs/torch.md; moments are the optimizer's own tensors."""
        for before in self._optimizer_state_dict_pre_hooks.values():
            before(self)
        packed = pack(self.param_groups, self.state)
        for after in self._optimizer_state_dict_post_hooks.values():
            changed = after(self, packed)
            packed = packed if changed is None else changed
        return packed

    @torch._disable_dynamo  # type: ignore[attr-defined]
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a state that this class or torch.optim wrote; all of it or, on an error, nothing.

        Numbers (lr, betas, eps, weight decay) come from the checkpoint.  The rules stay those of this
        optimizer, and a checkpoint that states others is refused: torch.optim.Adam would turn into
        AdamW.  So do the flags (``capturable``, ``fused``, ...), which say how and not what.

        Raises:
            StateError: groups of other sizes, other rules, or a state that does not fit a parameter.
            ClockError: a clock that float32 could not count to.
            HyperparameterError: a number outside its range.
        """
        state_dict = state_dict.copy()
        for before in self._optimizer_load_state_dict_pre_hooks.values():
            changed = before(self, state_dict)
            state_dict = state_dict if changed is None else changed
        state, groups = unpack(self.param_groups, state_dict)
        self.__setstate__({"state": state, "param_groups": groups})
        for after in self._optimizer_load_state_dict_post_hooks.values():
            after(self)


class AdamW(Adam):
    """:class:`Adam` with ``torch.optim.AdamW``'s rules and defaults: decoupled decay of 0.01.

    Example:
        >>> w = torch.nn.Parameter(torch.ones(1))
        >>> opt = AdamW([w], lr=0.1)
        >>> w.grad = torch.zeros(1)
        >>> opt.step()
        >>> round(w.item(), 6)
        0.999
    """

    dialect: ClassVar[str] = "torch.AdamW"
