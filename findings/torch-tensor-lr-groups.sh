#!/bin/bash
# PyTorch: a learning rate that is a tensor is one tensor for all groups, and schedulers set it group by group.
#
# Versions:  torch 2.13.0, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: torch.optim.Adam(groups, lr=torch.tensor(0.1)) puts that very tensor into each group that has no lr of
#            its own; PyTorch's tutorial on compiled optimizers advises such a tensor. With two groups (weights that
#            decay, biases that do not)
#            - ReduceLROnPlateau(factor=0.1) multiplies it once for each group: 0.1 becomes 0.001, where two groups
#              with lr=0.1 get 0.01;
#            - LambdaLR with a function for each group, and OneCycleLR with a max_lr for each, leave the last group's
#              rate in all of them.
#            None of them warns. state_dict, torch.save and load_state_dict keep the tensor shared.
# Source:    torch/optim/optimizer.py, add_param_group: param_group.setdefault(name, default). torch/optim/
#            lr_scheduler.py, _update_param_group_val: a tensor is filled in place.
# Advice:    Give each group a tensor of its own: {"params": ..., "lr": torch.tensor(0.1)}.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import io
import sys

import torch
from torch.optim import lr_scheduler as schedulers


def optimizer(lr):
    groups = [{"params": [torch.nn.Parameter(torch.ones(2))]} for _ in range(2)]
    if lr == "a tensor for each group":
        groups = [group | {"lr": torch.tensor(0.1)} for group in groups]
        return torch.optim.Adam(groups)
    return torch.optim.Adam(groups, lr=torch.tensor(0.1) if lr == "a tensor" else 0.1)


def plateau(adam):
    schedule = schedulers.ReduceLROnPlateau(adam, factor=0.1, patience=0)
    schedule.step(1.0)
    schedule.step(2.0)  # worse


def functions(adam):
    schedulers.LambdaLR(adam, [lambda epoch: 1.0, lambda epoch: 0.5])


def one_cycle(adam):
    schedulers.OneCycleLR(adam, max_lr=[0.25, 0.5], total_steps=10)  # begins at 1/25


def saved(adam):
    file = io.BytesIO()
    torch.save(adam.state_dict(), file)
    file.seek(0)
    adam.load_state_dict(torch.load(file))
    plateau(adam)


expected = {  # what two groups have with numbers, and with one tensor
    plateau: ([0.01, 0.01], [0.001, 0.001]),
    functions: ([0.1, 0.05], [0.05, 0.05]),
    one_cycle: ([0.01, 0.02], [0.02, 0.02]),
    saved: ([0.01, 0.01], [0.001, 0.001]),
}
print(f"torch {torch.__version__}: the learning rates of two groups")
for schedule, (numbers, tensor) in expected.items():
    for lr in "a number", "a tensor for each group", "a tensor":
        adam = optimizer(lr)
        schedule(adam)
        found = [round(float(group["lr"]), 6) for group in adam.param_groups]
        print(f"  {schedule.__name__}, lr is {lr}: {found}")
        if found != (tensor if lr == "a tensor" else numbers):
            sys.exit("CHANGED")
print("as described: what one group is given, all have")
PROGRAM
"$home/venv/bin/python" -W ignore "$home/program.py"
