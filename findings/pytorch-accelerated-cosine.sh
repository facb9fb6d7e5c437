#!/bin/bash
# pytorch-accelerated: a cosine with a warm-up of N epochs breaks off, and the last N epochs are trained at the lowest rate.
#
# Versions:  pytorch-accelerated 0.1.61, accelerate 1.15.0, torch 2.13.0, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: CosineLrScheduler takes the warm-up off the end of the run as well: with 5 of 20 epochs of warm-up its cosine, which
#            is as long as the other 15, is left after 10 of them, at a quarter of the rate. From there to the end, as
#            long as the warm-up was, the rate is lr_min, by default 1e-6: five epochs in which nothing is learnt, without the
#            slow end that a cosine is for. With a warm-up of half the run there is no cosine at all. With
#            warmup_starting_lr_ratio the warm-up goes beyond the rate too, and falls back when it ends: 0.5 makes it
#            half as large again. Nothing warns. Without a warm-up the cosine is right.
# Source:    pytorch_accelerated/schedulers/cosine_scheduler.py: get_updated_values compares the number of updates with the total
#            less the warm-up before it takes the warm-up off that number.
# Advice:    Give the Trainer PyTorch's OneCycleLR with pct_start, or SequentialLR of LinearLR and CosineAnnealingLR.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 || exit 2
"$home/venv/bin/pip" install --quiet pytorch-accelerated==0.1.61 accelerate==1.15.0 torch==2.13.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import sys
import warnings
from importlib.metadata import version

import numpy as np
import torch
from pytorch_accelerated import Trainer
from pytorch_accelerated.schedulers import CosineLrScheduler

warnings.simplefilter("error", UserWarning)
RATE, LOWEST, EPOCHS, UPDATES = 0.1, 1e-6, 20, 4
data = torch.utils.data.TensorDataset(torch.ones(8, 1), torch.ones(8, 1))


def rates(**settings):
    """Return the rate of each update of a run, as a part of the one that is given."""
    seen = []
    model = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    optimizer.register_step_pre_hook(lambda *_: seen.append(optimizer.param_groups[0]["lr"]))
    trainer = Trainer(model, torch.nn.functional.mse_loss, optimizer, callbacks=())
    trainer.train(
        data,
        num_epochs=EPOCHS,
        per_device_batch_size=2,
        create_scheduler_fn=CosineLrScheduler.create_scheduler_fn(**settings),
    )
    return np.array(seen) / RATE


def cosine(epochs, of):
    """Return the first epochs of a cosine."""
    return (1 + np.cos(np.pi * np.arange(epochs * UPDATES) / (of * UPDATES))) / 2


def shown(found):
    return [float(f"{rate:.2g}") for rate in found[UPDATES - 1 :: UPDATES]]


cases = [  # the settings, the epochs of warm-up, those of the cosine, its length, those at the lowest rate
    ({}, 0, 20, 20, 0),
    ({"num_warmup_epochs": 5}, 5, 10, 15, 5),
    ({"num_warmup_epochs": 5, "num_cooldown_epochs": 3}, 5, 7, 12, 8),
    ({"num_warmup_epochs": 10}, 10, 0, 10, 10),
]
print(f"pytorch-accelerated {version('pytorch-accelerated')}: the last rate of each of {EPOCHS} epochs")
for settings, warmup, falling, length, lowest in cases:
    found = rates(**settings)
    print(f"  {settings or 'by default'}: {shown(found)}")
    expected = np.append(cosine(falling, length), np.zeros(lowest * UPDATES))
    if not np.allclose(found[1 + warmup * UPDATES :], expected[:-1], atol=2e-5):  # the first rate is used twice
        sys.exit("CHANGED")
found = rates(num_warmup_epochs=5, warmup_starting_lr_ratio=0.5)
print(f"  with warmup_starting_lr_ratio=0.5: {shown(found)}")
if not 1.4 < found[5 * UPDATES] < 1.5 or found[1 + 5 * UPDATES] != 1:
    sys.exit("CHANGED")
print("as described: the cosine is cut off by the length of the warm-up")
PROGRAM
"$home/venv/bin/python" "$home/program.py"
