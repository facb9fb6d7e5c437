#!/bin/bash
# fastai: with an optimizer of PyTorch, biases and normalizations decay that were not to decay.
#
# Versions:  fastai 2.8.12, torch 2.13.0, torchvision 0.28.0, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: Learner(..., wd_bn_bias=False), which is the default, keeps weight decay from biases and normalizations. With
#            opt_func=partial(OptimWrapper, opt=torch.optim.AdamW), as fastai takes such an optimizer, it has no effect: all
#            parameters decay, as with wd_bn_bias=True. A network that was tuned with fastai's Adam regularizes
#            other parameters with PyTorch's, of the same formula, and nothing warns.
# Source:    fastai/learner.py, create_opt: do_wd=False is written into the state of OptimWrapper, which the optimizer of
#            PyTorch inside it does not read (fastai/optimizer.py).
# Advice:    Give the Learner a splitter that puts biases and normalizations into a group of their own, and set that group's wd
#            to 0 by opt.set_hyper("wd", [wd, 0]), with wd=None in the Learner and in fit.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 || exit 2
"$home/venv/bin/pip" install --quiet fastai==2.8.12 torchvision==0.28.0 torch==2.13.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import sys
from functools import partial

import fastai
import torch
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from fastai.optimizer import Adam, OptimWrapper
from torch.utils.data import DataLoader, TensorDataset


class Network(torch.nn.Module):
    """A network whose parameters begin at 1, and whose loss depends on none of them."""

    def __init__(self):
        super().__init__()
        self.norm = torch.nn.BatchNorm1d(2)
        self.linear = torch.nn.Linear(2, 1)
        for p in self.parameters():
            torch.nn.init.ones_(p)

    def forward(self, x):
        return 0 * self.linear(self.norm(x))


def parts(network):
    """Return the parameters that decay, and the others."""
    return [[network.linear.weight], [network.norm.weight, network.norm.bias, network.linear.bias]]


def learner(optimizer, **settings):
    data = TensorDataset(torch.ones(8, 2), torch.zeros(8, 1))
    batches = DataLoaders(DataLoader(data, batch_size=4), DataLoader(data, batch_size=4))
    learner = Learner(batches, Network(), loss_func=torch.nn.MSELoss(), opt_func=optimizer, lr=0.1, **settings)
    learner.remove_cbs([c for c in learner.cbs if c.name in ("progress", "recorder")])  # they print
    return learner


def decayed(learner):
    """Return the names of the parameters that four steps make smaller."""
    learner.fit(2)
    return [name for name, p in learner.model.named_parameters() if p.flatten()[0] < 1]


torchs = partial(OptimWrapper, opt=torch.optim.AdamW)
apart = learner(torchs, splitter=parts)
apart.create_opt()
apart.opt.set_hyper("wd", [0.1, 0])
every = ["norm.weight", "norm.bias", "linear.weight", "linear.bias"]
cases = {  # which parameters decay
    "fastai's Adam": (learner(Adam, wd=0.1), ["linear.weight"]),
    "fastai's Adam, wd_bn_bias=True": (learner(Adam, wd=0.1, wd_bn_bias=True), every),
    "PyTorch's AdamW": (learner(torchs, wd=0.1), every),
    "PyTorch's AdamW, wd_bn_bias=True": (learner(torchs, wd=0.1, wd_bn_bias=True), every),
    "PyTorch's AdamW, groups": (apart, ["linear.weight"]),
}
print(f"fastai {fastai.__version__}: what decays")
for case, (trained, described) in cases.items():
    found = decayed(trained)
    print(f"  {case}: {found}")
    if found != described:
        sys.exit("CHANGED")
print("as described: wd_bn_bias=False has no effect on an optimizer of PyTorch")
PROGRAM
"$home/venv/bin/python" "$home/program.py"
