#!/bin/bash
# torch.sqrt on the CPU is not rounded correctly on AMD processors.
#
# Versions:  torch 2.13.0, numpy 2.4.6, Python 3.11, Linux x86-64.
# Behaviour: torch.sqrt calls the vector mathematics of Intel's MKL. Of 1,048,576 numbers in (0, 10) the root
#            of 163,159 float32 and of 13,103 float64 is 1 ULP away from the correctly rounded one;
#            pow(x, 0.5) and torch._foreach_sqrt give the same numbers. The processor's own instruction, which
#            NumPy uses, rounds all of them correctly, as IEEE 754 asks.
# Seen on:   AMD EPYC (family 25, model 17). On Intel processors none differ.
# Source:    Intel's "VM functions accuracy" promises errors below 1 ULP, not correct rounding; PyTorch's
#            aten/src/ATen/cpu/vml.h calls it for sqrt.
#
# Exit status: 0 as described (or no number differs on a processor that is not AMD's), 1 changed.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 || exit 2
"$home/venv/bin/python" - <<'PROGRAM'
import math
import sys
from pathlib import Path

import numpy as np
import torch


def exact(x, digits):
    """The root of a positive number by integers, rounded once to so many binary digits."""
    mantissa, exponent = math.frexp(x)
    whole, exponent = int(mantissa * 2**53), exponent - 53
    if exponent % 2:
        whole, exponent = whole * 2, exponent - 1
    root = math.isqrt(whole << 128)
    extra = root.bit_length() - digits
    up = root % 2**extra >= 2 ** (extra - 1)
    return math.ldexp((root >> extra) + up, extra + exponent // 2 - 64)


fields = dict(
    (name.strip(), value.strip())
    for name, _, value in (line.partition(":") for line in Path("/proc/cpuinfo").read_text().splitlines())
)
vendor = fields.get("vendor_id", "unknown")
print(f"torch {torch.__version__}, numpy {np.__version__}, {vendor} family {fields.get('cpu family')} "
      f"model {fields.get('model')}")
torch.manual_seed(0)
found = {}
for dtype, digits in ((torch.float32, 24), (torch.float64, 53)):
    x = torch.rand(2**20, dtype=dtype) * 10
    x = x[x > 0]
    want = torch.tensor([exact(v, digits) for v in x.tolist()], dtype=dtype)
    roots = {
        "torch.sqrt": torch.sqrt(x),
        "torch.pow(x, 0.5)": x.pow(0.5),
        "torch._foreach_sqrt": torch._foreach_sqrt([x])[0],
        "numpy.sqrt": torch.from_numpy(np.sqrt(x.numpy())),
    }
    for name, root in roots.items():
        wrong = root != want
        ulp = torch.nextafter(want, torch.full_like(want, math.inf)) - want
        most = ((root - want).abs() / ulp).max().item()
        found[name, dtype] = int(wrong.sum())
        print(f"{dtype}  {name:20}{found[name, dtype]:8} of {len(x)} wrong, by up to {most:g} ULP")

ours = [n for (name, _), n in found.items() if name != "numpy.sqrt"]
if any(n for (name, _), n in found.items() if name == "numpy.sqrt"):
    sys.exit("CHANGED: NumPy's roots are not exact either")
if not any(ours):
    print("no root differs on this processor")
    sys.exit("CHANGED: torch.sqrt is exact on AMD now" if vendor == "AuthenticAMD" else 0)
if not all(ours):
    sys.exit("CHANGED: some of the ways are exact now")
print("as described: PyTorch's roots are not all rounded correctly, NumPy's are")
PROGRAM
