#!/bin/bash
# transformers: GreedyLR never lowers a rate that is below min_lr, 1e-3 by default, and raises it all the same.
#
# Versions:  transformers 5.24.0, torch 2.13.0, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: lr_scheduler_type="greedy" divides the rate by 0.95 where the loss gets better for some time, and multiplies
#            it by 0.95 where it gets worse: by max(rate * 0.95, min_lr), if that is lower than the rate by eps. So a rate
#            under min_lr is raised and never lowered. By default min_lr is 1e-3, and the Trainer's learning_rate 5e-5: a
#            loss that rises for ever leaves the rate as it is, and one that goes up and down takes it to 1e-3, which is
#            twenty times as large; with min_lr=0 it comes back each time. Of two groups, a head with 2e-3 and a backbone
#            with 5e-5, the head alone is lowered. With min_lr=0 it is the same for rates below 2e-7, of which 5 % are
#            less than eps, 1e-8. Nothing warns. An open change, huggingface/transformers#45168, asks for lower defaults.
# Source:    transformers/optimization.py: GreedyLR._reduce_lr.
# Advice:    Give lr_scheduler_kwargs={"min_lr": 0.0, "eps": 0.0}, and as max_lr the largest rate that is meant.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 || exit 2
"$home/venv/bin/pip" install --quiet transformers==5.24.0 torch==2.13.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import sys
import warnings

import torch
import transformers

warnings.simplefilter("error", UserWarning)
RATE = transformers.TrainingArguments.__dataclass_fields__["learning_rate"].default
LOWEST, ROUNDS = 1e-3, 60


def rates(losses, groups=(RATE,), **settings):
    """Return the rate of each group after these losses."""
    parameters = [{"params": [torch.nn.Parameter(torch.ones(1))], "lr": rate} for rate in groups]
    optimizer = torch.optim.AdamW(parameters, lr=RATE)
    scheduler = transformers.get_scheduler("greedy", optimizer, scheduler_specific_kwargs=settings)
    optimizer.step()
    for loss in losses:
        scheduler.step(loss)
    return [group["lr"] for group in optimizer.param_groups]


def up_and_down():
    """Yield losses that get better for eleven evaluations, the last the best so far, and worse for eleven."""
    best = 10.0
    for _ in range(ROUNDS):
        for _ in range(11):
            best -= 1e-3
            yield best
        for step in range(11):
            yield best + 1e-3 * (step + 1)


def close(found, expected):
    return all(abs(rate - right) < 1e-2 * right for rate, right in zip(found, expected, strict=True))


rising = [1.0 + 1e-2 * step for step in range(400)]
fallen = 0.95 ** ((len(rising) - 1) // 11)
print(f"transformers {transformers.__version__}: rates after GreedyLR; the Trainer's is {RATE}, and min_lr {LOWEST}")
for name, found, expected in (
    ("a loss that rises", rates(rising), [RATE]),
    ("a loss that rises, min_lr=0", rates(rising, min_lr=0.0), [RATE * fallen]),
    ("a loss that goes up and down", rates(up_and_down()), [LOWEST]),
    ("a loss that goes up and down, min_lr=0", rates(up_and_down(), min_lr=0.0), [RATE]),
    ("two groups, a loss that rises", rates(rising, (2e-3, 5e-5)), [LOWEST, 5e-5]),
    ("two groups, the same, min_lr=0", rates(rising, (2e-3, 5e-5), min_lr=0.0), [2e-3 * fallen, 5e-5 * fallen]),
    ("a rate of 1e-7, a loss that rises, min_lr=0", rates(rising, (1e-7,), min_lr=0.0), [1e-7]),
    ("the same, eps=0", rates(rising, (1e-7,), min_lr=0.0, eps=0.0), [1e-7 * fallen]),
):
    print(f"  {name}: {', '.join(f'{rate:.3g}' for rate in found)}")
    if not close(found, expected):
        sys.exit(f"CHANGED: {expected} was expected")
print("as described: a rate under min_lr is never lowered")
PROGRAM
"$home/venv/bin/python" "$home/program.py"
