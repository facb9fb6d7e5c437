"""What the makers of PyTorch's world share: the model of the recipe, and its state by names."""

from __future__ import annotations

from typing import Any

import recipe
import torch


class Dense(torch.nn.Module):
    """A layer whose forward is the loss of which the recipe's numbers are the gradients."""

    def __init__(self) -> None:
        super().__init__()
        arrays = {name.rpartition(".")[2]: x for name, x in recipe.params().items()}
        self.kernel = torch.nn.Parameter(torch.tensor(arrays["kernel"]))
        self.bias = torch.nn.Parameter(torch.tensor(arrays["bias"]))

    def forward(self, kernel: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        """Return the loss."""
        return (self.kernel * kernel).sum() + (self.bias * bias).sum()


class Model(torch.nn.Module):
    """A model with the parameters of the recipe."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = Dense()

    def forward(self, kernel: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        """Return the loss."""
        loss: torch.Tensor = self.dense(kernel, bias)
        return loss


def gradients(k: int) -> list[torch.Tensor]:
    """Return the gradients of a step, the kernel's and the bias'."""
    return [torch.tensor(recipe.grads(k)[name]) for name in ("dense.kernel", "dense.bias")]


def step(model: Model, optimizer: torch.optim.Optimizer, k: int) -> None:
    """Make one step."""
    optimizer.zero_grad()
    model(*gradients(k)).backward()
    optimizer.step()


def settings() -> dict[str, Any]:
    """Return the hyperparameters of the recipe, by PyTorch's names."""
    return {"lr": recipe.LR, "betas": (recipe.B1, recipe.B2), "eps": recipe.EPS}


def by_name(model: Model, optimizer: torch.optim.Optimizer) -> dict[str, dict[str, Any]]:
    """Return the state of each parameter by its name, as the optimizer itself has it."""
    found = {}
    for name, p in model.named_parameters():
        each = optimizer.state[p]
        found[name] = {"t": int(each["step"]), "m": each["exp_avg"], "v": each["exp_avg_sq"]}
        if "max_exp_avg_sq" in each:
            found[name]["v_max"] = each["max_exp_avg_sq"]
    return found
