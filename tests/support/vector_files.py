"""The edition's files, and what they hold."""

from __future__ import annotations

import re
from typing import Any

import torch
from paths import ROOT

from adamcore.conformance.dtypes import to_carrier
from adamcore.conformance.types import Run
from adamcore.conformance.vectors import files
from adamcore.conformance.vectors.cases import values

INDEX = files.read_index(files.SHIPPED)


PAGE = (ROOT / "docs" / "vectors.md").read_text()


Json = dict[str, Any]


def content(name: str) -> Json:
    return files.read_file(files.SHIPPED, name, INDEX)


def torch_adamw(v: Json) -> Run:
    """torch.optim.AdamW, for-loop, from the vector's own state."""
    dtype = getattr(torch, v["dtype"])

    def tensor(packed: str, like: Json) -> torch.Tensor:
        x = values(packed, v["dtype"]).reshape(like["shape"]).astype(float)
        return torch.tensor(x, dtype=dtype)

    h, run = v["hyper"], Run()
    params = [tensor(p["bits"], p).requires_grad_() for p in v["params"]]
    optimizer = torch.optim.AdamW(
        params, lr=h["lr"], betas=(h["b1"], h["b2"]), eps=h["eps"], weight_decay=h["weight_decay"], fused=True
    )
    for p, like, start in zip(params, v["params"], v["start"], strict=False):
        optimizer.state[p] = {
            "step": torch.tensor(float(start["t"])),
            "exp_avg": tensor(start["m"], like),
            "exp_avg_sq": tensor(start["v"], like),
        }
    for step in v["steps"]:
        optimizer.param_groups[0]["lr"] = step["lr"]
        for p, g, like in zip(params, step["grads"], v["params"], strict=True):
            p.grad = None if g is None else tensor(g, like)
        optimizer.step()
        run.params.append([to_carrier(p.detach().double().numpy().copy(), v["dtype"]) for p in params])
    return run


def block(language: str, k: int = 0) -> str:
    found = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    return str(found[k])
