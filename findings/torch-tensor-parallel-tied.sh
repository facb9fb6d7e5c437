#!/bin/bash
# PyTorch: parallelize_module unties the weights of an embedding and of the layer at the end.
#
# Versions:  torch 2.13.0, numpy 2.4.6, Python 3.11, on the CPU with gloo, two processes.
# Behaviour: A language model whose head.weight is its embed.weight has one parameter for both. A plan of
#            parallelize_module with both layers in it gives each a DTensor of its own: the model has one parameter
#            more, an optimizer steps the two apart, and after one step of Adam they are two tables. Nothing warns, and the
#            loss falls. A program that loads the checkpoint into a tied model keeps the table of one of the two names.
#            FSDP2 tells such a case: after fully_shard of each layer the first forward pass raises, and says what to do.
# Source:    torch/distributed/tensor/parallel/style.py: the function that partitions a layer registers a new Parameter in
#            that layer, and looks for no other that has it.
# Advice:    Tie them again before the optimizer is made: model.head.weight = model.embed.weight. RowwiseParallel of an
#            embedding and ColwiseParallel of a linear layer cut the table alike.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import sys
import warnings

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import Replicate
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embed = torch.nn.Embedding(8, 4)
        self.body = torch.nn.Linear(4, 4)
        self.head = torch.nn.Linear(4, 8, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, words):
        return self.head(self.body(self.embed(words)))


def whole(weight):
    return weight.full_tensor() if hasattr(weight, "full_tensor") else weight.detach()


def trained(mesh, how):
    """Return the number of parameters, and both tables after a step."""
    model, words = Model(), torch.tensor([1, 2, 3, 4])
    if how != "one process":
        plan = {
            "embed": RowwiseParallel(input_layouts=Replicate()),
            "head": ColwiseParallel(output_layouts=Replicate()),
        }
        parallelize_module(model, mesh, plan)
    if how == "tied again":
        model.head.weight = model.embed.weight
    adam = torch.optim.Adam(model.parameters(), lr=0.1)
    torch.nn.functional.cross_entropy(model(words), torch.tensor([2, 3, 4, 5])).backward()
    adam.step()
    return len(list(model.parameters())), whole(model.embed.weight), whole(model.head.weight)


def sharded(mesh):
    """Return what FSDP2 says to the same model."""
    model = Model()
    try:
        for layer in model.embed, model.head, model:
            fully_shard(layer, mesh=mesh)
        model(torch.tensor([1]))
    except ValueError as error:
        return str(error)
    return "nothing"


def process(rank, home, failures):
    warnings.simplefilter("error")
    dist.init_process_group("gloo", init_method=f"file://{home}/meeting", rank=rank, world_size=2)
    mesh = init_device_mesh("cpu", (2,))
    _, right, _ = trained(mesh, "one process")
    cases = {"one process": (3, True, True), "parallel": (4, False, False), "tied again": (3, True, True)}
    for how, described in cases.items():
        count, embed, head = trained(mesh, how)
        found = count, torch.equal(embed, head), torch.allclose(embed, right)
        if rank == 0:
            print(f"  {how}: {found[0]} parameters; one table: {found[1]}; that of one process: {found[2]}", flush=True)
        if found != described:
            failures.value += 1
    said = sharded(mesh)
    if rank == 0:
        print(f"  fully_shard says: {said.partition('. ')[0]}")
    failures.value += "shared" not in said
    dist.destroy_process_group()


if __name__ == "__main__":
    print(f"torch {torch.__version__}: a tied model after a step, on two processes")
    failures = torch.multiprocessing.get_context("spawn").Value("i", 0)
    torch.multiprocessing.spawn(process, (sys.argv[1], failures), nprocs=2)
    if failures.value:
        sys.exit("CHANGED")
    print("as described: parallelize_module makes two tables of one")
PROGRAM
"$home/venv/bin/python" "$home/program.py" "$home"
