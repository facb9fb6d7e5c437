"""Two small networks and their data, written once for PyTorch, JAX and Keras: see moving.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import torch

Arrays = dict[str, np.ndarray]


class Torch:
    """The few functions of the networks, in PyTorch."""

    tanh, exp, log, swapaxes = torch.tanh, torch.exp, torch.log, torch.swapaxes

    @staticmethod
    def sum(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
        return x.sum() if axis is None else x.sum(dim=axis, keepdim=keepdims)


def two_layers(ns: Any, p: Any, x: Any, y: Any) -> Any:
    """Mean squared error of a network with one hidden layer."""
    out = ns.tanh(x @ p["fc1.kernel"] + p["fc1.bias"]) @ p["fc2.kernel"] + p["fc2.bias"]
    return ns.sum((out - y) ** 2) / out.shape[0]


def softmax(ns: Any, x: Any) -> Any:
    e = ns.exp(x)
    return e / ns.sum(e, axis=-1, keepdims=True)


def transformer(ns: Any, p: Any, x: Any, y: Any) -> Any:
    """Cross-entropy of the next token: one block of attention and one hidden layer, one-hot tokens."""
    steps, width = x.shape[1], p["query.kernel"].shape[0]
    mask: Any = np.triu(np.full((steps, steps), -30.0, np.float32), 1)
    mask = torch.from_numpy(mask) if ns is Torch or ns is keras.ops else mask
    h = x @ p["embed.kernel"] + p["place.kernel"]
    q, k, v = (h @ p[f"{name}.kernel"] for name in ("query", "key", "value"))
    weights = softmax(ns, q @ ns.swapaxes(k, -1, -2) / width**0.5 + mask)
    h = h + weights @ v @ p["out.kernel"]
    h = h + ns.tanh(h @ p["up.kernel"] + p["up.bias"]) @ p["down.kernel"]
    return -ns.sum(y * ns.log(softmax(ns, h @ p["head.kernel"]))) / (x.shape[0] * steps)


def network(name: str) -> tuple[Callable[..., Any], Arrays, list[tuple[np.ndarray, np.ndarray]]]:
    """A network's loss, its first parameters, and a few batches."""
    rng = np.random.default_rng(7)

    def kernel(*shape: int) -> np.ndarray:
        return (rng.normal(size=shape) / shape[0] ** 0.5).astype("f4")

    if name == "two layers":
        p = {"fc1.kernel": kernel(4, 16), "fc1.bias": np.zeros(16, "f4"),
             "fc2.kernel": kernel(16, 1), "fc2.bias": np.zeros(1, "f4")}  # fmt: skip
        xs = [rng.normal(size=(32, 4)).astype("f4") for _ in range(8)]
        return two_layers, p, [(x, (x[:, :1] * x[:, 1:2] + np.sin(3 * x[:, 2:3])).astype("f4")) for x in xs]
    tokens, steps, width = 10, 8, 16
    p = {"embed.kernel": kernel(tokens, width), "place.kernel": kernel(steps, width)}
    p |= {f"{n}.kernel": kernel(width, width) for n in ("query", "key", "value", "out")}
    p |= {"up.kernel": kernel(width, 32), "up.bias": np.zeros(32, "f4"), "down.kernel": kernel(32, width),
          "head.kernel": kernel(width, tokens)}  # fmt: skip
    batches = []
    for _ in range(8):
        start, stride = rng.integers(0, tokens, (16, 1)), rng.integers(1, 4, (16, 1))
        line = (start + stride * np.arange(steps + 1)) % tokens  # counting in strides, modulo 10
        hot = np.eye(tokens, dtype="f4")[line]
        batches.append((hot[:, :-1], hot[:, 1:]))
    return transformer, p, batches


def axes(x: Any) -> list[int] | None:
    return [1, 0] if x.ndim == 2 else None


def turned(p: Any) -> Any:
    return p.T if p.ndim == 2 else p


def nested(p: dict[str, Any]) -> dict[str, dict[str, Any]]:
    tree: dict[str, dict[str, Any]] = {}
    for name, x in p.items():
        layer, _, kind = name.partition(".")
        tree.setdefault(layer, {})[kind] = x
    return tree


def flat(tree: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {f"{layer}.{kind}": x for layer, inner in tree.items() for kind, x in inner.items()}
