"""What PyTorch wraps around an optimizer's step: hooks, a profiler's range, and no recording by autograd.

``torch.optim.Optimizer`` wraps the ``step`` of every class that has none of its own wrapping, and that
takes as long as a small step itself.  Here its wrapping is entered only where somebody is there to see it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch.optim import optimizer
from torch.optim.optimizer import Optimizer, _use_grad_for_differentiable

Step = TypeVar("Step", bound=Callable[..., Any])


def wrapped(step: Step) -> Step:
    """The step of an optimizer, with what PyTorch wraps around one where it is watched."""
    whole = Optimizer.profile_hook_step(_use_grad_for_differentiable(step))

    @functools.wraps(step)
    def wrapper(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        if watched(self):
            return whole(self, *args, **kwargs)
        before = torch.is_grad_enabled()
        torch._C._set_grad_enabled(False)
        try:
            return step(self, *args, **kwargs)
        finally:
            torch._C._set_grad_enabled(before)

    wrapper.hooked = True  # type: ignore[attr-defined] # what keeps torch.optim.Optimizer from wrapping it again
    return wrapper  # type: ignore[return-value]


def watched(self: Optimizer) -> bool:
    """Whether a hook, a profiler, autograd or torch.compile follows a step of this optimizer."""
    return bool(
        torch.compiler.is_compiling()
        or self.defaults["differentiable"]
        or self._optimizer_step_pre_hooks
        or self._optimizer_step_post_hooks
        or optimizer._global_optimizer_pre_hooks
        or optimizer._global_optimizer_post_hooks
        or torch._C._autograd._profiler_enabled()
    )
