#!/bin/bash
# skorch: a schedule that goes on with partial_fit goes on from another place.
#
# Versions:  skorch 1.4.0, torch 2.13.0, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: LRScheduler makes a new scheduler in each call of fit and partial_fit, and tells it how many epochs have been.
#            With step_every="batch" that number is taken for batches: after 2 epochs of 4 batches a LambdaLR goes on
#            at 2 of 16 batches in place of 8, and OneCycleLR begins its cycle again. With step_every="epoch" a StepLR or a
#            MultiStepLR that was due at that very epoch divides the rate once more: 0.1 becomes 0.001 where one call of
#            fit has 0.01. So it is with warm_start=True, and after a checkpoint. Nothing warns, and "event_lr" in the history
#            is what is used, so that it looks meant.
# Source:    skorch/callbacks/lr_scheduler.py: _get_scheduler gives last_epoch = len(net.history) - 1, whatever step_every is.
#            torch/optim/lr_scheduler.py: a scheduler that is made with a last_epoch steps once, and StepLR multiplies the rate
#            that stands in the group.
# Advice:    Make one call of fit. If there have to be several, use a LambdaLR with step_every="epoch".
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 || exit 2
"$home/venv/bin/pip" install --quiet skorch==1.4.0 torch==2.13.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import sys
import tempfile
import warnings

import numpy as np
import skorch
import torch
from skorch.callbacks import Callback, LoadInitState, LRScheduler, TrainEndCheckpoint
from torch.optim import lr_scheduler as schedulers

warnings.simplefilter("error")
inputs = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")
targets = inputs.sum(1, keepdims=True)


class Rates(Callback):
    """The rate that each batch is stepped with."""

    def __init__(self, rates):
        self.rates = rates

    def on_batch_begin(self, net, training=False, **kwargs):
        if training:
            self.rates.append(net.optimizer_.param_groups[0]["lr"])


def network(schedule, rates, epochs, end=None, **settings):
    return skorch.NeuralNetRegressor(
        torch.nn.Linear(2, 1),
        max_epochs=epochs,
        lr=0.1,
        optimizer=torch.optim.Adam,
        batch_size=16,  # 4 batches
        train_split=None,
        verbose=0,
        callbacks=[
            *([end] if end else []),
            LRScheduler(policy=schedule[0], step_every=schedule[1], **schedule[2]),
            Rates(rates),
        ],
        **settings,
    )


def at_once(schedule, rates):
    network(schedule, rates, epochs=4).fit(inputs, targets)


def with_partial_fit(schedule, rates):
    network(schedule, rates, epochs=2).fit(inputs, targets).partial_fit(inputs, targets)


def from_a_checkpoint(schedule, rates):
    with tempfile.TemporaryDirectory() as folder:
        end = TrainEndCheckpoint(dirname=folder)
        network(schedule, rates, epochs=2, end=end).fit(inputs, targets)
        network(schedule, rates, epochs=2, end=LoadInitState(end)).fit(inputs, targets)


def with_warm_start(schedule, rates):
    network(schedule, rates, epochs=2, warm_start=True).fit(inputs, targets).fit(inputs, targets)


cases = {
    "LambdaLR, each batch": (schedulers.LambdaLR, "batch", {"lr_lambda": lambda batch: 1 - batch / 16}),
    "OneCycleLR, each batch": (schedulers.OneCycleLR, "batch", {"max_lr": 0.1, "total_steps": 16}),
    "LambdaLR, each epoch": (schedulers.LambdaLR, "epoch", {"lr_lambda": lambda epoch: 1 - epoch / 4}),
    "StepLR, each epoch": (schedulers.StepLR, "epoch", {"step_size": 2, "gamma": 0.1}),
    "MultiStepLR, each epoch": (schedulers.MultiStepLR, "epoch", {"milestones": [2], "gamma": 0.1}),
}
expected = {  # the rates of the batches 9, 10, 11 and 12: after one call of fit, and after two
    "LambdaLR, each batch": ([0.05, 0.0437, 0.0375, 0.0312], [0.0875, 0.0812, 0.075, 0.0688]),
    "OneCycleLR, each batch": ([0.0691, 0.0556, 0.0416, 0.0283], [0.056, 0.0899, 0.0999, 0.0972]),
    "LambdaLR, each epoch": ([0.05] * 4, [0.05] * 4),
    "StepLR, each epoch": ([0.01] * 4, [0.001] * 4),
    "MultiStepLR, each epoch": ([0.01] * 4, [0.001] * 4),
}
print(f"skorch {skorch.__version__}: the rates of the third epoch of four batches")
for case, schedule in cases.items():
    for way in at_once, with_partial_fit, with_warm_start, from_a_checkpoint:
        rates = []
        way(schedule, rates)
        print(f"  {case}, {way.__name__}: {np.round(rates[8:12], 4).tolist()}")
        if not np.allclose(rates[8:12], expected[case][way is not at_once], atol=1e-4):
            sys.exit("CHANGED")
print("as described: two calls have other rates than one")
PROGRAM
"$home/venv/bin/python" "$home/program.py"
