"""A driver of an AdamW whose parameters and moments are kept in bfloat16, and computed in float32.

With the argument "cut" it cuts off what bfloat16 has no place for, where the rule rounds to the nearest.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np

CUT = "cut" in sys.argv
START = {
    "protocol": 1,
    "dialect": "torch.AdamW",
    "hyper": ["lr", "b1", "b2", "eps", "weight_decay"],
    "dtypes": ["bfloat16"],
    "can": ["set_lr"],
}


def read(array: Any) -> Any:
    """Return the numbers of an array; a word is the upper half of a float32 number's."""
    words = np.array([int(word, 16) for word in array["bits"].split()], np.uint32)
    return (words << 16).view(np.float32)


def kept(x: Any) -> Any:
    """Return float32 numbers as bfloat16 keeps them."""
    words = x.view(np.uint32)
    if not CUT:
        words = words + 0x7FFF + (words >> 16 & 1)
    return (words & 0xFFFF0000).view(np.float32)


def written(x: Any, like: Any) -> Any:
    return like | {"bits": " ".join(f"{word >> 16:04x}" for word in x.view(np.uint32).tolist())}


class AdamW:
    def __init__(self, params: Any, hyper: Any) -> None:
        self.like, self.hyper = params, hyper
        self.p = [read(p) for p in params]
        self.m, self.v = [np.zeros_like(p) for p in self.p], [np.zeros_like(p) for p in self.p]
        self.t = [0] * len(params)

    def step(self, grads: Any, lr: float) -> Any:
        b1, b2, f = self.hyper["b1"], self.hyper["b2"], np.float32
        for i, grad in enumerate(grads):
            if grad is not None:
                g, self.t[i] = read(grad), self.t[i] + 1
                m, v = f(b1) * self.m[i] + f(1 - b1) * g, f(b2) * self.v[i] + f(1 - b2) * g * g
                size, root = f(lr / (1 - b1 ** self.t[i])), f((1 - b2 ** self.t[i]) ** 0.5)
                p = self.p[i] * f(1 - lr * self.hyper["weight_decay"])
                p = p - size * m / (np.sqrt(v) / root + f(self.hyper["eps"]))
                self.p[i], self.m[i], self.v[i] = kept(p), kept(m), kept(v)
        return [written(p, like) for p, like in zip(self.p, self.like, strict=True)]


for line in sys.stdin:
    message = json.loads(line)
    answer: Any = {"seq": message["seq"]}
    match message["cmd"]:
        case "start":
            answer |= START
        case "init":
            adam = AdamW(message["params"], message["hyper"])
        case "step":
            answer["params"] = adam.step(message["grads"], message["lr"])
        case "stop":
            break
    print(json.dumps(answer), flush=True)
