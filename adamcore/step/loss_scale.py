"""The loss scale of a step: gradients divided by it, and steps that are skipped (SCALE.1, SCALE.2)."""

from __future__ import annotations

from typing import Any, NamedTuple

from adamcore.clock import known
from adamcore.errors import HyperparameterError
from adamcore.jobs import Job
from adamcore.protocol import Backend
from adamcore.types import Array, Scalar


class LossScale(NamedTuple):
    """What the caller says of the loss scale of a step."""

    grad_scale: Scalar | None  #: what the gradients were multiplied by; None for 1
    found_inf: Any  #: True, or not 0, if the step is to be skipped; a 0-d array may be traced

    @property
    def skipped(self) -> Any:
        """``found_inf``, which is False where it is not given."""
        return False if self.found_inf is None else self.found_inf


def read_loss_scale(given: LossScale, backend: Backend) -> tuple[Scalar | None, bool | Array]:
    """Return the scale, checked, and whether the step is skipped: a bool, or an array that is traced.

    Raises:
        HyperparameterError: the scale is no number > 0, or the flag no boolean, number or 0-d array.
    """
    scale, flag = given
    if scale is not None:
        value = known("grad_scale", scale, backend)
        if value == 0.0:
            raise HyperparameterError(
                "grad_scale=0.0: expected a number > 0, by which gradients are divided; leave it out for 1"
            )
        scale = scale if value is None else value
    if flag is None or isinstance(flag, (bool, int, float)):
        return scale, bool(flag)
    if not hasattr(flag, "dtype") or tuple(flag.shape) != ():
        came = f"an array of shape {tuple(flag.shape)}" if hasattr(flag, "shape") else type(flag).__name__
        raise HyperparameterError(f"found_inf is {came}: expected a boolean, a number or a 0-d array")
    value = backend.host(flag) if backend.owns(flag) else flag.item()
    return scale, (flag != 0 if value is None else bool(value))


def unscaled(backend: Backend, job: Job, scale: Scalar) -> Job:
    """Return a job with its gradient divided by the scale, in the dtype of arithmetic (SCALE.1)."""
    with backend.scope():
        return job._replace(g=backend.divided(job.g, scale, job.formats.work))
