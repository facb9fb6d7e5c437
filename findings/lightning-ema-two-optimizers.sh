#!/bin/bash
# Lightning: an average of the weights that never began is what a trained model ends with.
#
# Versions:  lightning 2.6.6, torch 2.13.0, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: EMAWeightAveraging copies its average into the model when training ends, also if it has never been updated:
#            then those that the run began with replace the trained ones. It asks for an update once a batch, with
#            the number of steps that all optimizers have made. With two optimizers (a GAN's) that number is odd each
#            time, so that update_every_n_steps=2, or any even number, never updates. With one optimizer the same happens in
#            a run that ends before update_starting_at_step. In both cases each validation is of the first weights too
#            (that part is reported, for a late start, as Lightning-AI/pytorch-lightning#21724), and so is the state_dict
#            in a checkpoint. Nothing warns.
# Source:    lightning/pytorch/callbacks/weight_averaging.py: on_train_batch_end takes step_idx = global_step - 1, and
#            EMAWeightAveraging.should_update asks whether step_idx % update_every_n_steps is 0; on_train_end copies.
# Advice:    With several optimizers leave update_every_n_steps at 1. Let the average begin before the run ends.
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


class Two(lightning.LightningModule):
    """A network that learns to add two numbers, and another one beside it if there are two optimizers."""

    def __init__(self, optimizers):
        super().__init__()
        torch.manual_seed(0)
        self.networks = torch.nn.ModuleList(torch.nn.Linear(2, 1) for _ in range(optimizers))
        self.automatic_optimization = False
        self.validated = []

    def loss(self, network, batch):
        return (network(batch[0]) - batch[0].sum(1, keepdim=True)).square().mean()

    def training_step(self, batch, _):
        optimizers = self.optimizers()
        for network, optimizer in zip(self.networks, optimizers if isinstance(optimizers, list) else [optimizers]):
            optimizer.zero_grad()
            self.manual_backward(self.loss(network, batch))
            optimizer.step()

    def validation_step(self, batch, _):
        self.validated.append(self.loss(self.networks[0], batch).item())

    def configure_optimizers(self):
        return [torch.optim.Adam(network.parameters(), lr=0.05) for network in self.networks]


def trained(optimizers, **settings):
    """Return the first network's losses before and after six epochs of eight batches, and whether validations changed."""
    model = Two(optimizers)
    first = model.loss(model.networks[0], (inputs,)).item()
    trainer = lightning.Trainer(
        max_epochs=6,
        accelerator="cpu",
        callbacks=[EMAWeightAveraging(decay=0.9, **settings)] if settings else [],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(model, batches, batches)
    return first, model.loss(model.networks[0], (inputs,)).item(), len(set(model.validated)) > len(batches)


cases = [  # the case, the number of optimizers, the settings, whether the model has learnt in the end
    ("one optimizer, without the callback", 1, {}, True),
    ("one optimizer, every 2 steps", 1, {"update_every_n_steps": 2}, True),
    ("two optimizers, every step", 2, {"update_every_n_steps": 1}, True),
    ("two optimizers, every 3 steps", 2, {"update_every_n_steps": 3}, True),
    ("two optimizers, every 2 steps", 2, {"update_every_n_steps": 2}, False),
    ("two optimizers, every 10 steps", 2, {"update_every_n_steps": 10}, False),
    ("one optimizer, from step 100 of 48 on", 1, {"update_starting_at_step": 100}, False),
]
print(f"lightning {lightning.__version__}: the loss of the first network after training")
for case, optimizers, settings, learns in cases:
    first, last, moved = trained(optimizers, **settings)
    print(f"  {case}: {first:.3f} became {last:.3f}")
    if (last < first / 10, moved) != (learns, learns) or (last == first) == learns:
        sys.exit("CHANGED")
print("as described: the model ends with the weights that it began with")
PROGRAM
"$home/venv/bin/python" -W ignore "$home/program.py"
