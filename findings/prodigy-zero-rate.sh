#!/bin/bash
# prodigyopt, dadaptation, pytorch_optimizer: a parameter group whose rate is 0 decays, runs away, or is trained.
#
# Versions:  prodigyopt 1.1.2, dadaptation 3.2, pytorch_optimizer 4.1.0, torch 2.13.0, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: All groups of prodigyopt's Prodigy and of DAdaptAdam have to have one rate, but for those with a rate of 0, as the
#            error for any other says: to freeze a text encoder, or a backbone, its group gets 0. That rate keeps its
#            gradients out of the estimate and out of the moments, and the step uses the rate of the other groups. So
#            with weight decay a group with lr=0 decays at the full rate. If the rate of a group becomes 0 later, its first
#            moment stands still and is added in every step for ever: the frozen weights run away in one direction.
#            dadaptation's DAdaptAdan, DAdaptLion and DAdaptAdaGrad, and in pytorch_optimizer Prodigy and all of DAdapt, take
#            the rate of one group for all, and train a group with lr=0 as any other. Nothing warns. With
#            requires_grad_(False) and gradients of None the weights stand still.
# Source:    prodigyopt/prodigy.py, dadaptation/dadapt_adam.py: step, its second loop over the groups does not look at their lr.
#            pytorch_optimizer/optimizer/prodigy.py and dadapt.py: d_lr is formed once, from the first group.
# Advice:    Freeze by requires_grad_(False) and zero_grad(), or leave the parameters out of the optimizer.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 || exit 2
"$home/venv/bin/pip" install --quiet prodigyopt==1.1.2 dadaptation==3.2 pytorch_optimizer==4.1.0 torch==2.13.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import contextlib
import io
import sys
import warnings
from importlib.metadata import version

import dadaptation
import prodigyopt
import pytorch_optimizer
import torch

warnings.simplefilter("error")
STEPS, LATE = 60, 10


def run(cls, frozen_from, by="lr", **settings):
    """Return a weight of a group that is frozen, as it is when it is frozen, and in the end."""
    trained, frozen = (torch.nn.Parameter(torch.ones(3)) for _ in range(2))
    with contextlib.redirect_stdout(io.StringIO()):
        optimizer = cls([{"params": [trained]}, {"params": [frozen]}], lr=1.0, d0=1e-2, **settings)
    for step in range(STEPS):
        if step == frozen_from:
            before = frozen[0].item()
            if by == "lr":
                optimizer.param_groups[1]["lr"] = 0.0
            else:
                frozen.requires_grad_(False)
        optimizer.zero_grad()
        loss = (trained - 3).square().sum() + (frozen - 3).square().sum()
        loss.backward()
        optimizer.step()
    return before, frozen[0].item(), trained[0].item()


def check(case, found, expected):
    print(f"  {case}: {found[0]:.3f} becomes {found[1]:.3f}")
    if not expected(*found):
        sys.exit("CHANGED")


packages = prodigyopt, dadaptation, pytorch_optimizer
print(", ".join(f"{package.__name__} {version(package.__name__)}" for package in packages) + ": a frozen weight")
decay = {"weight_decay": 0.1, "decouple": True}
for cls in prodigyopt.Prodigy, dadaptation.DAdaptAdam:
    name = f"{cls.__module__.split('.')[0]}.{cls.__name__}"
    check(f"{name}, lr=0", run(cls, 0), lambda before, after, _: after == before)
    check(f"{name}, lr=0, weight decay", run(cls, 0, **decay), lambda before, after, _: abs(after) < 0.2)
    check(f"{name}, lr=0 from step {LATE} on", run(cls, LATE), lambda before, after, _: abs(after - before) > 10)
    check(f"{name}, requires_grad_(False)", run(cls, LATE, "grad", **decay), lambda before, after, _: after == before)
names = "DAdaptAdan", "DAdaptLion", "DAdaptAdaGrad"
classes = [getattr(dadaptation, name) for name in names]
classes += [getattr(pytorch_optimizer, name) for name in (*names, "DAdaptAdam", "DAdaptSGD", "Prodigy")]
for cls in classes:
    name = f"{cls.__module__.split('.')[0]}.{cls.__name__}"
    check(f"{name}, lr=0", run(cls, 0), lambda before, after, trained: after == trained != before)
print("as described: a rate of 0 does not freeze a group")
PROGRAM
"$home/venv/bin/python" "$home/program.py"
