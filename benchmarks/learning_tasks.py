"""What benchmarks/learning.py trains: a small transformer and a two-layer network, many models at once.

The parameters of a model are one row of a matrix, so that one optimizer step serves all seeds, and one
batched product all models.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


class Task:
    """A network and its data, both made from seeds."""

    name: str
    shapes: dict[str, tuple[int, ...]]
    batch: int  #: examples in a step
    rate: float  #: the largest learning rate

    @property
    def size(self) -> int:
        """The parameters of one model."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    def start(self, seed: int) -> Tensor:
        """Return the first parameters of a model, numbers of bfloat16 in float32."""
        rng = torch.Generator().manual_seed(seed)
        parts = []
        for shape in self.shapes.values():
            scale = shape[0] ** -0.5 if len(shape) > 1 else 0.0
            parts.append((torch.randn(shape, generator=rng) * scale).reshape(-1))
        return torch.cat(parts).bfloat16().float()

    def unpacked(self, rows: Tensor) -> dict[str, Tensor]:
        """Return the parameters of models by name; ``rows`` has a model in each row."""
        sizes = [math.prod(shape) for shape in self.shapes.values()]
        parts = torch.split(rows, sizes, dim=1)
        return {
            name: part.reshape(len(rows), *shape)
            for (name, shape), part in zip(self.shapes.items(), parts, strict=True)
        }

    def examples(self, rng: np.random.Generator, count: int) -> tuple[Tensor, Tensor]:
        """Return inputs and the classes that belong to them."""
        raise NotImplementedError

    def logits(self, p: dict[str, Tensor], x: Tensor) -> Tensor:
        """Return what the models say of inputs, which have the model as their first axis."""
        raise NotImplementedError

    def losses(self, rows: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """Return the mean cross entropy of each model on its own examples."""
        logits = self.logits(self.unpacked(rows), x)
        each = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), y.reshape(-1), reduction="none")
        return each.reshape(len(rows), -1).mean(dim=1)


class Transformer(Task):
    """Two layers of width 32 that predict the next of 16 characters, which depends on the last two."""

    name, batch, rate = "transformer", 4, 3e-3
    width, heads, length, symbols, layers = 32, 2, 12, 16, 2

    def __init__(self) -> None:
        d = self.width
        layer = {"qkv": (d, 3 * d), "mix": (d, d), "up": (d, 2 * d), "down": (2 * d, d)}
        self.shapes = {"embed": (self.symbols, d), "place": (self.length, d)}
        self.shapes |= {f"{name}{k}": shape for k in range(self.layers) for name, shape in layer.items()}
        self.shapes["out"] = (d, self.symbols)
        table = np.random.default_rng(14).dirichlet(np.full(self.symbols, 0.15), (self.symbols,) * 2)
        self.table = table.cumsum(axis=-1)

    def examples(self, rng: np.random.Generator, count: int) -> tuple[Tensor, Tensor]:
        text = np.zeros((count, self.length + 1), dtype=np.int64)
        text[:, :2] = rng.integers(0, self.symbols, (count, 2))
        chance = rng.random((count, self.length + 1))
        for k in range(2, self.length + 1):
            text[:, k] = (self.table[text[:, k - 2], text[:, k - 1]] < chance[:, k, None]).sum(axis=1)
        text = np.minimum(text, self.symbols - 1)
        return torch.from_numpy(text[:, :-1].copy()), torch.from_numpy(text[:, 1:].copy())

    def logits(self, p: dict[str, Tensor], x: Tensor) -> Tensor:
        models, count, length = x.shape
        offset = torch.arange(models)[:, None, None] * self.symbols
        h = p["embed"].reshape(-1, self.width)[x + offset] + p["place"][:, None, :length]
        h = h.reshape(models, count * length, self.width)
        for k in range(self.layers):
            parts = torch.bmm(F.layer_norm(h, (self.width,)), p[f"qkv{k}"])
            parts = parts.reshape(models * count, length, 3, self.heads, -1)
            q, key, value = parts.permute(2, 0, 3, 1, 4)
            seen = F.scaled_dot_product_attention(q, key, value, is_causal=True)
            h = h + torch.bmm(seen.transpose(1, 2).reshape(h.shape), p[f"mix{k}"])
            inner = F.gelu(torch.bmm(F.layer_norm(h, (self.width,)), p[f"up{k}"]))
            h = h + torch.bmm(inner, p[f"down{k}"])
        return torch.bmm(F.layer_norm(h, (self.width,)), p["out"])


class TwoLayers(Task):
    """Sixty-four hidden units that learn the eight classes which another such network draws at random."""

    name, batch, rate = "two layers", 64, 3e-3
    inputs, hidden, classes = 16, 64, 8

    def __init__(self) -> None:
        self.shapes = {
            "first": (self.inputs, self.hidden), "bias": (self.hidden,),
            "second": (self.hidden, self.classes),
        }  # fmt: skip
        rng = torch.Generator().manual_seed(14)
        self.teacher = {
            name: torch.randn((1, *shape), generator=rng) * (2.0 * shape[0] ** -0.5)
            for name, shape in self.shapes.items()
        }

    def examples(self, rng: np.random.Generator, count: int) -> tuple[Tensor, Tensor]:
        x = torch.from_numpy(rng.standard_normal((count, self.inputs), np.float32))
        chance = torch.from_numpy(rng.gumbel(size=(count, self.classes)).astype(np.float32))
        return x, (self.logits(self.teacher, x[None])[0] + chance).argmax(dim=-1)

    def logits(self, p: dict[str, Tensor], x: Tensor) -> Tensor:
        h = torch.tanh(torch.baddbmm(p["bias"][:, None], x, p["first"]))
        return torch.bmm(h, p["second"])


def examples_of(task: Task, rngs: Sequence[Any], copies: int) -> tuple[Tensor, Tensor]:
    """Return the examples of a step: those of each seed, in as many copies as there are kinds of storage."""
    x, y = zip(*(task.examples(rng, task.batch) for rng in rngs), strict=True)
    return torch.stack(x).repeat(copies, *[1] * x[0].ndim), torch.stack(y).repeat(copies, *[1] * y[0].ndim)


TASKS = {task.name: task for task in (Transformer(), TwoLayers())}
