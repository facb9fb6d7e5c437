"""A driver for a class in another Python, such as one with NumPy below 2 (docs/protocol.md).

It needs Python 3.9 and NumPy.  The class has the methods of an array candidate (docs/checking.md):
init(params, hyper) and step(grads).

adamcore check 'cmd:/old/bin/python examples/drivers/array_class.py my/adam.py:MyAdam'
"""

from __future__ import annotations

import contextlib
import json
import runpy
import sys
from typing import Any

import numpy as np

Message = dict[str, Any]
WORD = {"float32": (">f4", 8), "float64": (">f8", 16), "complex64": (">f4", 8), "complex128": (">f8", 16)}


def array(packed: Message | None) -> Any:
    """Return an array from the bits of its numbers; None stays None."""
    if packed is None:
        return None
    real, _ = WORD[packed["dtype"]]
    values = np.frombuffer(bytes.fromhex(packed["bits"].replace(" ", "")), dtype=real)
    return values.astype(values.dtype.newbyteorder("=")).view(packed["dtype"]).reshape(packed["shape"])


def packed(values: Any) -> Message:
    values = np.asarray(values)
    real, digits = WORD[str(values.dtype)]
    text = np.ascontiguousarray(values).reshape(-1).view(values.real.dtype).astype(real).tobytes().hex()
    bits = " ".join(text[k : k + digits] for k in range(0, len(text), digits))
    return {"dtype": str(values.dtype), "shape": list(values.shape), "bits": bits}


class Driver:
    """One optimizer at a time."""

    def __init__(self, path: str) -> None:
        file, _, name = path.rpartition(":")
        self.cls = runpy.run_path(file)[name]
        self.optimizer: Any = None
        self.lr: float | None = None

    def start(self, message: Message) -> Message:
        hyper = getattr(self.cls, "hyper", ("lr", "b1", "b2", "eps", "weight_decay"))
        known: Message = {
            "protocol": 1,
            "hyper": list(hyper),
            "dtypes": list(getattr(self.cls, "dtypes", WORD))[:2],
        }
        known["can"] = ["set_lr"] if hasattr(self.cls, "set_lr") else []
        return dict(known, dialect=self.cls.dialect) if hasattr(self.cls, "dialect") else known

    def init(self, message: Message) -> Message:
        params: list[Any] = [array(p) for p in message["params"]]
        if any(np.iscomplexobj(p) for p in params) and not getattr(self.cls, "complex", False):
            return {"skip": "no complex parameters"}
        self.optimizer, self.lr = self.cls(), message["hyper"].get("lr")
        self.optimizer.init(params, message["hyper"])
        return {}

    def step(self, message: Message) -> Message:
        if message["lr"] != self.lr and hasattr(self.optimizer, "set_lr"):
            self.optimizer.set_lr(message["lr"])
        self.lr = message["lr"]
        return {"params": [packed(p) for p in self.optimizer.step([array(g) for g in message["grads"]])]}


driver = Driver(sys.argv[1])
for line in sys.stdin:
    message = json.loads(line)
    if message["cmd"] == "stop":
        break
    try:
        with contextlib.redirect_stdout(sys.stderr):  # what the class prints is no answer
            answer = getattr(driver, message["cmd"])(message)
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(dict(answer, seq=message["seq"])), flush=True)
