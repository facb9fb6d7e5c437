#!/bin/bash
# PyTorch: ChainedScheduler takes schedulers that can't be chained, and a warm-up is lost or overshoots.
#
# Versions:  torch 2.13.0, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: LambdaLR, CosineAnnealingWarmRestarts, OneCycleLR and CyclicLR set the rate, whatever it was; the others
#            multiply it. After LinearLR as a warm-up in one ChainedScheduler, the former leave nothing of it: the first
#            step has the whole rate. (CyclicLR leaves the first rate of the optimizer for the first step.) Before it,
#            the first step is right and the second has 2.8 times what the schedule says, since LinearLR multiplies by
#            the ratio of two factors, 0.28 / 0.1; so with LambdaLR the warm-up starts above the full rate.
#            Nothing warns. All schedules of transformers (get_cosine_schedule_with_warmup, ...) are LambdaLR.
#            The documentation says "chainable schedulers", and not which these are.
# Source:    torch/optim/lr_scheduler.py: get_lr of these reads base_lrs, that of LinearLR group["lr"].
# Advice:    Use SequentialLR, or put the warm-up into the function of LambdaLR.
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
from torch.optim import lr_scheduler as schedulers

LR, STEPS = 1e-3, 10


def rates(*kinds):
    """Return the rates of the first steps with schedulers chained in this order."""
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.ones(2))], lr=LR)
    schedule = schedulers.ChainedScheduler([kind(optimizer) for kind in kinds])
    found = []
    for _ in range(STEPS):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def close(a, b):
    return all(abs(x - y) < 1e-3 * y for x, y in zip(a, b, strict=True))


def warm_up(optimizer):
    return schedulers.LinearLR(optimizer, 0.1, total_iters=5)


kinds = {  # and whether it can be chained
    "MultiplicativeLR": (lambda o: schedulers.MultiplicativeLR(o, lambda step: 0.9), True),
    "StepLR": (lambda o: schedulers.StepLR(o, 3), True),
    "ExponentialLR": (lambda o: schedulers.ExponentialLR(o, 0.9), True),
    "PolynomialLR": (lambda o: schedulers.PolynomialLR(o, 20), True),
    "CosineAnnealingLR": (lambda o: schedulers.CosineAnnealingLR(o, 20), True),
    "LambdaLR": (lambda o: schedulers.LambdaLR(o, lambda step: 0.9**step), False),
    "CosineAnnealingWarmRestarts": (lambda o: schedulers.CosineAnnealingWarmRestarts(o, 20), False),
    "OneCycleLR": (lambda o: schedulers.OneCycleLR(o, LR, total_steps=20), False),
    "CyclicLR": (lambda o: schedulers.CyclicLR(o, LR / 10, LR, 5, cycle_momentum=False), False),
}
print(f"torch {torch.__version__}: rates of the first steps with a warm-up from 0.1 to 1 in 5 steps")
factors = [rate / LR for rate in rates(warm_up)]
for name, (kind, chains) in kinds.items():
    alone = rates(kind)
    right = [factor * rate for factor, rate in zip(factors, alone, strict=True)]
    after, before = rates(warm_up, kind), rates(kind, warm_up)
    for label, found in ("right", right), ("the warm-up first", after), ("the warm-up last", before):
        print(f"  {name:28}{label:18}" + " ".join(f"{rate:.5f}" for rate in found[:5]))
    if close(after, right) != chains or close(before, right) != chains:
        sys.exit("CHANGED: another kind of scheduler can be chained")
    if not chains and not close(after[1:], alone[1:]):
        sys.exit("CHANGED: something is left of the warm-up")
    if not chains and not 2.7 < before[1] / alone[1] < 2.9:
        sys.exit("CHANGED: the second step has another rate")
print("as described: four kinds can't be chained, and nothing says so")
PROGRAM
"$home/venv/bin/python" -W error "$home/program.py"
