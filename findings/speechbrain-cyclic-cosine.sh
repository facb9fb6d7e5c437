#!/bin/bash
# SpeechBrain: CyclicCosineScheduler has no warm-up, and without lr_initial, its default, multiplies one cosine by the next.
#
# Versions:  speechbrain 1.1.2, torch 2.13.0, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: It is described as a cyclic cosine with a warm-up of n_warmup_steps. These only shift its cosine: with 1000 of
#            10,000 steps the first rate is 98 % of the whole one, in place of a thousandth, and the last one 2 %. So a
#            transformer gets its whole rate at once, from which the warm-up was to keep it. lr_initial is None by
#            default; the rate is then the one that the optimizer has at that moment, times the cosine: a tenth after 100
#            steps, less than a thousandth after 500, and 0 before half of the run. Nothing warns. NoamScheduler warms up.
# Source:    speechbrain/nnet/schedulers.py: CyclicCosineScheduler.__call__, _get_lr_scale.
# Advice:    Use PyTorch's OneCycleLR with pct_start, or SequentialLR of LinearLR and CosineAnnealingLR.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 || exit 2
"$home/venv/bin/pip" install --quiet --no-deps speechbrain==1.1.2 || exit 2
"$home/venv/bin/pip" install --quiet hyperpyyaml==1.2.3 joblib==1.6.0 packaging==26.4 requests==2.34.2 scipy==1.17.1 \
    sentencepiece==0.2.3 soundfile==0.14.0 tqdm==4.70.1 huggingface_hub==2.4.0 torch==2.13.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import importlib.machinery
import sys
import types
import warnings
from importlib.metadata import version

import torch

warnings.simplefilter("error", UserWarning)
sys.modules["torchaudio"] = torchaudio = types.ModuleType("torchaudio")  # PyPI's is for CUDA; schedules need none
torchaudio.__spec__, torchaudio.__version__ = importlib.machinery.ModuleSpec("torchaudio", None), "2.11.1"
from speechbrain.nnet.schedulers import CyclicCosineScheduler, NoamScheduler

RATE, WARM_UP, STEPS = 1e-3, 1000, 10_000
SHOWN = 1, 100, 500, 1000, 5000, 10_000


def rates(scheduler):
    """Return the rate after each of the steps that are shown, as a part of the whole one."""
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.ones(1))], lr=RATE)
    found = []
    for _ in range(STEPS):
        scheduler(optimizer)
        found.append(optimizer.param_groups[0]["lr"] / RATE)
    return {step: found[step - 1] for step in SHOWN}


print(f"speechbrain {version('speechbrain')}: rates after {SHOWN} of {STEPS} steps, {WARM_UP} of them a warm-up")
noam = rates(NoamScheduler(RATE, WARM_UP))
given = rates(CyclicCosineScheduler(WARM_UP, RATE, STEPS))
default = rates(CyclicCosineScheduler(WARM_UP, total_steps=STEPS))
for name, found in ("NoamScheduler", noam), ("CyclicCosineScheduler", given), ("without lr_initial", default):
    print(f"  {name}: {', '.join(f'{rate:.2g}' for rate in found.values())}")
if not noam[1] < 2e-3 or not noam[WARM_UP] > 0.99:
    sys.exit("CHANGED: NoamScheduler does not warm up")
if given[1] < 0.95 or given[100] < 0.95 or not 0.02 < given[STEPS] < 0.03:
    sys.exit("CHANGED: CyclicCosineScheduler warms up")
if default[1] < 0.95 or default[100] > 0.2 or default[500] > 1e-3 or default[STEPS // 2] > 1e-100:
    sys.exit("CHANGED: without lr_initial it goes another way")
print("as described: no warm-up, and a product of cosines")
PROGRAM
"$home/venv/bin/python" "$home/program.py"
