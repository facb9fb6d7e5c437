#!/bin/bash
# PyTorch: SWALR with anneal_epochs=0 sets its rate when it is made, and the run before it trains with that rate.
#
# Versions:  torch 2.13.0, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: SWALR is made before the loop and stepped from swa_start on, as in its example. With anneal_epochs=0, which is
#            to switch to swa_lr at once, its constructor switches already: the first step of the run has swa_lr, and
#            LinearLR, ExponentialLR, StepLR, CosineAnnealingLR, which multiply the rate that they find, go on from
#            there: with lr=0.1 and swa_lr=0.005 every rate before swa_start is 20 times too small. LambdaLR and OneCycleLR,
#            which set one, are wrong in their first step alone. With anneal_epochs of 1 and more all are right. Nothing warns.
# Source:    torch/optim/swa_utils.py: SWALR.get_lr makes step 0, which the constructor asks for, step 1 if anneal_epochs is 0.
# Advice:    Make SWALR when averaging begins, or give anneal_epochs=1.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import sys
import warnings

import torch
from torch.optim import lr_scheduler as schedulers
from torch.optim.swa_utils import SWALR

warnings.simplefilter("error")
LR, SWA_LR, START, END = 0.1, 0.005, 8, 12


def rates(make, anneal_epochs):
    """Return the rate of each epoch; with anneal_epochs=None, that of a run in which SWALR is made when it is due."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=LR)
    schedule = make(optimizer)
    averaging = None if anneal_epochs is None else SWALR(optimizer, swa_lr=SWA_LR, anneal_epochs=anneal_epochs)
    result = []
    for epoch in range(END):
        result.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if epoch < START - 1:
            schedule.step()
        else:
            averaging = averaging or SWALR(optimizer, swa_lr=SWA_LR, anneal_epochs=0)
            averaging.step()
    return torch.tensor(result)


cases = {
    "ExponentialLR": lambda optimizer: schedulers.ExponentialLR(optimizer, 0.8),
    "StepLR": lambda optimizer: schedulers.StepLR(optimizer, 3),
    "LinearLR": lambda optimizer: schedulers.LinearLR(optimizer, 1, 0.1, total_iters=START),
    "CosineAnnealingLR": lambda optimizer: schedulers.CosineAnnealingLR(optimizer, 2 * START),
    "LambdaLR": lambda optimizer: schedulers.LambdaLR(optimizer, lambda epoch: 1 / (1 + epoch)),
    "OneCycleLR": lambda optimizer: schedulers.OneCycleLR(optimizer, LR, total_steps=2 * START, cycle_momentum=False),
}
print(f"torch {torch.__version__}: the rates of {START} epochs before the average, as a part of the right ones")
for name, make in cases.items():
    right = rates(make, None)
    multiplies = name not in ("LambdaLR", "OneCycleLR")
    for anneal_epochs in 0, 1:
        found = rates(make, anneal_epochs)
        parts = (found / right)[:START]
        print(f"  {name}, anneal_epochs={anneal_epochs}: {[round(part, 3) for part in parts.tolist()]}")
        if anneal_epochs == 1:
            expected = torch.ones(START)
        elif multiplies:
            expected = torch.full((START,), SWA_LR / LR)
        else:
            expected = torch.cat([SWA_LR / right[:1], torch.ones(START - 1)])
        if not torch.allclose(parts, expected) or not torch.allclose(found[START:], torch.tensor(SWA_LR)):
            sys.exit("CHANGED")
print("as described: the constructor of SWALR sets the rate")
PROGRAM
"$home/venv/bin/python" "$home/program.py"
