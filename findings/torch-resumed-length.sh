#!/bin/bash
# PyTorch: a schedule that is resumed has the length of the run that saved it, whatever the program says.
#
# Versions:  torch 2.13.0, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: A run of 10 steps is made longer: the states of its optimizer and its scheduler are loaded into a program
#            of 20 steps. load_state_dict puts back every attribute of a scheduler, so that the program's T_max or
#            total_iters have no effect, and nothing warns. CosineAnnealingLR, alone or in SequentialLR, rises from 0
#            to the whole rate again; PolynomialLR leaves the rate at 0, LinearLR at its end; OneCycleLR raises at the
#            next step. A scheduler that is made with last_epoch=9 and the new length does not help: the cosine and the
#            polynomial multiply the rate that they find, which is 0. The documentation says that every variable is
#            saved.
# Source:    torch/optim/lr_scheduler.py, LRScheduler.load_state_dict: self.__dict__.update.
#            pytorch/pytorch#65342 is about the order of the two calls, which changes nothing here.
# Advice:    Use LambdaLR with a function of the new length and last_epoch, which reads the rates of the start alone.
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

LR, SAVED, WHOLE = 1e-3, 10, 20


def adam():
    return torch.optim.Adam([torch.nn.Parameter(torch.ones(2))], lr=LR)


def rates(optimizer, schedule, steps):
    """Return the rates of the next steps, in parts of LR."""
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"] / LR)
        optimizer.step()
        schedule.step()
    return found


def resumed(schedule):
    """Return the rates of a run of WHOLE steps, and those after a run of SAVED steps that is made longer."""
    optimizer = adam()
    wanted = rates(optimizer, schedule(optimizer, WHOLE), WHOLE)[SAVED:]
    optimizer = adam()
    saved = schedule(optimizer, SAVED)
    rates(optimizer, saved, SAVED)
    again = adam()
    longer = schedule(again, WHOLE)
    again.load_state_dict(optimizer.state_dict())
    longer.load_state_dict(saved.state_dict())
    return wanted, rates(again, longer, WHOLE - SAVED)


def begun_anew(schedule):
    """Return the rates after SAVED steps with a scheduler of WHOLE steps that is made at step SAVED."""
    optimizer = adam()
    rates(optimizer, schedule(optimizer, SAVED), SAVED)
    again = adam()
    again.load_state_dict(optimizer.state_dict())
    return rates(again, schedule(again, WHOLE, SAVED - 1), WHOLE - SAVED)


def warmed(optimizer, steps):
    cosine = schedulers.CosineAnnealingLR(optimizer, steps - 2)
    return schedulers.SequentialLR(optimizer, [schedulers.LinearLR(optimizer, 0.1, total_iters=2), cosine], [2])


def function(optimizer, steps, last=-1):
    def half(step):
        return 0.5 * (1 + math.cos(math.pi * step / steps))

    return schedulers.LambdaLR(optimizer, half, last)


def cosine(optimizer, steps, last=-1):
    return schedulers.CosineAnnealingLR(optimizer, steps, last_epoch=last)


def polynomial(optimizer, steps, last=-1):
    return schedulers.PolynomialLR(optimizer, steps, last_epoch=last)


def line(optimizer, steps):
    return schedulers.LinearLR(optimizer, 1.0, 0.01, steps)


def one_cycle(optimizer, steps):
    return schedulers.OneCycleLR(optimizer, LR, total_steps=steps)


def row(label, found):
    print(f"  {label:34}" + " ".join(f"{rate:.2f}" for rate in found))


def close(found, expected):
    return all(math.isclose(a, b, abs_tol=1e-3) for a, b in zip(found, expected, strict=True))


print(f"torch {torch.__version__}: rates from step {SAVED} to {WHOLE}, in parts of the whole rate")
expected = {
    cosine: [0.5 * (1 - math.cos(math.pi * step / 10)) for step in range(10)],
    warmed: [0.5 * (1 - math.cos(math.pi * step / 8)) for step in range(10)],
    polynomial: [0.0] * 10,
    line: [0.01] * 10,
}
for schedule, described in expected.items():
    wanted, found = resumed(schedule)
    row(f"{schedule.__name__}, {WHOLE} steps at once", wanted)
    row(f"{schedule.__name__}, {SAVED} steps and loaded", found)
    if close(wanted, described) or not close(found, described):
        sys.exit("CHANGED: the loaded schedule is another")
try:
    resumed(one_cycle)
    sys.exit("CHANGED: OneCycleLR goes on")
except ValueError as error:
    print(f"  one_cycle: {error}")
for schedule in cosine, polynomial:
    found = begun_anew(schedule)
    row(f"{schedule.__name__}, last_epoch={SAVED - 1}", found)
    if not close(found, [0.0] * 10):
        sys.exit("CHANGED: a new scheduler takes up the longer schedule")
found = begun_anew(function)
row(f"LambdaLR, last_epoch={SAVED - 1}", found)
if not close(found, resumed(cosine)[0]):
    sys.exit("CHANGED: LambdaLR does not take up the longer schedule")
print("as described: the length is that of the run that saved it")
PROGRAM
"$home/venv/bin/python" -W ignore "$home/program.py"
