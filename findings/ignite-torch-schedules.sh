#!/bin/bash
# Ignite: LRScheduler asks a schedule of PyTorch for its first rate twice.
#
# Versions:  pytorch-ignite 0.5.5, torch 2.13.0, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: A scheduler of PyTorch sets its first rate when it is made. LRScheduler, attached to ITERATION_STARTED as
#            its documentation shows, has it computed once more, from the rate that it has set already. With
#            LinearLR(start_factor=0.1) and ConstantLR(factor=0.1) the factor is in twice, and for ever: each rate is a tenth
#            of PyTorch's own, and so is the one at which the warm-up ends and the run goes on. ExponentialLR, MultiplicativeLR
#            and CosineAnnealingWarmRestarts are one step ahead, PolynomialLR is 8/9 of itself in a schedule of 8 steps, and
#            CosineAnnealingLR begins above the optimizer's rate. LambdaLR, StepLR, MultiStepLR, OneCycleLR and CyclicLR are
#            right. Nothing warns.
# Source:    ignite/handlers/param_scheduler.py: LRScheduler.__call__ sets get_lr() before it counts, and in
#            torch/optim/lr_scheduler.py get_lr() multiplies the rate that stands in the group.
# Advice:    Call scheduler.step() in a handler of ITERATION_COMPLETED, without LRScheduler.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 || exit 2
"$home/venv/bin/pip" install --quiet pytorch-ignite==0.5.5 torch==2.13.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import math
import sys
import warnings

import torch

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what importing torch.jit says is no matter of schedules
    import ignite
    from ignite.engine import Engine, Events
    from ignite.handlers import LRScheduler
from torch.optim import lr_scheduler as schedulers

STEPS = 10


def plain(make):
    """Return the rate of each step of a loop without Ignite."""
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.ones(1))], lr=1.0)
    scheduler, rates = make(optimizer), []
    for _ in range(STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def handled(make, wrapped=True):
    """Return the rate of each step with Ignite's handler, or with one that calls the scheduler's step."""
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.ones(1))], lr=1.0)
    scheduler, rates = make(optimizer), []

    def step(engine, batch):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()

    trainer = Engine(step)
    if wrapped:
        trainer.add_event_handler(Events.ITERATION_STARTED, LRScheduler(scheduler))
    else:
        trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda: scheduler.step())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trainer.run(range(STEPS), max_epochs=1)
    return rates


def close(some, others):
    return all(math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12) for one, other in zip(some, others))


def same(rates, found):
    return close(found, rates)


def tenth(rates, found):
    return close(found, [rate / 10 for rate in rates])


def ahead(rates, found):
    return close(found[:-1], rates[1:]) and not close(found, rates)


def eight_ninths(rates, found):
    return close(found, [rate * 8 / 9 for rate in rates])


def above(rates, found):
    return found[0] > rates[0] and close(found[1:], rates[1:])


cases = {
    "LinearLR": (lambda o: schedulers.LinearLR(o, start_factor=0.1, total_iters=5), tenth),
    "ConstantLR": (lambda o: schedulers.ConstantLR(o, factor=0.1, total_iters=5), tenth),
    "ExponentialLR": (lambda o: schedulers.ExponentialLR(o, 0.5), ahead),
    "MultiplicativeLR": (lambda o: schedulers.MultiplicativeLR(o, lambda step: 0.5), ahead),
    "CosineAnnealingWarmRestarts": (lambda o: schedulers.CosineAnnealingWarmRestarts(o, 4), ahead),
    "PolynomialLR": (lambda o: schedulers.PolynomialLR(o, 8), eight_ninths),
    "CosineAnnealingLR": (lambda o: schedulers.CosineAnnealingLR(o, 10), above),
    "LambdaLR": (lambda o: schedulers.LambdaLR(o, lambda step: 1 - step / 10), same),
    "StepLR": (lambda o: schedulers.StepLR(o, 3), same),
    "MultiStepLR": (lambda o: schedulers.MultiStepLR(o, [3, 6]), same),
    "OneCycleLR": (lambda o: schedulers.OneCycleLR(o, 1.0, total_steps=11), same),
    "CyclicLR": (lambda o: schedulers.CyclicLR(o, 0.1, 1.0, 4, cycle_momentum=False), same),
}
print(f"ignite {ignite.__version__}, torch {torch.__version__}: the rates of {STEPS} steps, in a loop and with LRScheduler")
for name, (make, expected) in cases.items():
    rates, found = plain(make), handled(make)
    for label, numbers in ("a loop", rates), ("LRScheduler", found):
        print(f"  {name:28} {label:12}" + "".join(f" {number:.3f}" for number in numbers))
    if not expected(rates, found):
        sys.exit("CHANGED")
    if not close(handled(make, wrapped=False), rates):
        sys.exit("CHANGED: a handler that calls step() has other rates than a loop")
print("as described: the first rate is formed twice")
PROGRAM
"$home/venv/bin/python" "$home/program.py"
