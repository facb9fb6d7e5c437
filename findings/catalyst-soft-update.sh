#!/bin/bash
# Catalyst: SoftUpdateCallaback by epochs never updates its target if there is a valid loader.
#
# Versions:  catalyst 22.4, accelerate 0.23.0, torch 2.13.0, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: The callback keeps an average of one model's weights in another. With scope="on_epoch_end" or "on_epoch_start"
#            it asks whether the loader is one for training, and between epochs that is the loader that was last: with
#            {"train": ..., "valid": ...} the answer is no, and the average stays, to the bit, as it was before training.
#            With the train loader alone, or last, it is updated, "on_epoch_start" once less than there are epochs. Nothing
#            warns, so a teacher or a target network gives the values of its initialization for the whole run.
# Source:    catalyst/callbacks/soft_update.py: on_epoch_end and on_epoch_start read runner.is_train_loader, which
#            catalyst/core/runner.py sets as a loader begins.
# Advice:    Give scope="on_batch_end", and a tau for each batch.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 || exit 2
"$home/venv/bin/pip" install --quiet catalyst==22.4 accelerate==0.23.0 torch==2.13.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import contextlib
import copy
import io
import sys
import warnings
from importlib.metadata import version

import torch

warnings.simplefilter("ignore")  # of old packages as they are loaded
from catalyst import dl
from catalyst.callbacks.soft_update import SoftUpdateCallaback

EPOCHS, BATCHES, TAU = 3, 10, 0.5


class Runner(dl.Runner):
    """A student that learns, and a teacher that does not."""

    def handle_batch(self, batch):
        x, y = batch
        self.batch_metrics["loss"] = torch.nn.functional.mse_loss(self.model["student"](x), y)


def updates(scope, loaders):
    """Return how often a run changes the teacher, and what warns."""
    torch.manual_seed(0)
    data = torch.utils.data.TensorDataset(torch.randn(4 * BATCHES, 3), torch.randn(4 * BATCHES, 1))
    student = torch.nn.Linear(3, 1)
    models = {"student": student, "teacher": copy.deepcopy(student)}
    places = [models["teacher"].weight.detach().clone()]

    class Watch(SoftUpdateCallaback):
        """Keeps where the teacher is after each event that may update it."""

        def on_batch_end(self, runner):
            super().on_batch_end(runner)
            places.append(models["teacher"].weight.detach().clone())

        def on_epoch_start(self, runner):
            super().on_epoch_start(runner)
            places.append(models["teacher"].weight.detach().clone())

        def on_epoch_end(self, runner):
            super().on_epoch_end(runner)
            places.append(models["teacher"].weight.detach().clone())

    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Runner().train(
            model=models,
            optimizer=torch.optim.SGD(student.parameters(), lr=1e-2),
            loaders={name: torch.utils.data.DataLoader(data, batch_size=4) for name in loaders},
            num_epochs=EPOCHS,
            callbacks=[
                dl.BackwardCallback(metric_key="loss"),
                dl.OptimizerCallback(metric_key="loss"),
                Watch("teacher", "student", TAU, scope),
            ],
        )
    changed = sum(not torch.equal(a, b) for a, b in zip(places, places[1:], strict=False))
    return changed, [str(w.message) for w in caught if "teacher" in str(w.message) or "target" in str(w.message)]


expected = {
    ("on_epoch_end", ("train", "valid")): 0,
    ("on_epoch_start", ("train", "valid")): 0,
    ("on_epoch_end", ("train",)): EPOCHS,
    ("on_epoch_end", ("valid", "train")): EPOCHS,
    ("on_epoch_start", ("train",)): EPOCHS - 1,
    ("on_batch_end", ("train", "valid")): EPOCHS * BATCHES,
}
print(f"catalyst {version('catalyst')}: updates of the teacher in {EPOCHS} epochs of {BATCHES} batches")
for (scope, loaders), number in expected.items():
    found, told = updates(scope, loaders)
    print(f"  {scope:16}{', '.join(loaders):14}{found}")
    if found != number or told:
        sys.exit(f"CHANGED: {number} updates were described {told}")
print("as described: by epochs the teacher stands still")
PROGRAM
"$home/venv/bin/python" "$home/program.py"
