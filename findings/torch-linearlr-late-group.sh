#!/bin/bash
# PyTorch: a group that is added during LinearLR's warm-up ends at a multiple of its learning rate.
#
# Versions:  torch 2.13.0, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: LinearLR multiplies the rate that a group has by the ratio of two factors. A group that add_param_group
#            brings in has its whole rate at once, and is multiplied by what is left of the warm-up: Adam(lr=1e-3) with
#            LinearLR(start_factor=0.01, total_iters=100), and layers that are unfrozen after five steps, has 1e-3 for
#            the first group in the end and 1.68e-2 for the second. It is the same with an lr
#            that the group gives itself, and nothing warns. LambdaLR and CosineAnnealingWarmRestarts raise in their next
#            step.
# Source:    torch/optim/lr_scheduler.py, LinearLR.get_lr: group["lr"] * (1 + ...), for all groups of the optimizer.
# Advice:    Give the group the rate of the moment: "lr": base * (factor now), or add all groups at first, with
#            parameters that do not require gradients.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import math
import sys

import torch
from torch.optim import lr_scheduler as schedulers

LR, START, WARM_UP = 1e-3, 0.01, 100


def parameter():
    return torch.nn.Parameter(torch.ones(2))


def ended(when, lr=None):
    """Return both groups' rates after the warm-up, of which the second came at a step, with an lr of its own or not."""
    optimizer = torch.optim.Adam([parameter()], lr=LR)
    schedule = schedulers.LinearLR(optimizer, START, total_iters=WARM_UP)
    for step in range(2 * WARM_UP):
        if step == when:
            optimizer.add_param_group({"params": [parameter()]} | ({} if lr is None else {"lr": lr}))
        optimizer.step()
        schedule.step()
    return [group["lr"] for group in optimizer.param_groups]


def raises(kind, *args):
    """Return the error of the first step of a schedule after a group was added."""
    optimizer = torch.optim.Adam([parameter()], lr=LR)
    schedule = kind(optimizer, *args)
    optimizer.add_param_group({"params": [parameter()]})
    optimizer.step()
    try:
        schedule.step()
    except ValueError as error:
        return error
    return None


print(f"torch {torch.__version__}: rates of two groups, 1e-3 each, after LinearLR({START}, total_iters={WARM_UP})")
for when in 1, 5, 50:
    factor = START + (1 - START) * when / WARM_UP
    late, mended = ended(when), ended(when, LR * factor)
    print(f"  the second came at step {when}: {late}; with the rate of the moment {mended}")
    if not math.isclose(late[0], LR, rel_tol=1e-6) or not math.isclose(late[1], LR / factor, rel_tol=1e-6):
        sys.exit("CHANGED: a late group ends at another rate")
    if not math.isclose(mended[1], LR, rel_tol=1e-6):
        sys.exit("CHANGED: a group with the rate of the moment ends at another rate")
for kind, *args in (schedulers.LambdaLR, lambda epoch: 1.0), (schedulers.CosineAnnealingWarmRestarts, 10):
    error = raises(kind, *args)
    print(f"  {kind.__name__} raises: {error}")
    if error is None:
        sys.exit("CHANGED: it takes a late group")
print("as described: a late group's rate is its own divided by the factor at which it came")
PROGRAM
"$home/venv/bin/python" -W ignore "$home/program.py"
