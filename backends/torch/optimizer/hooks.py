"""A decorator of ``step`` that enters PyTorch's own wrapper only if the wrapper has an effect.

``torch.optim.Optimizer`` wraps the ``step`` of each class in hooks, a range for the profiler and a switch of
autograd.  That takes as long as a small step.  If no hook, profiler, compiler or autograd follows the step,
only autograd is switched off.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch.optim import optimizer
from torch.optim.optimizer import Optimizer, _use_grad_for_differentiable

Step = TypeVar("Step", bound=Callable[..., Any])

is_compiling: Callable[[], bool] = torch.compiler.is_compiling  # looked up once, and not in each step
profiler_enabled: Callable[[], bool] = torch._C._autograd._profiler_enabled
is_grad_enabled, set_grad_enabled = torch.is_grad_enabled, torch._C._set_grad_enabled


def wrapped(step: Step) -> Step:
    """Return a method ``step`` that PyTorch's wrapper surrounds whenever the step is :func:`watched`."""
    inner = _use_grad_for_differentiable(step)
    whole = Optimizer.profile_hook_step(inner)

    @functools.wraps(inner)  # two layers, as in PyTorch: who compiles the step takes it from inside both
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        if watched(self):
            return whole(self, *args, **kwargs)
        if not args and not kwargs and self._step_again():  # it calls no operation that autograd would see
            return None
        before = is_grad_enabled()
        set_grad_enabled(False)
        try:
            return step(self, *args, **kwargs)
        finally:
            set_grad_enabled(before)

    wrapper.hooked = True  # type: ignore[attr-defined] # torch.optim.Optimizer does not wrap it again
    return wrapper  # type: ignore[return-value]


def watched(self: Optimizer) -> bool:
    """True if a hook, a profiler, autograd or ``torch.compile`` follows the steps of this optimizer."""
    return bool(
        is_compiling()
        or self.defaults["differentiable"]
        or self._optimizer_step_pre_hooks
        or self._optimizer_step_post_hooks
        or optimizer._global_optimizer_pre_hooks
        or optimizer._global_optimizer_post_hooks
        or profiler_enabled()
    )
