#!/bin/bash
# ema-pytorch: an average that is updated every N steps decays as if in each of them, and keeps the untrained weights.
#
# Versions:  ema-pytorch 0.8.3, torch 2.13.0, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: KarrasEMA and PostHocEMA have the average whose width is sigma_rel of the run: its decay is that of one step,
#            (1 - 1/t)**(1 + gamma). update_every, which is to save work, is 100 by default, and each update is made with
#            the decay of one step. So after 10,000 steps the average is by 40 % (sigma_rel=0.05) to 94 % (0.28) made of the
#            weights before the first step, where none of them should be left, and what is synthesized from both by 83 %.
#            EMA is the same with power=1, "a simple average": with update_every=10, its default, 48 % of the average
#            are the weights from when it began. A longer run hardly helps, since the share falls as a small power of
#            its length. Nothing warns. update_every=1 is right.
# Source:    ema_pytorch/post_hoc_ema.py: KarrasEMA.beta reads the step and not update_every; update skips the others.
#            ema_pytorch/ema_pytorch.py: EMA.get_current_decay.
# Advice:    Give update_every=1 to PostHocEMA, KarrasEMA, and EMA with power=1.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 || exit 2
"$home/venv/bin/pip" install --quiet ema-pytorch==0.8.3 torch==2.13.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import math
import sys
import tempfile
from importlib.metadata import version

import torch
from ema_pytorch import EMA, PostHocEMA

STEPS = 10_000
SIGMAS = 0.05, 0.28


def model():
    result = torch.nn.Linear(3, 1, bias=False, dtype=torch.float64)
    torch.nn.init.zeros_(result.weight)
    result.weight.data[0, 0] = 1.0
    return result


def train(weights, average):
    """Make a run whose weights say when they are from: 1 before the first step and 0 after it, the time, and its square."""
    average.update()
    for step in range(1, STEPS + 1):
        time = step / STEPS
        weights.weight.data.copy_(torch.tensor([[0.0, time, time**2]]))
        average.update()


def read(average):
    """Return the share of the first weights in an average, and its width, as a part of the run."""
    start, time, square = average.ema_model.weight.flatten().tolist()
    return start, math.sqrt(square - time**2)


def post_hoc(**settings):
    weights = model()
    with tempfile.TemporaryDirectory() as folder:
        average = PostHocEMA(
            weights,
            sigma_rels=SIGMAS,
            checkpoint_every_num_steps=STEPS // 10,
            checkpoint_folder=folder,
            checkpoint_dtype=torch.float64,
            **settings,
        )
        train(weights, average)
        synthesized = average.synthesize_ema_model(sigma_rel=0.15)
    return [read(one) for one in (*average.ema_models, synthesized)]


def simple(**settings):
    weights = model()
    average = EMA(weights, beta=0.9999999, power=1.0, update_after_step=0, **settings)
    train(weights, average)
    return [read(average)]


right = [(0.0, 0.05), (0.0, 0.28), (0.0, 0.15)]
cases = [  # the share of the first weights, and the width
    ("PostHocEMA", post_hoc, {"update_every": 1}, right),
    ("PostHocEMA", post_hoc, {"update_every": 10}, [(0.0, 0.246), (0.428, 0.211), (0.314, 0.317)]),
    ("PostHocEMA", post_hoc, {}, [(0.395, 0.245), (0.941, 0.076), (0.826, 0.142)]),
    ("EMA, power=1", simple, {"update_every": 1}, [(0.0, 1 / math.sqrt(12))]),
    ("EMA, power=1", simple, {}, [(0.477, 0.198)]),
]
print(f"ema-pytorch {version('ema-pytorch')}: {STEPS} steps")
for name, run, settings, expected in cases:
    found = run(**settings)
    shares = ", ".join(f"{share:.3f}" for share, _ in found)
    widths = ", ".join(f"{width:.3f}" for _, width in found)
    print(f"  {name}, {settings or 'by default'}: share of the first weights {shares}; width {widths}")
    if not all(math.isclose(a, b, abs_tol=2e-3) for one, other in zip(found, expected) for a, b in zip(one, other)):
        sys.exit("CHANGED")
print("as described: the decay of one step is that of an update every N steps")
PROGRAM
"$home/venv/bin/python" "$home/program.py"
