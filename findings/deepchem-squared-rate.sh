#!/bin/bash
# DeepChem: two schedules multiply the rate by itself, and all begin anew when a run is resumed.
#
# Versions:  deepchem 2.8.0, torch 2.13.0, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: PolynomialDecay and LinearCosineDecay give LambdaLR the rate, where it asks for a factor of the rate that the
#            optimizer has. That is the initial rate, so every rate is too small by that factor: 1e-3 is trained as 1e-6.
#            A model hardly learns, as if it could not. The checkpoints have the optimizer and the number of the step,
#            and no schedule: a step after restore() these two are back at their first rates, and ExponentialDecay in a
#            staircase begins its stair anew. Nothing warns. ExponentialDecay without a staircase is right, resumed or not.
# Source:    deepchem/models/optimizers.py: _create_pytorch_schedule of the two.
#            deepchem/models/torch_models/torch_model.py: save_checkpoint and restore.
# Advice:    Use ExponentialDecay(staircase=False), which needs no count.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 || exit 2
"$home/venv/bin/pip" install --quiet deepchem==2.8.0 torch==2.13.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import contextlib
import io
import logging
import sys
import tempfile

import numpy as np
import torch

logging.disable()
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):  # what is not installed
    import deepchem
    from deepchem.models.optimizers import Adam, ExponentialDecay, LinearCosineDecay, PolynomialDecay
    from deepchem.models.torch_models import TorchModel

RATE, STEPS, BEFORE = 1e-3, 10, 6
data = deepchem.data.NumpyDataset(np.ones((4, 2), "float32"), np.ones((4, 1), "float32"))


def rates(schedule, resumed):
    """Return the rate of each step of a run, or of one that is saved and restored."""
    result = []
    with tempfile.TemporaryDirectory() as folder:
        for steps in (BEFORE, STEPS - BEFORE) if resumed else (STEPS,):
            model = TorchModel(
                torch.nn.Linear(2, 1),
                loss=deepchem.models.losses.L2Loss(),
                optimizer=Adam(learning_rate=schedule),
                batch_size=len(data),
                model_dir=folder,
            )
            model._ensure_built()
            optimizer = model._pytorch_optimizer
            optimizer.register_step_pre_hook(lambda *_: result.append(optimizer.param_groups[0]["lr"]))
            model.fit(data, nb_epoch=steps, checkpoint_interval=0, restore=bool(result))
            model.save_checkpoint()
    return np.array(result)


def anew(schedule):
    """Return a schedule that begins anew one step after the run is resumed."""
    return np.append(schedule[: BEFORE + 1], schedule[1 : STEPS - BEFORE])


part = np.arange(STEPS) / STEPS
linear, cosine = 1 - 0.9 * part, (1 - part) * (1 + np.cos(np.pi * part)) / 2 + 1e-3
stairs, exponential = 0.5 ** (np.arange(STEPS) // 4), 0.5 ** (np.arange(STEPS) / 4)
cases = [  # the schedule, the right rates, and those that are found, in one run and in two, as parts of the first rate
    (PolynomialDecay(RATE, RATE / 10, STEPS), linear, RATE * linear, RATE * anew(linear)),
    (LinearCosineDecay(RATE, STEPS), cosine, RATE * cosine, RATE * anew(cosine)),
    (ExponentialDecay(RATE, 0.5, 4), stairs, stairs, np.append(stairs[:BEFORE], [0.5] * 4)),
    (ExponentialDecay(RATE, 0.5, 4, staircase=False), exponential, exponential, exponential),
]
print(f"deepchem {deepchem.__version__}: the rates of {STEPS} steps, as parts of the rate that is given")
for schedule, right, *expected in cases:
    print(f"  {type(schedule).__name__}: right are {np.round(right, 3).tolist()}")
    for resumed in False, True:
        found = rates(schedule, resumed) / RATE
        name = f"resumed after {BEFORE}" if resumed else "in one run"
        print(f"    {name}: {[float(f'{rate:.3g}') for rate in found]}")
        if not np.allclose(found, expected[resumed], rtol=1e-4, atol=0):
            sys.exit("CHANGED")
print("as described: the rate is squared, and the schedule begins anew")
PROGRAM
"$home/venv/bin/python" -W ignore "$home/program.py"
