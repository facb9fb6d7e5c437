#!/bin/bash
# bitsandbytes: a setting for one parameter holds for whatever stands in its place in every other optimizer.
#
# Versions:  bitsandbytes 0.50.2, torch 2.13.0, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: GlobalOptimManager gives single parameters a learning rate, betas, or a number of bits of their own. There is one
#            manager in a process, and it notes a setting by the number of the group and of the parameter in it as well. All
#            optimizers of bitsandbytes read these notes: if the first parameter of a generator gets lr=1e-5, the first
#            parameter of the discriminator's optimizer, and of any optimizer made later (another fold, another
#            run in a notebook), is stepped with 1e-5 as well. So it is with register_module_override, once the
#            generator has made a step, and with override_config before register_parameters; the other order, override_config
#            after it, keeps to its parameter. bnb.nn.StableEmbedding and bnb.nn.Embedding register such an override
#            themselves: 32 bits for what stands in their place. Nothing warns; group["lr"] and state_dict show nothing.
# Source:    bitsandbytes/optim/optimizer.py: get_config looks into index2config by (gindex, pindex), of any optimizer.
# Advice:    Give such parameters a group of their own, with the settings that they need.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 || exit 2
"$home/venv/bin/pip" install --quiet bitsandbytes==0.50.2 torch==2.13.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import sys

import bitsandbytes
import torch


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.ones(8))
        self.b = torch.nn.Parameter(torch.ones(8))


def made(network):
    return bitsandbytes.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.0)


def moved(network, adam):
    """Return how far a step moves w and b of a network, in thousandths."""
    before = [p.detach().clone() for p in network.parameters()]
    for p in network.parameters():
        p.grad = torch.ones_like(p)
    adam.step()
    return [round(1000 * (x - p)[0].item(), 2) for x, p in zip(before, network.parameters())]


def of_the_module(manager, generator):
    manager.register_module_override(generator, "w", {"lr": 1e-5})


def before_registering(manager, generator):
    manager.override_config(generator.w, "lr", 1e-5)
    manager.register_parameters(generator.parameters())


def after_registering(manager, generator):
    manager.register_parameters(generator.parameters())
    manager.override_config(generator.w, "lr", 1e-5)


def runs(override):
    """Return steps of the discriminator before and after the generator's, of the generator, and of a later network."""
    manager = bitsandbytes.optim.GlobalOptimManager.get_instance()
    manager.initialize()  # as in a new process
    generator, discriminator, later = Network(), Network(), Network()
    override(manager, generator)
    first, second = made(generator), made(discriminator)
    return [
        moved(discriminator, second),
        moved(generator, first),
        moved(discriminator, second),
        moved(later, made(later)),
    ]


all_move = [1.0, 1.0]
w_hardly = [0.01, 1.0]
expected = {
    of_the_module: [all_move, w_hardly, w_hardly, w_hardly],
    before_registering: [w_hardly, w_hardly, w_hardly, w_hardly],
    after_registering: [all_move, w_hardly, all_move, all_move],
}
print(f"bitsandbytes {bitsandbytes.__version__}: steps with lr=1e-3, but for w of the generator, which has 1e-5")
names = "discriminator", "generator", "discriminator", "one made later"
for override, described in expected.items():
    found = runs(override)
    print(f"  {override.__name__}:", "; ".join(f"{name} {move}" for name, move in zip(names, found)))
    if found != described:
        sys.exit("CHANGED")
print("as described: parameters of other optimizers have the generator's rate")
PROGRAM
"$home/venv/bin/python" "$home/program.py"
