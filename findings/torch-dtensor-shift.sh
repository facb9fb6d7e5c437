#!/bin/bash
# The operators >> and << leave a DTensor of PyTorch as it is, if the count is a Python int.
#
# Versions:  torch 2.13.0, numpy 2.4.6, Python 3.11, Linux x86-64.
# Behaviour: with x a DTensor of int64, x >> 16 and x << 3 return the values of x, without an error or a warning.
#            torch.bitwise_right_shift(x, 16) and torch.bitwise_left_shift(x, 3) are right, and so are both operators
#            on a plain tensor. An optimizer that takes numbers apart by their bits, as stochastic rounding or a split
#            of float32 into two halves does, is silently wrong on sharded parameters (FSDP2) and right on others.
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
from torch.distributed import destroy_process_group, init_process_group
from torch.distributed.tensor import Shard, distribute_tensor, init_device_mesh

init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
x = torch.arange(4) * 100_000
sharded = distribute_tensor(x, init_device_mesh("cpu", (1,)), [Shard(0)])
print(f"torch {torch.__version__}")
right = {"x >> 16": x >> 16, "x << 3": x << 3}
operators = {"x >> 16": (sharded >> 16).full_tensor(), "x << 3": (sharded << 3).full_tensor()}
functions = {
    "x >> 16": torch.bitwise_right_shift(sharded, 16).full_tensor(),
    "x << 3": torch.bitwise_left_shift(sharded, 3).full_tensor(),
}
destroy_process_group()
for name, wanted in right.items():
    print(f"{name}  plain {wanted.tolist()}  DTensor {operators[name].tolist()}  its function {functions[name].tolist()}")
    if not torch.equal(functions[name], wanted):
        sys.exit("CHANGED: the function is not right either")
    if torch.equal(operators[name], wanted):
        sys.exit("CHANGED: the operator is right now")
    if not torch.equal(operators[name], x):
        sys.exit("CHANGED: the operator gives something else")
print("as described: both operators return what they were given")
PROGRAM
"$home/venv/bin/python" "$home/program.py"
