#!/bin/bash
# PyTorch's Adams do not step complex DTensors whose shards are of different sizes.
#
# Versions:  torch 2.13.0, numpy 2.4.6, Python 3.11, Linux x86-64, two processes with gloo.
# Behaviour: torch.view_as_real of a complex DTensor with uneven shards (3 elements on 2 processes) is replicated: a
#            copy, no view, where it is a view of even shards. torch.optim.Adam and AdamW write the parameter and the
#            moments through such views, so that a step leaves both moments at 0, and of the parameter it changes no
#            more than the decay, or with foreach=True nothing at all. There is no error and no warning.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import sys
import tempfile

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Shard, distribute_tensor


def work(rank: int, folder: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/group", rank=rank, world_size=2)
    mesh = init_device_mesh("cpu", (2,))
    ends = []
    for count in (2, 3):
        for foreach in (False, True):
            start = torch.full((count,), 1 + 1j)
            p = torch.nn.Parameter(distribute_tensor(start, mesh, [Shard(0)]))
            p.grad = distribute_tensor(torch.full((count,), 3 - 4j), mesh, [Shard(0)])
            optimizer = torch.optim.AdamW([p], lr=0.1, weight_decay=0.0, foreach=foreach)
            optimizer.step()
            moved = bool((p.detach().to_local() != 1 + 1j).all())
            filled = bool(optimizer.state[p]["exp_avg"].to_local().all())
            ends.append((moved, filled))
            if rank == 0:
                print(f"{count} elements, foreach={foreach}: moved {moved}, exp_avg is not 0: {filled}", flush=True)
    if rank == 0:
        with open(f"{folder}/ends", "w") as file:
            file.write(repr(ends))
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    print(f"torch {torch.__version__}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        mp.spawn(work, (folder,), nprocs=2)
        ends = open(f"{folder}/ends").read()
    if ends != repr([(True, True)] * 2 + [(False, False)] * 2):
        sys.exit("CHANGED")
    print("as described: even shards are stepped, uneven ones are not")
PROGRAM
"$home/venv/bin/python" "$home/program.py" 2>/dev/null
