#!/bin/bash
# torch.expm1 under torch.compile loses its point on the CPU: Inductor forms exp(x) - 1.
#
# Versions:  torch 2.13.0, numpy 2.4.6, Python 3.11, Linux x86-64 with g++.
# Behaviour: In a vectorised loop Inductor writes `x.exp() - 1` for expm1 (torch/_inductor/codegen/cpp.py,
#            CppVecOverrides.expm1, "decompose for a better performance"), so the result for a small x has
#            lost its digits to cancellation: at x = -1e-12 it is 2e-5 off, at x = -1e-17 it is 0. Eager mode, and a
#            compiled tensor of no dimensions, call an expm1 that is right to 1 ULP.
# Seen on:   AMD EPYC (family 25, model 17), AVX-512; the code does not depend on the processor.
#
# Exit status: 0 as described, 1 changed, 2 the packages or a C++ compiler are not there.
set -eu
command -v g++ > /dev/null || { echo "no g++"; exit 2; }
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import math
import sys

import torch

print(f"torch {torch.__version__}")
compiled = torch.compile(torch.expm1, dynamic=False)
x = torch.tensor([-1e-3, -1e-6, -1e-9, -1e-12, -1e-15, -1e-17] * 8, dtype=torch.float64)
worst = {}
for name, y in {
    "eager": torch.expm1(x),
    "compiled, a vector": compiled(x),
    "compiled, no dimensions": torch.stack([compiled(e) for e in x.unbind()]),
}.items():
    errors = [abs(a / math.expm1(b) - 1) for a, b in zip(y.tolist(), x.tolist())]
    worst[name] = max(errors)
    print(f"{name:24}", "  ".join(f"x={b:.0e}: {e:.1e}" for b, e in zip(x.tolist()[:6], errors)))
if worst["eager"] > 1e-15 or worst["compiled, no dimensions"] > 1e-15:
    sys.exit("CHANGED: the others are not right either")
if worst["compiled, a vector"] < 1e-15:
    sys.exit("CHANGED: a compiled vector is right now")
print("as described: a compiled vector has relative errors of up to", worst["compiled, a vector"])
PROGRAM
TORCHINDUCTOR_CACHE_DIR="$home/cache" "$home/venv/bin/python" "$home/program.py"
