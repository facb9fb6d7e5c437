#!/bin/bash
# Lightning: an exponential average that is to begin at an epoch begins at the first step.
#
# Versions:  lightning 2.6.6, torch 2.13.0, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: EMAWeightAveraging(update_starting_at_epoch=N) updates its average after every step from the first one on, as if N
#            had not been given, since the condition for steps asks for update_starting_at_step alone. What N does is to
#            add one more update at the end of each epoch from N on, with the weights that the last step has put in
#            already. So the average has the weights of a warm-up in it, and an N that the run never comes to changes
#            nothing. update_starting_at_step delays it. Nothing warns.
# Source:    lightning/pytorch/callbacks/weight_averaging.py: EMAWeightAveraging.should_update.
# Advice:    Give update_starting_at_step the number of steps in the epochs to leave out. For one update an epoch, give
#            update_every_n_steps=0 beside update_starting_at_epoch.
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
from lightning.pytorch.callbacks import EMAWeightAveraging

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
inputs = torch.randn(64, 2, generator=torch.Generator().manual_seed(1))
batches = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(inputs), batch_size=8)
EPOCHS, DECAY = 5, 0.9


class Sum(lightning.LightningModule):
    """A network that learns to add two numbers, and keeps a copy of its weights from after each step."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.network = torch.nn.Linear(2, 1)
        self.trail = []

    def weights(self):
        return torch.cat([p.detach().flatten() for p in self.network.parameters()]).clone()

    def training_step(self, batch, _):
        return (self.network(batch[0]) - batch[0].sum(1, keepdim=True)).square().mean()

    def on_train_batch_end(self, *_):
        self.trail.append(self.weights())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.05)


def trained(**settings):
    """Return the weights after each step, the number of updates, and the average that the model ends with."""
    model, average = Sum(), EMAWeightAveraging(decay=DECAY, **settings)
    trainer = lightning.Trainer(
        max_epochs=EPOCHS,
        accelerator="cpu",
        callbacks=[average],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(model, batches)
    return model.trail, int(average._average_model.n_averaged), model.weights()


def average(trail, steps):
    """Return the average over the weights after some steps, the first of which it begins with."""
    result = trail[steps[0]].double()
    for step in steps[1:]:
        result = DECAY * result + (1 - DECAY) * trail[step].double()
    return result


every, length = list(range(EPOCHS * len(batches))), len(batches)
late = every[3 * length :]
ends = [4 * length - 1, 5 * length - 1]
cases = [  # the settings, the steps whose weights are in the average
    ({}, every),
    ({"update_starting_at_step": 3 * length}, late),
    ({"update_starting_at_epoch": 3}, sorted(every + ends)),
    ({"update_starting_at_epoch": 100}, every),
    ({"update_starting_at_epoch": 3, "update_every_n_steps": 0}, ends),
]
print(f"lightning {lightning.__version__}: the updates of an average in {EPOCHS} epochs of {length} steps")
for settings, steps in cases:
    trail, updates, last = trained(**settings)
    distance = (average(trail, steps) - last).abs().max().item()
    print(f"  {settings}: {updates}, the first after step {steps[0] + 1}")
    if updates != len(steps) or distance > 1e-5:
        sys.exit("CHANGED")
print("as described: update_starting_at_epoch does not delay the average")
PROGRAM
"$home/venv/bin/python" -W ignore "$home/program.py"
