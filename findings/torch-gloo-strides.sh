#!/bin/bash
# A collective of gloo takes a tensor that skips memory for one that lies in one piece.
#
# Versions:  torch 2.13.0, numpy 2.4.6, Python 3.11, Linux x86-64.
# Behaviour: broadcast and all_reduce of x[::2] over gloo move the first numbers that lie in memory from its beginning,
#            as many as x[::2] has, whether they belong to it or not, without an error or a warning.
#            ZeroRedundancyOptimizer sends stepped parameters by broadcast: the other processes get wrong ones if a
#            parameter skips memory.
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
import torch.distributed as dist
from torch.distributed.optim import ZeroRedundancyOptimizer

rank, store = int(sys.argv[1]), sys.argv[2]
dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)


def skipping():
    return torch.zeros(6)[::2]


sent = skipping()
if rank == 0:
    sent += torch.tensor([1.0, 2.0, 3.0])
dist.broadcast(sent, src=0)
summed = skipping()
summed += 1
dist.all_reduce(summed)
parameters = [torch.nn.Parameter(skipping()), torch.nn.Parameter(skipping())]
for p in parameters:
    p.grad = torch.ones(3)
ZeroRedundancyOptimizer(parameters, torch.optim.SGD, lr=1.0).step()
mine = [sent.tolist(), summed.tolist(), [p.tolist() for p in parameters]]
every = [None, None]
dist.all_gather_object(every, mine)
dist.barrier()
dist.destroy_process_group()
if rank:
    sys.exit(0)
print(f"torch {torch.__version__}")
for k, (got, total, stepped) in enumerate(every):
    print(f"rank {k}: broadcast of [1, 2, 3] gives {got}, sum of ones on 2 ranks {total}, ZeRO's parameters {stepped}")
if every[1][0] == [1.0, 2.0, 3.0] or every[0][1] == [2.0, 2.0, 2.0]:
    sys.exit("CHANGED: a tensor that skips memory is sent right")
if every[0][2] == every[1][2]:
    sys.exit("CHANGED: ZeRO's parameters are the same on both ranks")
print("as described: other elements are sent, and ZeRO's parameters differ between the ranks")
PROGRAM
"$home/venv/bin/python" "$home/program.py" 1 "$home/store" & second=$!
"$home/venv/bin/python" "$home/program.py" 0 "$home/store"
wait "$second"
