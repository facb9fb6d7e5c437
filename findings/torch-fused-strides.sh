#!/bin/bash
# torch.optim.Adam(fused=True) on the CPU steps elements with other elements' gradients where strides differ.
#
# Versions:  torch 2.13.0, numpy 2.4.6, Python 3.11, Linux x86-64.
# Behaviour: the fused step of Adam, AdamW, Adagrad and SGD on the CPU walks parameter, gradient and moments in
#            the order of memory, and looks at no strides. A gradient that is dense, and of the parameter's shape,
#            but laid out otherwise (a transposed array) is read as if it were laid out like the parameter: no
#            error, no warning, other numbers. foreach=True and the loop of operations give the right ones.
#            loss.backward() lays out gradients like their parameters, so that ordinary training is not touched;
#            p.grad = torch.autograd.grad(...)[0], or a gradient from elsewhere, is. On CUDA the same call is an
#            error (pytorch/pytorch#106951).
# Source:    aten/src/ATen/native/cpu/FusedAdamKernel.cpp takes data pointers and the number of elements;
#            torch/optim/adam.py looks at devices, dtypes and complex parameters, not at strides.
#
# Exit status: 0 as described, 1 changed.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 || exit 2
"$home/venv/bin/python" - <<'PROGRAM'
import sys

import torch

print(f"torch {torch.__version__}")
C = torch.tensor([[1.0, -1.0, 1.0], [1.0, 1.0, -1.0]])


def moved(optimizer, way):
    """The signs of one step from 0 under the gradient C that autograd returns for a transposed weight."""
    p = torch.nn.Parameter(torch.zeros(2, 3))
    (p.grad,) = torch.autograd.grad((p.t() * C.t().contiguous()).sum(), p)
    optimizer([p], lr=0.5, **way).step()
    return p.grad.stride(), p.detach().sign()


ends = {}
for optimizer in (torch.optim.Adam, torch.optim.AdamW, torch.optim.Adagrad, torch.optim.SGD):
    for name, way in (("loop", {"foreach": False}), ("foreach", {"foreach": True}), ("fused", {"fused": True})):
        strides, signs = moved(optimizer, way)
        right = torch.equal(signs, -C)
        ends[optimizer.__name__, name] = right
        print(f"{optimizer.__name__:8} {name:8} gradient's strides {strides}: "
              f"{'right' if right else 'WRONG'}  {signs.int().tolist()}")

if not all(right for (_, name), right in ends.items() if name != "fused"):
    sys.exit("CHANGED: the loop or foreach is wrong as well")
if any(right for (_, name), right in ends.items() if name == "fused"):
    sys.exit("CHANGED: a fused step is right now")
print("as described: every fused step took other elements' gradients")
PROGRAM
