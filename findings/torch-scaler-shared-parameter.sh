#!/bin/bash
# PyTorch: a parameter of two optimizers is unscaled twice by one GradScaler: the second sees a gradient 65536 times too small.
#
# Versions:  torch 2.13.0, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: GradScaler divides the gradients of each optimizer once, in place. Two optimizers that share an encoder, each
#            with the head of one task, share its .grad too: scaler.step(first) divides it, and scaler.step(second) divides
#            it again. So the second steps its own head by the gradient, and the encoder by the gradient / 65536. SGD moves
#            the encoder 65536 times too little. Adam takes the size of a gradient out again, but for eps: gradients below
#            65536 * eps, which is 6.6e-4 by default, hardly move the encoder. With fused=True it is the same, and nothing
#            warns: the error for a second unscale_ is for one and the same optimizer.
# Source:    torch/amp/grad_scaler.py: _per_optimizer_states, _unscale_grads_.
# Advice:    Give each parameter to one optimizer; the groups of one optimizer have rates of their own.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import math
import sys
import warnings

import torch

warnings.simplefilter("error")
SCALE, SIZE = 65536.0, 1e-5


def moved(make, scaled, shared, **settings):
    """Return how far the second optimizer moves the encoder and its own head, whose gradients are of one size."""
    encoder, one, two = (torch.nn.Parameter(torch.zeros(4)) for _ in range(3))
    scaler = torch.amp.GradScaler("cpu", init_scale=SCALE, enabled=scaled)
    first = make([encoder, one] if shared else [one], **settings)
    second = make([encoder, two], **settings)
    loss = SIZE * (encoder + one + two).sum()
    scaler.scale(loss).backward()
    scaler.step(first)
    before = encoder[0].item()
    scaler.step(second)
    scaler.update()
    return before - encoder[0].item(), -two[0].item()


def sgd(parameters, **settings):
    return torch.optim.SGD(parameters, lr=1e3, **settings)


def adamw(parameters, **settings):
    return torch.optim.AdamW(parameters, lr=1e-2, weight_decay=0.0, **settings)


print(f"torch {torch.__version__}: how far the second of two optimizers moves an encoder, and its own head")
for make, smallest in (sgd, 1 / SCALE), (adamw, None):
    for fused in False, True:
        for scaled, shared in (True, True), (True, False), (False, True):
            encoder, head = moved(make, scaled, shared, fused=fused)
            words = f"{'with' if scaled else 'without'} GradScaler, encoder {'shared' if shared else 'of its own'}"
            print(f"  {make.__name__}, fused={fused}, {words}: {encoder:.2e}, {head:.2e}")
            right = math.isclose(encoder, head, rel_tol=1e-3)
            if right == (scaled and shared) or (not right and encoder > 0.05 * head):
                sys.exit("CHANGED: a shared parameter is stepped otherwise")
            if not right and smallest and not math.isclose(encoder / head, smallest, rel_tol=0.2):
                sys.exit("CHANGED: it is stepped by another size")
print("as described: what two optimizers share is unscaled twice")
PROGRAM
"$home/venv/bin/python" "$home/program.py"
