"""Candidates that are torch.optim.Optimizer classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from adamcore.conformance.candidates.arguments import effective_hyper, map_arguments
from adamcore.conformance.candidates.base import (
    Info,
    Refusal,
    UnavailableError,
    cast,
    describe,
    run_steps,
    same_bits,
    unsupported,
)
from adamcore.conformance.probe import Probe, Run, Step


class TorchCandidate:
    """Run an optimizer class the way a training loop does: gradients in .grad, then step()."""

    def __init__(
        self, cls: type, settings: Mapping[str, str], known: Mapping[str, str] | None, device: str | None
    ) -> None:
        self.cls = cls
        self.device = torch_device(device)
        self.arguments = map_arguments(cls, settings, known, positional=1)

    @property
    def info(self) -> Info:
        a = self.arguments
        return Info("torch optimizer", lacks=a.lacks, fixed=a.fixed, device=device_name(self.device))

    def run(self, probe: Probe, dtype: str) -> Run:
        if reason := unsupported(probe, lr=True):
            return Run(unsupported=reason)
        return run_steps(TorchStepper(self, probe, dtype), probe)


class TorchStepper:
    def __init__(self, candidate: TorchCandidate, probe: Probe, dtype: str) -> None:
        import torch

        self.torch, self.device, self.dtype = torch, candidate.device, dtype
        a = candidate.arguments
        keywords = a.call(effective_hyper(probe.hyper, a.lacks, a.fixed))
        self.params = [torch.nn.Parameter(self.tensor(p)) for p in probe.params]
        try:
            self.optimizer: Any = candidate.cls(self.params, **keywords)
        except Exception as error:
            raise Refusal(describe(error)) from error

    def tensor(self, array: Any) -> Any:
        return self.torch.tensor(cast(array, self.dtype), device=self.device)

    def step(self, index: int, step: Step) -> tuple[list[Any], list[str]]:
        if step.lr is not None:
            for group in self.optimizer.param_groups:
                group["lr"] = step.lr
        for p, g in zip(self.params, step.grads, strict=True):
            p.grad = None if g is None else self.tensor(g)
        self.optimizer.step()
        written = [
            f"gradient {i} in step {index}"
            for i, (p, g) in enumerate(zip(self.params, step.grads, strict=True))
            if g is not None and not (p.grad is not None and same_bits(to_numpy(p.grad), cast(g, self.dtype)))
        ]
        return [to_numpy(p) for p in self.params], written


def to_numpy(tensor: Any) -> np.ndarray[Any, Any]:
    """The tensor's values, free of the tensor's storage."""
    return np.array(tensor.detach().resolve_conj().cpu().numpy())


def torch_device(device: str | None) -> str:
    """The device asked for, once torch has it; plain ``cuda`` is the current one."""
    import torch

    device = device or "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UnavailableError(
            f"torch {torch.__version__} has no device {device!r}: {describe(error)}"
        ) from error
    return device


def device_name(device: str) -> str:
    """What the report calls the device: the GPU's name where there is one."""
    import torch

    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else ""
    return f"{device} ({name})" if name else device
