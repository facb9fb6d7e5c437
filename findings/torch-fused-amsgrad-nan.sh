#!/bin/bash
# A fused step with amsgrad forgets a NaN in the last elements of a tensor.
#
# Versions:  torch 2.13.0, numpy 2.4.6, Python 3.11, Linux x86-64.
# Behaviour: after a NaN gradient in every element, `max_exp_avg_sq` of torch.optim.Adam and AdamW with fused=True on
#            the CPU is NaN where the elements fill vectors, and has its old value in those left over at the end (6 of
#            70 in float32). `exp_avg_sq` is NaN in all of them, and without fused=True the maximum is too.
#            So what such a state becomes depends on where in its tensor an element stands.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import sys

import torch

SIZE = 70


def finite(kind, dtype, fused):
    p = torch.nn.Parameter(torch.ones(SIZE, dtype=dtype))
    optimizer = kind([p], lr=0.1, amsgrad=True, fused=fused, foreach=False)
    for value in (0.5, float("nan")):
        p.grad = torch.full((SIZE,), value, dtype=dtype)
        optimizer.step()
    state = optimizer.state[p]
    assert state["exp_avg_sq"].isnan().all()
    return torch.nonzero(~state["max_exp_avg_sq"].isnan()).flatten().tolist()


as_described = True
for kind in (torch.optim.Adam, torch.optim.AdamW):
    for dtype in (torch.float32, torch.float64, torch.bfloat16, torch.float16):
        fused, plain = finite(kind, dtype, True), finite(kind, dtype, False)
        print(f"{kind.__name__}, {dtype}: not NaN at {fused} if fused, at {plain} else")
        as_described &= plain == [] and 0 < len(fused) < SIZE and fused[-1] == SIZE - 1
print("as described" if as_described else "changed")
sys.exit(0 if as_described else 1)
PROGRAM
"$home/venv/bin/python" "$home/program.py"
