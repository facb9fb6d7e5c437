"""A driver for an AdamW in Python without any library: the protocol at its smallest (docs/protocol.md).

adamcore check 'cmd:python examples/drivers/minimal.py'
"""

import json
import math
import struct
import sys
from typing import Any

Message = dict[str, Any]
hyper: dict[str, float]
params: list[Message]
state: dict[str, Any]


def floats(array: Message) -> list[float]:
    """Return the float64 numbers of an array; each word has the bits of one number."""
    return [struct.unpack(">d", bytes.fromhex(word))[0] for word in array["bits"].split()]


def packed(numbers: list[float], like: Message) -> Message:
    bits = " ".join(struct.pack(">d", x).hex() for x in numbers)
    return {"dtype": "float64", "shape": like["shape"], "bits": bits}


def start(message: Message) -> Message:
    return {
        "protocol": 1,
        "dialect": "torch.AdamW",
        "hyper": ["lr", "b1", "b2", "eps", "weight_decay"],
        "dtypes": ["float64"],
        "can": ["set_lr", "get_state", "set_state"],
    }


def init(message: Message) -> Message:
    global hyper, params, state
    hyper, params = message["hyper"], message["params"]
    zeros = [[0.0] * len(floats(p)) for p in params]
    state = {"t": [0] * len(params), "m": zeros, "v": [list(z) for z in zeros]}
    return {}


def step(message: Message) -> Message:
    lr, b1, b2 = message["lr"], hyper["b1"], hyper["b2"]
    for i, grad in enumerate(message["grads"]):
        if grad is None:
            continue
        state["t"][i] += 1
        t, p, m, v = state["t"][i], floats(params[i]), state["m"][i], state["v"][i]
        first, second = 1 - b1**t, 1 - b2**t
        for k, g in enumerate(floats(grad)):
            m[k] += (1 - b1) * (g - m[k])
            v[k] += (1 - b2) * (g * g - v[k])
            p[k] -= lr * hyper["weight_decay"] * p[k]
            p[k] -= lr * (m[k] / first) / (math.sqrt(v[k] / second) + hyper["eps"])
        params[i] = packed(p, params[i])
    return {"params": params}


def get_state(message: Message) -> Message:
    moments = {name: [packed(x, p) for x, p in zip(state[name], params, strict=True)] for name in ("m", "v")}
    return {"state": {"t": state["t"]} | moments}


def set_state(message: Message) -> Message:
    global state
    given = message["state"]
    state = {"t": list(given["t"])} | {name: [floats(x) for x in given[name]] for name in ("m", "v")}
    return {}


for line in sys.stdin:
    message = json.loads(line)
    if message["cmd"] == "stop":
        break
    try:
        answer = globals()[message["cmd"]](message)
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps({"seq": message["seq"]} | answer), flush=True)
