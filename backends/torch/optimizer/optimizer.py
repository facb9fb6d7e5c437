"""``Adam`` and ``AdamW`` with the interface of ``torch.optim``, for every dialect."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch

from adamcore.backends.torch import shards
from adamcore.backends.torch.backend import backend
from adamcore.backends.torch.optimizer.freeze import names_of, restore_frozen
from adamcore.backends.torch.optimizer.group_keys import PYTORCH, Group, kept_settings, left_out, shorten
from adamcore.backends.torch.optimizer.numerics import numerics_of
from adamcore.backends.torch.optimizer.param_groups import (
    core_of,
    of_dialect,
    of_group,
    repeated,
)
from adamcore.backends.torch.optimizer.snapshot import Snapshots
from adamcore.backends.torch.optimizer.state_dict import pack, says_all, unpack
from adamcore.backends.torch.optimizer.step_cache import StepCache
from adamcore.backends.torch.optimizer.stepping import SteppingOptimizer
from adamcore.errors import TreeError
from adamcore.numerics import NumericsReport
from adamcore.step.clipping import Clip, check_clip


class Adam(SteppingOptimizer):
    """An Adam of any dialect as a ``torch.optim.Optimizer``.

    It takes the arguments of ``torch.optim.Adam``, with their meaning, and every axis of docs/spec.md as
    a keyword.  The dialect gives the value of each argument that is left out.  A parameter group may set
    every argument for itself.

    Args:
        params: tensors, named tensors or groups of them, as for any optimizer of PyTorch.  The tensors
            are dense, of any shape, and real or complex.
        lr: a number >= 0, or a tensor with one element.  Learning rate schedulers write to either.
        betas: b1 and b2, two numbers in [0, 1).  Tensors are read once.
        eps, weight_decay: numbers >= 0.
        amsgrad: False, True (PyTorch's rule, the axis value "uncorrected"), or a value of the axis.
        dialect: a row of :mod:`adamcore.dialects`, which gives the axes and the defaults.
        decoupled_weight_decay: PyTorch's name for ``decay="decoupled"``.
        maximize: the axis of that name.
        foreach: has no effect, because the backend always gets the whole step.
        fused: if True, the step divides the loss scale of a ``GradScaler`` out of the gradients, and clocks
            stand on the parameters' device, since there it is known whether the step is skipped.
        capturable: if True, clocks stand on the parameters' device and the host never waits for it, as a
            CUDA graph needs.
        differentiable: if True, autograd records the step, also as a function of a tensor ``lr``.
        check_numerics: True to be warned (:class:`adamcore.numerics.NumericsWarning`) of what the dtypes of
            these parameters lose, as :meth:`check_numerics` reports it; or the lr to look at.
        sparse: "dense": a sparse gradient is zero in the rows that it does not list.  "lazy": those rows
            stay as they are, while the parameter's clock ticks.
        clip: an :class:`adamcore.Clip`: gradients are clipped inside the step, by a norm over all groups,
            after the loss scale is divided out.  ``p.grad`` stays as it is.  It is an attribute, and no part
            of a ``state_dict``.
        axes: the other axes, ``eps_root``, ``momentum_decay``, ``moment_dtype``, ``m_dtype``,
            ``v_dtype``, ``p_storage``, ``seed``, ``m_storage`` and ``v_storage``, as for
            :class:`adamcore.Adam`.

    Raises:
        HyperparameterError, AxisError, DialectError: a setting has no meaning.
        BackendError: two flags exclude each other.

    Example:
        >>> w = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
        >>> opt = Adam([w], lr=0.1)
        >>> w.grad = torch.tensor([0.5, 0.0])
        >>> opt.step()
        >>> w.data
        tensor([ 0.9000, -2.0000])
    """

    dialect: ClassVar[str] = "torch.Adam"  #: the dialect of settings that are not given

    @torch._disable_dynamo  # type: ignore[attr-defined]
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
        check_numerics: bool | float = False,
        clip: Clip | None = None,
        **axes: Any,
    ) -> None:
        if clip is not None:
            check_clip(clip, backend)
        self.clip = clip
        given = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "fused": fused,
            "capturable": capturable,
            "differentiable": differentiable,
            "sparse": sparse,
        }
        defaults = of_dialect(dialect or type(self).dialect, given | axes)
        self._cores, self._compiled_for = {}, {}
        self.rules = kept_settings(defaults)
        self._step_cache = StepCache(self.rules)
        self._snapshots, self._names = Snapshots(), {}
        self._placements = shards.Placements()
        self._has_repeated, self._steady = False, False
        super().__init__(params, defaults)
        if check_numerics is not False:
            self.check_numerics(None if check_numerics is True else check_numerics).warn(4)

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"_names": self._names, "rules": self.rules, "clip": self.clip}

    def __setstate__(self, state: dict[str, Any]) -> None:
        rules = getattr(self, "rules", PYTORCH)  # in pickles of old, groups leave out PyTorch's
        super().__setstate__({"_names": {}, "rules": rules} | state)  # a state_dict brings its own names
        self.rules = PYTORCH | self.rules
        self.__dict__.setdefault("clip", None)  # pickles of old have none
        self._cores, self._compiled_for, self._steady = {}, {}, False
        self._step_cache, self._snapshots = StepCache(self.rules), Snapshots()
        self._placements = shards.Placements()
        absent = left_out(self.rules)
        self._has_repeated = any(repeated(group["params"]) for group in self.param_groups)
        for group in self.param_groups:
            for name, value in self.defaults.items():
                if name not in absent:
                    group.setdefault(name, value)
            restore_frozen(group)
            self._remember_names(group)

    def _remember_names(self, group: Group) -> None:
        pairs = zip(group["params"], names_of(group, self._names), strict=True)
        self._names |= {p: name for p, name in pairs if name is not None}

    @torch._disable_dynamo  # type: ignore[attr-defined]
    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a parameter group, as ``torch.optim.Optimizer.add_param_group`` does.

        Args:
            param_group: a dictionary with "params" and settings of this group.  Its "dialect" chooses
                the axes and leaves the numbers alone.

        Raises:
            HyperparameterError, AxisError, DialectError, BackendError: as the constructor.
            TreeError: a parameter is given twice, and ``clock="global"``.  With clocks of their own, it is
                stepped twice at every step, after a warning, as in PyTorch.
        """
        if isinstance(param_group, dict):
            param_group.update(of_group(param_group, self.defaults))
            param_group.pop("dialect", None)
        super().add_param_group(param_group)
        added = self.param_groups[-1]
        if again := repeated(added["params"]):
            if core_of(added, self.rules).clock == "global":
                self.param_groups.pop()
                raise TreeError(
                    f"a group of {len(added['params'])} parameters has {len(again)} of them once more, and "
                    "clock='global': expected each once, as all have one clock"
                )
            self._has_repeated = True
        restore_frozen(added)
        shorten(added, self.rules)
        self._remember_names(added)

    @torch._disable_dynamo  # type: ignore[attr-defined]
    def check_numerics(self, lr: float | None = None) -> NumericsReport:
        """Return what the dtypes would lose, as :meth:`adamcore.Adam.check_numerics`; names as PyTorch's.

        Args:
            lr: the learning rate to look at, such as the largest of a schedule; None for that of each group.

        Example:
            >>> w = torch.nn.Parameter(torch.ones(2, dtype=torch.bfloat16))
            >>> [finding.what for finding in Adam([("w", w)], lr=1e-3).check_numerics().findings]
            ['step-lost', 'v-stalls']
        """
        return NumericsReport.of(
            numerics_of(group, core_of(group, self.rules), names_of(group, self._names), i, lr)
            for i, group in enumerate(self.param_groups)
        )

    # -------------------------------------------------------------------------- checkpoints

    @torch._disable_dynamo  # type: ignore[attr-defined]
    def state_dict(self) -> dict[str, Any]:
        """Return the state and the settings in PyTorch's layout (docs/torch.md).

        It is a snapshot: later steps do not change what is in it.  Its tensors share memory with the
        optimizer's own until the next step, and are copied then if they are still held.
        """
        for before in self._optimizer_state_dict_pre_hooks.values():
            before(self)
        packed = pack(self.param_groups, self.rules, self.state, self._names, self._snapshots)
        for after in self._optimizer_state_dict_post_hooks.values():
            changed = after(self, packed)
            packed = packed if changed is None else changed
        return packed

    @torch._disable_dynamo  # type: ignore[attr-defined]
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Replace the state by one that this class or ``torch.optim`` wrote.

        Numbers (lr, betas, eps, weight decay) come from the checkpoint.  The axes and the flags
        (``capturable``, ``fused``, ...) stay those of this optimizer.  A checkpoint with other axes is
        refused; ``torch.optim.Adam`` would become AdamW.  After an error nothing has changed.

        Raises:
            StateError: a group has another size or other axes, or a state does not fit its parameter.
            ClockError: a clock is above the largest number to which float32 counts.
            HyperparameterError: a number is outside its range.
        """
        whole = says_all(state_dict)
        state_dict = state_dict.copy()
        for before in self._optimizer_load_state_dict_pre_hooks.values():
            changed = before(self, state_dict)
            state_dict = state_dict if changed is None else changed
        state, groups = unpack(self.param_groups, self.rules, state_dict, whole)
        self.__setstate__({"state": state, "param_groups": groups})
        for after in self._optimizer_load_state_dict_post_hooks.values():
            after(self)


class AdamW(Adam):
    """:class:`Adam` with the rules and the defaults of ``torch.optim.AdamW``: a decoupled decay of 0.01.

    Example:
        >>> w = torch.nn.Parameter(torch.ones(1))
        >>> opt = AdamW([w], lr=0.1)
        >>> w.grad = torch.zeros(1)
        >>> opt.step()
        >>> round(w.item(), 6)
        0.999
    """

    dialect: ClassVar[str] = "torch.AdamW"
