#!/bin/bash
# transformers: the Trainer's plateau schedules take an accuracy for a loss, and slow down while it improves.
#
# Versions:  transformers 5.24.0, accelerate 1.15.0, torch 2.13.0, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: With lr_scheduler_type="reduce_lr_on_plateau" or "greedy" the rate follows metric_for_best_model. The Trainer knows
#            whether it is to be great (greater_is_better, True for all that do not end in "loss"), and chooses the best
#            checkpoint by it. The schedule is not told, and has mode="min": an accuracy that goes up is one that has
#            not improved. reduce_lr_on_plateau divides the rate by 10 whenever the accuracy did not fall for 10
#            evaluations, so that the better a run goes the sooner it stops learning, and "greedy" raises the rate
#            when the accuracy falls. Nothing warns. With lr_scheduler_kwargs={"mode": "max"} both are right.
# Source:    transformers/trainer.py: _evaluate gives the metric to the scheduler. transformers/optimization.py:
#            get_reduce_on_plateau_schedule and get_greedy_schedule have the keywords of lr_scheduler_kwargs alone.
# Advice:    Give lr_scheduler_kwargs={"mode": "max"} with such a metric.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 || exit 2
"$home/venv/bin/pip" install --quiet transformers==5.24.0 accelerate==1.15.0 torch==2.13.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import sys
import tempfile

import torch
import transformers
from transformers import Trainer, TrainerCallback, TrainingArguments

transformers.logging.set_verbosity_error()
RATE = 1e-2
inputs = torch.randn(64, 2, generator=torch.Generator().manual_seed(0))
data = [{"inputs": one, "labels": label} for one, label in zip(inputs, (inputs[:, 0] > inputs[:, 1]).long())]


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 2)

    def forward(self, inputs, labels):
        logits = self.layer(inputs)
        return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}


class Rates(TrainerCallback):
    """The rate that each epoch begins with, as a part of the first."""

    def __init__(self):
        self.rates = []

    def on_epoch_begin(self, args, state, control, optimizer, **kwargs):
        self.rates.append(optimizer.param_groups[0]["lr"] / RATE)


def run(kind, rises, **settings):
    """Return the rates of a run whose accuracy rises in each evaluation, or falls, and the best accuracy."""
    scores = iter(range(1, 9) if rises else range(9, 1, -1))
    rates = Rates()
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder,
            learning_rate=RATE,
            lr_scheduler_type=kind,
            lr_scheduler_kwargs={"patience": 1, "factor": 0.5, "min_lr": 0.0, **settings},
            metric_for_best_model="accuracy",
            eval_strategy="epoch",
            save_strategy="epoch",
            num_train_epochs=8,
            per_device_train_batch_size=32,
            report_to=[],
            use_cpu=True,
            disable_tqdm=True,
            logging_strategy="no",
        )
        trainer = Trainer(
            Network(),
            arguments,
            train_dataset=data,
            eval_dataset=data,
            compute_metrics=lambda _: {"accuracy": next(scores) / 10},
            callbacks=[rates],
        )
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.train()
        return rates.rates, trainer.state.best_metric


down, up, same = [1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.125], [1, 1, 2, 2, 4, 4, 8, 8], [1.0] * 8
cases = [
    ("reduce_lr_on_plateau", True, {}, down),
    ("reduce_lr_on_plateau", False, {}, same),
    ("reduce_lr_on_plateau", True, {"mode": "max"}, same),
    ("reduce_lr_on_plateau", False, {"mode": "max"}, down),
    ("greedy", True, {}, down),
    ("greedy", False, {}, up),
    ("greedy", True, {"mode": "max"}, up),
    ("greedy", False, {"mode": "max"}, down),
]
print(f"transformers {transformers.__version__}: the rate of each epoch, where the accuracy is the metric")
for kind, rises, settings, expected in cases:
    rates, best = run(kind, rises, **settings)
    print(f"  {kind}, {settings or 'by default'}, the accuracy {'rises' if rises else 'falls'}: {rates}")
    if best != (0.8 if rises else 0.9):
        sys.exit("CHANGED: the best model is another one")
    if [round(rate, 6) for rate in rates] != expected:
        sys.exit("CHANGED")
print("as described: the schedule takes the accuracy for a loss")
PROGRAM
"$home/venv/bin/python" -W ignore "$home/program.py"
