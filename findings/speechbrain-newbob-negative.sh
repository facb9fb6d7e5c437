#!/bin/bash
# SpeechBrain: NewBobScheduler lowers the rate while a negative loss gets better, and keeps it while the loss gets worse.
#
# Versions:  speechbrain 1.1.2, torch 2.13.0, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: It compares (last loss - loss) / last loss with improvement_threshold. Where the loss is negative, as one in
#            decibels (SI-SNR) or of densities can be, that quotient has the other sign: a loss that falls from -1 to -20
#            halves the rate in every epoch, to a 500,000th of it after 20, and one that rises from -20 to -1 never does.
#            So training stops where it goes well, and goes on where it diverges. Nothing warns. SpeechBrain's
#            ReduceLROnPlateau takes a negative loss as it should, but counts its patience once for each optimizer of the
#            list that it is given: with two of them and a patience of 5 it lowers the rate after 3 epochs in place of 6.
# Source:    speechbrain/nnet/schedulers.py: NewBobScheduler.__call__, ReduceLROnPlateau.__call__.
# Advice:    Where a loss can be negative use ReduceLROnPlateau, with one optimizer in its list.
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
from speechbrain.nnet.schedulers import NewBobScheduler, ReduceLROnPlateau

EPOCHS = 20


def new_bob(losses):
    """Return the rate after these losses, of a scheduler that begins with 1."""
    scheduler = NewBobScheduler(1.0)
    for loss in losses:
        _, rate = scheduler(loss)
    return rate


def lowered(optimizers, patience):
    """Return after how many epochs of a rising loss the rate of the optimizers is lowered, the first not counted."""
    made = [torch.optim.AdamW([torch.nn.Parameter(torch.ones(1))], lr=1.0) for _ in range(optimizers)]
    scheduler = ReduceLROnPlateau(patience=patience, dont_halve_until_epoch=1)
    for epoch in range(1, EPOCHS):
        _, rate = scheduler(made, epoch, float(epoch))
        if rate < 1.0:
            return epoch - 1
    return None


falling = [-float(epoch) for epoch in range(1, EPOCHS + 1)]
print(f"speechbrain {version('speechbrain')}: the rate after {EPOCHS} epochs of NewBobScheduler(1.0)")
for name, losses, expected in (
    ("a loss that falls from 100 to 81", [101 + loss for loss in falling], 1.0),
    ("a loss that rises from 81 to 100", [101 + loss for loss in falling[::-1]], 0.5 ** (EPOCHS - 1)),
    ("a loss that falls from -1 to -20", falling, 0.5 ** (EPOCHS - 1)),
    ("a loss that rises from -20 to -1", falling[::-1], 1.0),
):
    rate = new_bob(losses)
    print(f"  {name}: {rate:.3g}")
    if rate != expected:
        sys.exit("CHANGED: another rate")
for patience, expected in (1, (2, 1)), (3, (4, 2)), (5, (6, 3)):
    found = lowered(1, patience), lowered(2, patience)
    print(f"  ReduceLROnPlateau(patience={patience}): lowered after {found[0]} epochs, two optimizers after {found[1]}")
    if found != expected:
        sys.exit("CHANGED: another epoch")
print("as described: NewBobScheduler goes by the sign of the loss")
PROGRAM
"$home/venv/bin/python" "$home/program.py"
