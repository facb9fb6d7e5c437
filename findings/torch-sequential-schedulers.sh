#!/bin/bash
# PyTorch: two kinds of schedulers spoil those before and after them in SequentialLR.
#
# Versions:  torch 2.13.0, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: SequentialLR begins each scheduler at the optimizer's rate, whatever the one before has reached. Two kinds
#            are otherwise, and nothing warns.
#            - OneCycleLR writes its own first rate, max_lr / 25, over the group's initial_lr, at which others begin.
#              With max_lr as the optimizer's lr, a warm-up before it has rates that are 25 times too small, and so has
#              a scheduler after it that was made after it. It also puts Adam's beta1 to 0.95 at once, which the warm-up
#              has in place of 0.9, and which stays after the cycle.
#            - MultiplicativeLR goes on from where the warm-up stands, one step before its end: 0.78 of the rate in the
#              example. All its rates are so much smaller than those of ExponentialLR with the same factor.
# Source:    torch/optim/lr_scheduler.py: OneCycleLR.__init__ sets group["initial_lr"] and group["betas"];
#            SequentialLR.__init__ starts at initial_lr; MultiplicativeLR.get_lr reads group["lr"].
# Advice:    Give OneCycleLR its own warm-up (pct_start, div_factor), alone, and cycle_momentum=False to keep beta1. In
#            place of MultiplicativeLR use LambdaLR with the product.
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

LR, SWITCH, STEPS = 1e-3, 4, 10


def warm_up(optimizer):
    return schedulers.LinearLR(optimizer, 0.1, total_iters=SWITCH)


def one_cycle(optimizer):
    return schedulers.OneCycleLR(optimizer, LR, total_steps=STEPS - SWITCH)


def short_cycle(optimizer):
    return schedulers.OneCycleLR(optimizer, LR, total_steps=SWITCH)


def exponential(optimizer):
    return schedulers.ExponentialLR(optimizer, 0.9)


def multiplicative(optimizer):
    return schedulers.MultiplicativeLR(optimizer, lambda step: 0.9)


def run(first, second=None, last_first=False):
    """Return the rates of a run, in parts of LR, and the betas b1; the schedulers switch at step SWITCH."""
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.ones(2))], lr=LR, betas=(0.9, 0.999))
    if second is None:
        schedule = first(optimizer)
    else:
        made = {kind: kind(optimizer) for kind in ((second, first) if last_first else (first, second))}
        schedule = schedulers.SequentialLR(optimizer, [made[first], made[second]], [SWITCH])
    rates, betas = [], []
    for _ in range(STEPS if second else SWITCH):
        rates.append(optimizer.param_groups[0]["lr"] / LR)
        betas.append(optimizer.param_groups[0]["betas"][0])
        optimizer.step()
        schedule.step()
    return rates, betas


def close(found, expected):
    return all(math.isclose(a, b, rel_tol=1e-3) for a, b in zip(found, expected, strict=True))


warm, decay = run(warm_up)[0], [0.9**step for step in range(STEPS - SWITCH)]
cases = {  # the rates before and after the switch, and b1 there
    (warm_up, exponential): (warm, decay, 0.9, 0.9),
    (warm_up, multiplicative): (warm, [warm[-1] * 0.9 * rate for rate in decay], 0.9, 0.9),
    (warm_up, one_cycle): ([rate / 25 for rate in warm], None, 0.95, None),
    (short_cycle, exponential): (run(short_cycle)[0], [rate / 25 for rate in decay], None, 0.95),
}
MADE_FIRST = {(short_cycle, exponential): decay}  # the rates after the switch, if the last one was made first
print(f"torch {torch.__version__}: rates in parts of the optimizer's, and b1")
for kinds, (before, after, first, last) in cases.items():
    for last_first in False, True:
        rates, betas = run(*kinds, last_first)
        order = ", the latter made first" if last_first else ""
        print(f"  {kinds[0].__name__}, then {kinds[1].__name__}{order}")
        print("    " + " ".join(f"{rate:.3f}" for rate in rates) + "\n    " + " ".join(f"{b:.3f}" for b in betas))
        after = MADE_FIRST.get(kinds, after) if last_first else after
        if not close(rates[:SWITCH], before) or (after and not close(rates[SWITCH:], after)):
            sys.exit("CHANGED: other rates")
        if (first and set(betas[:SWITCH]) != {first}) or (last and set(betas[SWITCH:]) != {last}):
            sys.exit("CHANGED: another b1")
print("as described: two kinds spoil the others")
PROGRAM
"$home/venv/bin/python" -W ignore "$home/program.py"
