"""Array candidates for the smoke test, one of them no Adam."""

from __future__ import annotations

from pathlib import Path

CANDIDATE = """
import os, time
import numpy as np
class Candidate:
    def init(self, params, hyper):
        self.p, self.n = params, 0
    def set_lr(self, lr):
        pass
    def step(self, grads):
        self.n += 1
        {step}
        return self.p
"""
WRONG = "self.p = [p if g is None else p - 0.01 * g for p, g in zip(self.p, grads)]"  # SGD: no Adam, but fine


def write(folder: Path, step: str) -> str:
    (folder / "candidate.py").write_text(CANDIDATE.format(step=step))
    return f"{folder / 'candidate.py'}:Candidate"
