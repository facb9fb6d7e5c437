#!/bin/bash
# accelerate: adjust_scheduler has no effect, and a schedule that counts batches ends at a part of its way.
#
# Versions:  accelerate 1.15.0, torch 2.13.0, numpy 2.4.6, Python 3.11, on the CPU, one process.
# Behaviour: With gradient_accumulation_steps=N a prepared scheduler makes one step for N batches. GradientAccumulationPlugin
#            has adjust_scheduler, by default True, "to account for the number of steps being accumulated", which should be
#            True "if the used scheduler was not adjusted for gradient accumulation"; the docstring of the scheduler
#            says that lengths should not be changed. Neither value does anything: a schedule as long as the batches goes
#            through 1/N of its way. With N=4 a linear decay to 0 ends at 0.75 of the rate, and OneCycleLR ends the
#            training close to its maximum. Nothing warns.
# Source:    accelerate/state.py, GradientState.adjust_scheduler: reads it from the plugin's arguments that differ from
#            the defaults, so that True is never there. With True, scheduler.py would count _step_count up, on which no
#            rate depends.
# Advice:    Give the scheduler the number of optimizer steps: batches // N (and times the number of processes).
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet accelerate==1.15.0 torch==2.13.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import sys

import accelerate
import torch
from accelerate.state import AcceleratorState, GradientState
from accelerate.utils import GradientAccumulationPlugin
from torch.optim import lr_scheduler as schedulers

N, UPDATES = 4, 40


def rates(adjust, length, kind):
    """Return the rate after each update of a training of N batches an update, with a schedule of this length."""
    AcceleratorState._reset_state(True)
    GradientState._reset_state()
    plugin = GradientAccumulationPlugin(num_steps=N, adjust_scheduler=adjust)
    accelerator = accelerate.Accelerator(cpu=True, gradient_accumulation_plugin=plugin)
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    batches = torch.utils.data.DataLoader(torch.randn(N * UPDATES, 2), batch_size=1)
    model, optimizer, batches, schedule = accelerator.prepare(model, optimizer, batches, kind(optimizer, length))
    found = []
    for batch in batches:
        with accelerator.accumulate(model):
            accelerator.backward(model(batch).sum())
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
        if accelerator.sync_gradients:
            found.append(schedule.get_last_lr()[0])
    if len(found) != UPDATES:
        sys.exit(f"CHANGED: {len(found)} updates")
    return found


def linear(optimizer, length):
    return schedulers.LinearLR(optimizer, 1.0, 0.0, total_iters=length)


def one_cycle(optimizer, length):
    return schedulers.OneCycleLR(optimizer, 1e-2, total_steps=length + 1)


print(f"accelerate {accelerate.__version__}: {N} batches an update, {UPDATES} updates, lr 1e-2; the rate at the end")
for kind in linear, one_cycle:
    for name, length in ("updates", UPDATES), ("batches", UPDATES * N):
        found = {adjust: rates(adjust, length, kind) for adjust in (True, False)}
        ends = {adjust: f"{found[adjust][-1]:.2g}" for adjust in found}
        print(f"  {kind.__name__} as long as the {name}: {ends} by adjust_scheduler")
        if found[True] != found[False]:
            sys.exit("CHANGED: adjust_scheduler has an effect")
        if name == "updates" and found[True][-1] > 1e-6 or name == "batches" and found[True][-1] < 7e-3:
            sys.exit("CHANGED: a schedule ends elsewhere")
print("as described: one step of the schedule an update, whatever adjust_scheduler is")
PROGRAM
"$home/venv/bin/python" -W ignore "$home/program.py"
