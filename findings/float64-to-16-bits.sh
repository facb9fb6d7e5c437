#!/bin/bash
# A cast from float64 to bfloat16, or to float16, rounds twice: by way of float32.
#
# Versions:  ml_dtypes 0.5.4, torch 2.13.0, jax 0.10.2, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: 1 + 2**-8 lies halfway between two numbers of bfloat16; a float64 number just above it belongs to the
#            upper one. NumPy's cast to ml_dtypes.bfloat16, PyTorch's and JAX' (under x64) give the lower one, since
#            the float32 number between has lost what lay above. So do PyTorch's and JAX' casts to float16 with
#            1 + 2**-11; NumPy's own is right. Of random float64 numbers about one in 2**17 comes out wrong in bfloat16.
#            The result is not the nearest number, and two libraries differ in it, so that a float64 reference
#            that is rounded to 16 bits is no reference.
# Advice:    Round to float32 "to odd" first: where bits are lost, set the last bit of the float32 number.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 jax==0.10.2 ml_dtypes==0.5.4 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import sys

import jax
import ml_dtypes
import numpy as np
import torch

jax.config.update("jax_enable_x64", True)
print(f"ml_dtypes {ml_dtypes.__version__}, torch {torch.__version__}, jax {jax.__version__}, numpy {np.__version__}")


def casts(x, name):
    narrow = {"bfloat16": ml_dtypes.bfloat16, "float16": np.float16}[name]
    yield "numpy", float(np.asarray([x]).astype(narrow)[0])
    yield "torch", float(torch.tensor([x], dtype=torch.float64).to(getattr(torch, name))[0])
    yield "jax", float(jax.numpy.asarray([x], "float64").astype(name)[0])


expected = {
    ("numpy", "bfloat16"): False, ("torch", "bfloat16"): False, ("jax", "bfloat16"): False,
    ("numpy", "float16"): True, ("torch", "float16"): False, ("jax", "float16"): False,
}
for name, digits in (("bfloat16", 7), ("float16", 10)):
    x, nearest = 1 + 2.0 ** -(digits + 1) + 2.0**-40, 1 + 2.0**-digits
    for library, got in casts(x, name):
        right = got == nearest
        print(f"{library:6} {name:9} of {x!r}: {got!r}, nearest {nearest!r}: {'right' if right else 'wrong'}")
        if right != expected[library, name]:
            sys.exit(f"CHANGED: {library} to {name}")
print("as described: rounded twice")
PROGRAM
"$home/venv/bin/python" "$home/program.py"
