#!/bin/bash
# The full optimizer state of FullyShardedDataParallel on the CPU has the second moments in place of the first.
#
# Versions:  torch 2.13.0, numpy 2.4.6, Python 3.11, Linux x86-64, two processes with gloo.
# Behaviour: FSDP.optim_state_dict(model, optimizer) under StateDictType.FULL_STATE_DICT, with use_orig_params=True,
#            returns for each parameter an "exp_avg" with the values of "exp_avg_sq". There is no error and no warning.
#            A run that is resumed from it goes on with the variance as its momentum. The optimizer's own state is
#            right, and so is torch.distributed.checkpoint with FSDP2 (fully_shard).
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
import warnings

import torch
import torch.distributed as dist
import torch.multiprocessing as mp


def work(rank: int, folder: str) -> None:
    warnings.simplefilter("ignore")
    from torch.distributed.fsdp import FullyShardedDataParallel as FSDP
    from torch.distributed.fsdp import StateDictType

    dist.init_process_group("gloo", init_method=f"file://{folder}/group", rank=rank, world_size=2)
    torch.manual_seed(0)
    model = FSDP(torch.nn.Sequential(torch.nn.Linear(5, 6), torch.nn.Linear(6, 3)), use_orig_params=True, device_id=torch.device("cpu"))
    optimizer = torch.optim.AdamW(model.parameters())
    for _ in range(3):
        model(torch.ones(2, 5)).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    with FSDP.state_dict_type(model, StateDictType.FULL_STATE_DICT):
        whole = FSDP.optim_state_dict(model, optimizer)["state"]["0.weight"]
    own = [s for p, s in optimizer.state.items() if p.numel() == 30]
    if own:  # the process that has the whole of the weight
        first, second = own[0]["exp_avg"], own[0]["exp_avg_sq"]
        wrong = torch.equal(whole["exp_avg"].flatten(), second.flatten())
        print(f"exp_avg     here {first.flatten()[:2].tolist()}  in the full state {whole['exp_avg'].flatten()[:2].tolist()}")
        print(f"exp_avg_sq  here {second.flatten()[:2].tolist()}  in the full state {whole['exp_avg_sq'].flatten()[:2].tolist()}")
        with open(f"{folder}/found", "w") as found:
            found.write("wrong" if wrong and not torch.equal(first, second) else "right")
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    print(f"torch {torch.__version__}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        mp.spawn(work, (folder,), nprocs=2)
        found = open(f"{folder}/found").read()
    if found != "wrong":
        sys.exit("CHANGED: the first moments are right")
    print("as described: the first moments of the full state are the second ones")
PROGRAM
"$home/venv/bin/python" "$home/program.py" 2>/dev/null
