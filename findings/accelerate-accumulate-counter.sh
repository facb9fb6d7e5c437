#!/bin/bash
# Accelerate: gradient accumulation has one counter and one length for all models of a process.
#
# Versions:  accelerate 1.15.0, torch 2.13.0, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: accelerator.accumulate(model) counts its own calls, whatever model it is given. A loop that accumulates for a
#            discriminator and then for a generator makes two calls a batch: with gradient_accumulation_steps=2, or any
#            even number, the discriminator is never due but at the end of an epoch, where it makes one step
#            with the gradients of all batches, and the generator makes twice as many steps as it should, each with half
#            the gradients. With an odd number the discriminator makes one step too many at the end of an epoch. The length is
#            shared as well: a second Accelerator() made anywhere in the process, for a second model or in a helper,
#            sets it back to 1 in the first, which then steps at each batch. Nothing warns in either case.
# Source:    accelerate/accelerator.py: _do_sync counts in accelerator.step. accelerate/state.py: all instances of GradientState
#            share one __dict__, into which a new one writes its own length.
# Advice:    Call accumulate once a batch, with all models: accumulate(discriminator, generator). Give each Accelerator the
#            same gradient_accumulation_steps.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 || exit 2
"$home/venv/bin/pip" install --quiet accelerate==1.15.0 torch==2.13.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import sys
import warnings

import accelerate
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState

warnings.simplefilter("error")
BATCHES, EPOCHS = 12, 2


def steps(length, together):
    """Return how often a discriminator and a generator are stepped."""
    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()
    accelerator = Accelerator(gradient_accumulation_steps=length, cpu=True)
    torch.manual_seed(0)
    discriminator, generator = torch.nn.Linear(2, 1), torch.nn.Linear(2, 2)
    optimizers = [torch.optim.Adam(model.parameters()) for model in (discriminator, generator)]
    batches = torch.utils.data.DataLoader(torch.randn(4 * BATCHES, 2), batch_size=4)
    discriminator, generator, *optimizers, batches = accelerator.prepare(discriminator, generator, *optimizers, batches)
    losses = [
        lambda batch: torch.nn.functional.softplus(discriminator(generator(batch).detach()) - discriminator(batch)).mean(),
        lambda batch: torch.nn.functional.softplus(-discriminator(generator(batch))).mean(),
    ]
    models, made = [discriminator, generator], [0, 0]

    def train(which, batch):
        before = models[which].weight.detach().clone()
        accelerator.backward(losses[which](batch), inputs=list(models[which].parameters()))
        optimizers[which].step()
        optimizers[which].zero_grad()
        made[which] += not torch.equal(models[which].weight, before)

    for _ in range(EPOCHS):
        for batch in batches:
            if together:
                with accelerator.accumulate(*models):
                    train(0, batch)
                    train(1, batch)
            else:
                for which in 0, 1:
                    with accelerator.accumulate(models[which]):
                        train(which, batch)
    return made


print(f"accelerate {accelerate.__version__}: steps of a discriminator and a generator in {EPOCHS} epochs of {BATCHES} batches")
for length in 1, 2, 3, 4, 6:
    due = BATCHES // length * EPOCHS
    apart, together = steps(length, False), steps(length, True)
    print(f"  {length} batches a step: {apart} if each has its accumulate(), {together} with one for both, {due} are due")
    expected = [due, due] if length == 1 else [due + EPOCHS, due] if length % 2 else [EPOCHS, 2 * due]
    if together != [due, due] or apart != expected:
        sys.exit("CHANGED")

AcceleratorState._reset_state(reset_partial_state=True)
GradientState._reset_state()
first = Accelerator(gradient_accumulation_steps=4, cpu=True)
before = first.gradient_accumulation_steps
second = Accelerator(cpu=True)
print(f"  the length of an accelerator: {before}, and {first.gradient_accumulation_steps} after another one is made")
if (before, first.gradient_accumulation_steps) != (4, 1):
    sys.exit("CHANGED")
print("as described: accumulation is counted, and its length kept, for the process")
PROGRAM
"$home/venv/bin/python" "$home/program.py"
