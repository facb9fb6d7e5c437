#!/bin/bash
# tinygrad: a fused LAMB has one trust ratio for the whole model.
#
# Versions:  tinygrad 0.14.0, numpy 2.4.6, Python 3.11, on the CPU (DEV=PYTHON, which needs no compiler).
# Behaviour: LAMB(fused=True), or FUSE_OPTIM=1, joins all parameters into one tensor and steps that. LAMB makes each
#            parameter's step as long as lr times its norm. Fused it takes the norms of the joined tensor: the largest
#            parameters decide for all, and small ones (norms, biases) move as far as those, a hundred times too far in the
#            example. LARS the same. Adam and AdamW are right. Nothing warns; Muon asserts that it isn't fused.
# Source:    tinygrad/nn/optim.py, Optimizer.schedule_step and LAMB._step.
# Advice:    Leave fused=False for LAMB and LARS, also where the environment has FUSE_OPTIM=1.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet tinygrad==0.14.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import importlib.metadata
import sys

import numpy as np
from tinygrad import Context, Tensor
from tinygrad.nn.optim import LAMB, LARS, AdamW

LR = 0.1


def moved(kind, fused):
    """Return how far the first step moves two parameters, whose entries are 10 and 0.1, over their norms."""
    parameters = [Tensor(np.full(4, x, "float32")).is_param_() for x in (10.0, 0.1)]
    before = [p.numpy().copy() for p in parameters]
    optimizer = kind(parameters, lr=LR, fused=fused)
    with Context(TRAINING=1):
        (parameters[0].sum() + parameters[1].sum()).backward()
        optimizer.step()
    return [float(np.linalg.norm(p.numpy() - b) / np.linalg.norm(b)) for p, b in zip(parameters, before, strict=True)]


def adamw(parameters, lr, fused):
    return AdamW(parameters, lr, weight_decay=0.0, fused=fused)


def lars(parameters, lr, fused):
    return LARS(parameters, lr, momentum=0.0, weight_decay=0.0, tcoef=1.0, fused=fused)


print(f"tinygrad {importlib.metadata.version('tinygrad')}: steps over norms, entries 10 and 0.1, lr={LR}")
root = 0.5**0.5  # both parameters move as far as one of norm 20 / sqrt(2)
for name, kind, right, fused in (
    ("LAMB", LAMB, [LR, LR], [LR * root, LR * root * 100]),
    ("LARS", lars, [LR, LR], [LR * root, LR * root * 100]),
    ("AdamW", adamw, [LR / 10, LR / 0.1], [LR / 10, LR / 0.1]),
):
    found = moved(kind, False), moved(kind, True)
    print(f"  {name:6} {[f'{x:.4f}' for x in found[0]]} fused {[f'{x:.4f}' for x in found[1]]}")
    if not np.allclose(found, (right, fused), rtol=2e-2):
        sys.exit("CHANGED: parameters move otherwise")
print("as described: fused, one ratio for all parameters")
PROGRAM
cd "$home"
DEV=PYTHON CACHEDB="$home/cache.db" venv/bin/python program.py
