#!/bin/bash
# torch_optimizer: RAdam steps every parameter group with the learning rate of the first.
#
# Versions:  torch-optimizer 0.3.0, torch 2.13.0, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: RAdam keeps the step size of the last ten steps, lr included, in a list that all groups share. A
#            parameter that is at the step of the one before it takes that one's: a backbone with lr/100 is trained
#            with the rate of the head, if the head's group comes first, and a group with other betas has that
#            one's correction. Nothing warns. Ranger, whose list has no lr in it, is right, as is torch.optim.RAdam.
# Source:    torch_optimizer/radam.py: the default "buffer" is one list for all groups, and buffered[2] has lr in it.
# Advice:    Use torch.optim.RAdam, or give each group a "buffer" of its own: [[None] * 3 for _ in range(10)].
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch-optimizer==0.3.0 torch==2.13.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import importlib.metadata
import sys

import torch
import torch_optimizer


def moved(kind, rates, **makers):
    """Return how far parameters in groups of these rates are after 20 steps with equal gradients."""
    parameters = [torch.nn.Parameter(torch.zeros(1)) for _ in rates]
    groups = [{"params": [p], "lr": lr} for p, lr in zip(parameters, rates, strict=True)]
    optimizer = kind([group | {key: make() for key, make in makers.items()} for group in groups])
    for _ in range(20):
        for p in parameters:
            p.grad = torch.ones(1)
        optimizer.step()
    return [-p.item() for p in parameters]


def buffer():
    return [[None] * 3 for _ in range(10)]


def close(a, b):
    return all(abs(x - y) < 1e-3 * y for x, y in zip(a, b, strict=True))


print(f"torch-optimizer {importlib.metadata.version('torch-optimizer')}, torch {torch.__version__}: 20 equal gradients")
fast, slow = (moved(torch_optimizer.RAdam, [lr])[0] for lr in (1e-2, 1e-4))
for name, found, expected in (
    ("lr 1e-2 and 1e-4", moved(torch_optimizer.RAdam, [1e-2, 1e-4]), [fast, fast]),
    ("lr 1e-4 and 1e-2", moved(torch_optimizer.RAdam, [1e-4, 1e-2]), [slow, slow]),
    ("a buffer for each", moved(torch_optimizer.RAdam, [1e-2, 1e-4], buffer=buffer), [fast, slow]),
    ("torch.optim.RAdam", moved(torch.optim.RAdam, [1e-2, 1e-4]), [fast, slow]),
    ("Ranger", moved(torch_optimizer.Ranger, [1e-2, 1e-4]), None),
):
    print(f"  {name:18} {found[0]:.6f} {found[1]:.6f}")
    if not close(found, expected or [found[0], found[0] / 100]):
        sys.exit("CHANGED: groups move otherwise")
print("as described: the first group's rate is that of all")
PROGRAM
"$home/venv/bin/python" -W ignore "$home/program.py"
