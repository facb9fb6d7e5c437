#!/bin/bash
# Catalyst: the rate of OneCycleLRWithWarmup is at its end from the second epoch on.
#
# Versions:  catalyst 22.4, accelerate 0.23.0, torch 2.13.0, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: In a Runner all steps that it is given are multiplied by the batches of the train loader, so num_steps are
#            epochs. So is the count of the batches that are done, which are batches already: after one epoch of 10 batches
#            the schedule is put to step 100, and after one of 1000 to step 1,000,000. Where an epoch has as many batches
#            as the schedule has epochs, or more, it is over: from the second epoch on (but for its first batch, which has
#            the rate of the one before) all have the last rate, 0 in the example, and the last momentum. If num_steps are
#            batches, it is a staircase: a warm-up in the first epoch gets to a tenth of its way, and the rest is one jump.
#            Nothing warns. The schedule by itself is right.
# Source:    catalyst/contrib/schedulers/onecycle.py: OneCycleLRWithWarmup.recalculate sets last_epoch to
#            current_batch_step * loader_batch_len; SchedulerCallback.on_loader_start gives it runner.batch_step.
# Advice:    Use torch's OneCycleLR with dl.SchedulerCallback(mode="batch") and the count of all batches.
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
import io
import math
import sys
import warnings
from importlib.metadata import version

import numpy as np
import torch

warnings.simplefilter("ignore")  # of old packages as they are loaded
from catalyst import dl
from catalyst.contrib.schedulers import OneCycleLRWithWarmup

warnings.simplefilter("always")
EPOCHS, BATCHES, LR = 5, 10, 0.1


class Rates(dl.Callback):
    """Keeps the rate of each batch's step."""

    def __init__(self):
        super().__init__(order=0)
        self.rates = []

    def on_batch_start(self, runner):
        if runner.is_train_loader:
            self.rates.append(float(runner.optimizer.param_groups[0]["lr"]))


def train(schedule, *callbacks):
    """Return the rates of a run, in parts of LR."""
    torch.manual_seed(0)
    data = torch.utils.data.TensorDataset(torch.randn(4 * BATCHES, 3), torch.randn(4 * BATCHES, 1))
    loader = torch.utils.data.DataLoader(data, batch_size=4)
    model = torch.nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=LR / 10, momentum=0.9)
    kept = Rates()
    with contextlib.redirect_stdout(io.StringIO()):
        dl.SupervisedRunner().train(
            model=model,
            criterion=torch.nn.MSELoss(),
            optimizer=optimizer,
            scheduler=schedule(optimizer),
            loaders={"train": loader},
            num_epochs=EPOCHS,
            callbacks=[kept, *callbacks],
        )
    return [rate / LR for rate in kept.rates]


def epochs(optimizer):
    return OneCycleLRWithWarmup(optimizer, EPOCHS, lr_range=(LR, 0.0), warmup_steps=1)


def batches(optimizer):
    return OneCycleLRWithWarmup(optimizer, EPOCHS * BATCHES, lr_range=(LR, 0.0), warmup_steps=BATCHES)


def torchs(optimizer):
    steps = EPOCHS * BATCHES
    return torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LR, total_steps=steps, pct_start=1 / EPOCHS, anneal_strategy="linear", div_factor=10
    )


def row(label, rates):
    print(f"  {label}")
    for epoch in range(EPOCHS):
        print("    " + " ".join(f"{rate:.2f}" for rate in rates[epoch * BATCHES : (epoch + 1) * BATCHES]))


with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    found, stairs = train(epochs), train(batches)
told = [str(warning.message) for warning in caught if "schedul" in str(warning.message).lower()]
print(f"catalyst {version('catalyst')}: rates of {EPOCHS} epochs of {BATCHES} batches, in parts of the highest")
row("OneCycleLRWithWarmup, num_steps in epochs", found)
row("OneCycleLRWithWarmup, num_steps in batches", stairs)
row("OneCycleLR of torch", train(torchs, dl.SchedulerCallback(mode="batch")))
meant = np.concatenate([np.linspace(0.1, 1, BATCHES), np.linspace(1, 0, (EPOCHS - 1) * BATCHES)])
row("meant", meant)
if not all(math.isclose(a, b, rel_tol=0.3) for a, b in zip(found[1:BATCHES], meant[1:BATCHES], strict=True)):
    sys.exit("CHANGED: another warm-up")
if any(found[BATCHES + 1 :]):
    sys.exit("CHANGED: a rate that is not 0 after the first epoch")
if max(stairs[: BATCHES + 1]) > 0.2 or stairs[BATCHES + 1] < 0.9:
    sys.exit("CHANGED: another warm-up in batches")
alone = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=LR / 10, momentum=0.9)
schedule = batches(alone)
for step in range(EPOCHS * BATCHES):
    if not math.isclose(alone.param_groups[0]["lr"] / LR, meant[step], abs_tol=1e-6):
        sys.exit("CHANGED: another schedule without a Runner")
    alone.step()
    schedule.step()
if told:
    sys.exit(f"CHANGED: it warns: {told}")
print("as described: the schedule is over after the first epoch")
PROGRAM
"$home/venv/bin/python" "$home/program.py"
