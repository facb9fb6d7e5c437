#!/bin/bash
# Lightning: stochastic weight averaging leaves out the last epoch, and with one epoch returns the first weights.
#
# Versions:  lightning 2.6.6, torch 2.13.0, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: StochasticWeightAveraging takes the weights into its average as an epoch begins. So the average is of the weights
#            from before swa_epoch_start on, and what the last epoch learns is in none: it replaces the trained weights,
#            and is gone. Of 10 epochs with the default of 0.8 it is the mean of the weights after epochs 7, 8 and 9.
#            With max_epochs=1 it is, bit for bit, the weights that the run began with: a model that is tuned for one epoch is
#            not tuned at all. If a run ends early (EarlyStopping, trainer.should_stop) there is no average at all, and the
#            model keeps its last weights. Nothing warns.
# Source:    lightning/pytorch/callbacks/stochastic_weight_avg.py: on_train_epoch_start updates the average, and on_train_end
#            copies it if the last epoch was max_epochs - 1.
# Advice:    Average with WeightAveraging, which updates after a step or an epoch.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 || exit 2
"$home/venv/bin/pip" install --quiet lightning==2.6.6 torch==2.13.0 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import logging
import sys

import lightning
import torch
from lightning.pytorch.callbacks import Callback, StochasticWeightAveraging, WeightAveraging

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
inputs = torch.randn(64, 2, generator=torch.Generator().manual_seed(1))
batches = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(inputs), batch_size=8)


class Sum(lightning.LightningModule):
    """A network that learns to add two numbers, and keeps a copy of its weights from before each epoch and at the end."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.network = torch.nn.Linear(2, 1)
        self.trail = [self.weights()]

    def weights(self):
        return torch.cat([p.detach().flatten() for p in self.network.parameters()]).clone()

    def training_step(self, batch, _):
        return (self.network(batch[0]) - batch[0].sum(1, keepdim=True)).square().mean()

    def on_train_epoch_end(self):
        self.trail.append(self.weights())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.05)


class Stop(Callback):
    """End the run after its ninth epoch, as EarlyStopping may."""

    def on_train_epoch_end(self, trainer, module):
        trainer.should_stop = trainer.current_epoch == 8


class Epochs(WeightAveraging):
    """The average that was meant: of the weights after each epoch from the ninth on."""

    def should_update(self, step_idx=None, epoch_idx=None):
        return epoch_idx is not None and epoch_idx >= 8


def averaged(epochs, *callbacks):
    """Return the weights after each epoch, that of the start first, and those that the model ends with."""
    model = Sum()
    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        callbacks=list(callbacks),
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(model, batches)
    return torch.stack(model.trail), model.weights()


def average(**settings):
    return StochasticWeightAveraging(swa_lrs=0.05, **settings)


cases = [  # the case, the number of epochs, the callbacks, the epochs whose weights the model ends with the mean of
    ("10 epochs, the default of 0.8", 10, [average()], [7, 8, 9]),
    ("10 epochs, swa_epoch_start=10", 10, [average(swa_epoch_start=10)], [9]),
    ("2 epochs, the default", 2, [average()], [0, 1]),
    ("1 epoch, the default", 1, [average()], [0]),
    ("1 epoch, swa_epoch_start=1", 1, [average(swa_epoch_start=1)], [0]),
    ("10 epochs that end after 9", 10, [average(), Stop()], [9]),
    ("10 epochs, WeightAveraging", 10, [Epochs()], [9, 10]),
    ("1 epoch, no averaging", 1, [], [1]),
]
print(f"lightning {lightning.__version__}: after which epochs the weights are averaged, 0 being the start")
for case, epochs, callbacks, expected in cases:
    trail, last = averaged(epochs, *callbacks)
    mean = trail[expected].double().mean(0)
    distance = (last.double() - mean).abs().max().item()
    print(f"  {case}: {expected}, off by {distance:.0e}")
    if distance > 1e-6 or (len(expected) == 1 and distance):
        sys.exit("CHANGED")
print("as described: the last epoch is in no average, and one epoch is none")
PROGRAM
"$home/venv/bin/python" -W ignore "$home/program.py"
