#!/bin/bash
# To read the state of an optimizer before its first step ticks its clocks, and may fill its moments.
#
# Versions:  torch 2.13.0, numpy 2.4.6, Python 3.11, Linux x86-64.
# Behaviour: torch.distributed.checkpoint.state_dict.get_optimizer_state_dict(model, optimizer), called before the
#            first step (as for a checkpoint of step 0, or to see what will be saved), makes the state by a step with
#            zero gradients and lr 0. It leaves Adam's clocks at 1, without a word. The first real step is then one at
#            t=2: with lr 0.1 it moves a parameter by 0.0744 in place of 0.1. With an L2 decay the moments are not 0
#            either.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import sys

import torch
from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict

print(f"torch {torch.__version__}")


def moved(asks: bool) -> float:
    model = torch.nn.Linear(1, 1, bias=False)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    if asks:
        get_optimizer_state_dict(model, optimizer)
        print(f"after get_optimizer_state_dict, before any step: step = {optimizer.state[model.weight]['step']}")
    before = model.weight.item()
    model.weight.grad = torch.ones(1, 1)
    optimizer.step()
    return before - model.weight.item()


model = torch.nn.Linear(1, 1, bias=False)
decaying = torch.optim.Adam(model.parameters(), weight_decay=0.1)
get_optimizer_state_dict(model, decaying)
m = decaying.state[model.weight]["exp_avg"].item()
plain, asked = moved(False), moved(True)
print(f"the first step moves by {plain:.4f}; after the state was asked for, by {asked:.4f}")
print(f"with weight_decay=0.1 the first moment is {m} before any step")
if abs(plain - 0.1) > 1e-4 or abs(asked - 0.0744) > 1e-3 or m == 0.0:
    sys.exit("CHANGED")
print("as described: to ask for the state has changed the training")
PROGRAM
"$home/venv/bin/python" "$home/program.py"
