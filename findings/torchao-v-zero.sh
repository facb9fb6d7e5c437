#!/bin/bash
# torchao.optim.AdamW8bit takes a step of thousands of lr where a small gradient ends beside a large one.
#
# Versions:  torchao 0.18.0, torch 2.13.0, numpy 2.4.6, Python 3.11, Linux x86-64, on the CPU.
# Behaviour: moments of 4096 and more elements are kept as codes of 8 bits, with a scale for each block of 256.
#            A second moment below 1.6e-7 of the largest in its block gets the code 0; a first moment does so
#            below 2.8e-7 of its own largest. A gradient of 1e-4 beside one of 1 has the ratios 1e-8 and 1e-4:
#            v becomes 0, and m does not. If the next gradient of that element is 0, the step is m/eps. It is
#            4.2 long with lr=1e-3, where torch.optim.AdamW moves 0.0007. A later gradient that is not 0 hides
#            it, since v is then made of that gradient. unslothai/unsloth-zoo#962 reports the same of 8-bit moments.
#            bitsandbytes 0.50.2 on the CPU rounds such a v up, so that steps are too short instead.
# Source:    torchao/optim/subclass_8bit.py and quant_utils.py: the nearest number of a codebook with 0 in it.
#
# Exit status: 0 as described, 1 changed.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 torchao==0.18.0 numpy==2.4.6 || exit 2
"$home/venv/bin/python" - <<'PROGRAM'
import sys
import warnings

warnings.simplefilter("ignore")
import torch
import torchao
from torchao.optim import AdamW8bit

print(f"torchao {torchao.__version__}, torch {torch.__version__}")


def steps(optimizer_class):
    """How far an element moves in two steps: its gradient is 1e-4, then 0, and the first of its block has 1."""
    p = torch.nn.Parameter(torch.zeros(4096))
    optimizer = optimizer_class([p], lr=1e-3, weight_decay=0.0)
    moved, before = [], 0.0
    for g in (1e-4, 0.0):
        p.grad = torch.full((4096,), 1e-4)
        p.grad[::256], p.grad[1::256] = 1.0, g
        optimizer.step()
        moved.append(p.detach()[1].item() - before)
        before = p.detach()[1].item()
    return moved


plain, narrow = steps(torch.optim.AdamW), steps(AdamW8bit)
for name, moved in (("torch.optim.AdamW", plain), ("torchao AdamW8bit", narrow)):
    print(f"{name}: first step {moved[0]:.2e}, second step {moved[1]:.2e}")
if abs(narrow[1]) < 1.0:
    sys.exit("CHANGED: the second step is not m/eps")
print("as described: the second step is thousands of lr long")
PROGRAM
