"""A step of PyTorch without Dynamo, which is there as ever once something is compiled."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys, torch
from torch.optim import AdamW
from adamcore.conformance.workers.later_dynamo import DISABLED, load_dynamo_later

def is_loaded():
    return "torch._dynamo.eval_frame" in sys.modules

def steps(optimizer):
    for _ in range(2):
        p.grad = torch.ones(2)
        optimizer.step()
        optimizer.zero_grad()
    return optimizer.state_dict()

load_dynamo_later()
p = torch.nn.Parameter(torch.ones(2))
optimizer = AdamW([p], lr=0.5)
steps(optimizer)
assert not is_loaded()
of_group = AdamW.add_param_group.__wrapped__
assert getattr(of_group, DISABLED) is of_group
assert torch._dynamo.disable(lambda x: x)(3) == 3
assert torch.compile(lambda x: x + 1, backend="eager")(torch.ones(1)).item() == 2
assert is_loaded()
assert sys.modules["torch._dynamo"] is torch._dynamo is not None
assert not hasattr(of_group, DISABLED)
steps(AdamW([p], lr=0.5))
assert getattr(of_group, DISABLED) is not of_group
"""


@pytest.mark.slow
def test_dynamo_is_loaded_once_something_is_compiled() -> None:
    pytest.importorskip("torch")
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, timeout=300)


def test_nothing_is_put_off_without_torch() -> None:
    program = """
import sys
from adamcore.conformance.workers.later_dynamo import load_dynamo_later
load_dynamo_later()
assert "torch._dynamo" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=300)
