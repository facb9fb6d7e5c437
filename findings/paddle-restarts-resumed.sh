#!/bin/bash
# Paddle: CosineAnnealingWarmRestarts begins its first cycle again when a run is resumed.
#
# Versions:  paddlepaddle 3.3.1, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: A scheduler's state_dict has the number of the step and the rate, from which the others form their rates. This one
#            keeps its place in the cycle, and how long the cycle is, in T_cur and T_i, which are not saved. A resumed run
#            has the right rate for one step, and then begins the first cycle: one that was at the end of a cycle of 8
#            steps jumps from 0.04 to 0.85 of the whole rate, and has short cycles from then on. So it is with
#            the scheduler's set_state_dict, and with the optimizer's. Nothing warns.
# Source:    python/paddle/optimizer/lr.py: state_keys names last_epoch and last_lr; step() counts T_cur.
# Advice:    After set_state_dict call scheduler.step(scheduler.last_epoch), which forms both from the number of the step.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet paddlepaddle==3.3.1 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import sys
import warnings

import numpy as np
import paddle
from paddle.optimizer import lr

STEPS, SAVED = 30, 11
warnings.simplefilter("error")


def rates(make, resumed=None):
    """Return the rate of each step, in a run that is resumed at one of them if there is a way to do it."""
    parameter = paddle.create_parameter([1], "float32")
    scheduler = make()
    optimizer = paddle.optimizer.Adam(scheduler, parameters=[parameter])
    found = []
    for step in range(STEPS):
        if resumed and step == SAVED:
            saved = scheduler.state_dict(), optimizer.state_dict()
            scheduler = make()
            optimizer = paddle.optimizer.Adam(scheduler, parameters=[parameter])
            resumed(scheduler, optimizer, *saved)
        found.append(optimizer.get_lr())
        scheduler.step()
    return np.array(found)


def by_the_scheduler(scheduler, optimizer, state, whole):
    scheduler.set_state_dict(state)


def by_the_optimizer(scheduler, optimizer, state, whole):
    optimizer.set_state_dict(whole)


def with_its_step(scheduler, optimizer, state, whole):
    scheduler.set_state_dict(state)
    scheduler.step(scheduler.last_epoch)


def restarts():
    return lr.CosineAnnealingWarmRestarts(1.0, T_0=4, T_mult=2)


cases = [  # the scheduler, how it is resumed, whether it goes on as it would have
    (restarts, None, True),
    (restarts, by_the_scheduler, False),
    (restarts, by_the_optimizer, False),
    (restarts, with_its_step, True),
    (lambda: lr.CosineAnnealingDecay(1.0, T_max=30), by_the_scheduler, True),
    (lambda: lr.CyclicLR(0.1, 1.0, 4), by_the_scheduler, True),
    (lambda: lr.OneCycleLR(1.0, total_steps=STEPS), by_the_optimizer, True),
]
print(f"paddlepaddle {paddle.__version__}: the rates from step {SAVED} on, where a run is saved")
for make, way, right in cases:
    once, found = rates(make), rates(make, way)
    label = way.__name__ if way else "not resumed"
    print(f"  {type(make()).__name__:28} {label:17}" + "".join(f" {rate:.2f}" for rate in found[SAVED : SAVED + 9]))
    if not np.allclose(found[: SAVED + 1], once[: SAVED + 1]) or np.allclose(found, once) != right:
        sys.exit("CHANGED")
    if not right and not np.allclose(found[SAVED + 1 :], once[1 : STEPS - SAVED]):
        sys.exit("CHANGED: it goes on at another place")
print("as described: the first cycle begins again")
PROGRAM
"$home/venv/bin/python" -W ignore "$home/program.py"
