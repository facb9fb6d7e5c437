#!/bin/bash
# HeavyBall: Scion throws the weights of a model away in its first step, and puts others in their place.
#
# Versions:  heavyball 3.2.1, torch 2.13.0, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: Where Scion meets a parameter for the first time it writes a random orthogonal matrix into it, or zeros if
#            it has one dimension: biases, and the weights of LayerNorm as well. A trained model is lost with the first
#            step, whatever the rate is, 0 included: a classifier that was right in 100 % of its cases is as good as
#            chance. It happens again to layers that are unfrozen later, each with its first gradient, and to a run that
#            goes on from a checkpoint without the optimizer's state; with the state it goes on as it should. The seed is
#            the place of the parameter in its group, so that models of other seeds begin with the same weights.
#            Neither the class nor the readme says any of this, and nothing warns. HeavyBall's Muon keeps the weights.
# Source:    heavyball/chainable.py: scion_auto_norm. heavyball/utils.py: scion_auto_init_param_.
# Advice:    Train with it from scratch alone, or load the weights again after its first step. Muon goes on from them.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 || exit 2
"$home/venv/bin/pip" install --quiet heavyball==3.2.1 torch==2.13.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import copy
import sys
import warnings
from importlib.metadata import version

import heavyball
import torch

warnings.simplefilter("error", UserWarning)
heavyball.utils.compile_mode = None  # no compiler is needed
torch.manual_seed(0)
centres = torch.randn(8, 16)
labels = torch.arange(512) % 8
inputs = centres[labels] + 0.3 * torch.randn(512, 16)


def loss_of(model):
    return torch.nn.functional.cross_entropy(model(inputs), labels)


def right(model):
    with torch.no_grad():
        return (model(inputs).argmax(1) == labels).float().mean().item()


def steps(model, optimizer, count):
    for _ in range(count):
        optimizer.zero_grad()
        loss_of(model).backward()
        optimizer.step()


def linears(model):
    return [module for module in model if isinstance(module, torch.nn.Linear)]


trained = torch.nn.Sequential(torch.nn.Linear(16, 32), torch.nn.LayerNorm(32), torch.nn.GELU(), torch.nn.Linear(32, 8))
steps(trained, torch.optim.AdamW(trained.parameters(), lr=1e-2), 100)
print(f"heavyball {version('heavyball')}: a trained classifier, right in {right(trained):.0%}")
for cls, lr, lost in ((heavyball.Scion, 1e-5, True), (heavyball.Scion, 0.0, True), (heavyball.Muon, 1e-5, False)):
    model = copy.deepcopy(trained)
    steps(model, cls(model.parameters(), lr=lr), 1)
    norm, linear = model[1], model[0]
    largest = norm.weight.abs().max().item()
    print(f"  after a step of {cls.__name__}(lr={lr}): {right(model):.0%}; LayerNorm's weights {largest:.2g},")
    kept = torch.nn.functional.cosine_similarity(linear.weight.flatten(), trained[0].weight.flatten(), 0)
    print(f"    cosine of the first layer's weights to those that were trained {kept:.2f}")
    if lost and (right(model) > 0.4 or abs(kept) > 0.3 or largest > 1e-3):
        sys.exit("CHANGED: the weights are kept")
    if not lost and (right(model) < 0.99 or kept < 0.99):
        sys.exit("CHANGED: Muon loses them as well")

model = copy.deepcopy(trained)
first, last = linears(model)
first.requires_grad_(False)
optimizer = heavyball.Scion(model.parameters(), lr=1e-4)
steps(model, optimizer, 5)
still = torch.equal(first.weight, trained[0].weight)
first.requires_grad_(True)
steps(model, optimizer, 1)
kept = torch.nn.functional.cosine_similarity(first.weight.flatten(), trained[0].weight.flatten(), 0)
print(f"  a layer that is frozen for 5 steps stands still: {still}; a step after it is thawed the cosine is {kept:.2f}")
if not still or abs(kept) > 0.3:
    sys.exit("CHANGED: a layer that is thawed keeps its weights")

model = copy.deepcopy(trained)
optimizer = heavyball.Scion(model.parameters(), lr=1e-2)
steps(model, optimizer, 100)
goes_on, anew = copy.deepcopy(model), copy.deepcopy(model)
other = heavyball.Scion(goes_on.parameters(), lr=1e-2)
other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
steps(goes_on, other, 1)
steps(anew, heavyball.Scion(anew.parameters(), lr=1e-2), 1)
print(f"  trained by it: {right(model):.0%}; a step on, with its state {right(goes_on):.0%}, without {right(anew):.0%}")
if right(model) < 0.99 or right(goes_on) < 0.99 or right(anew) > 0.4:
    sys.exit("CHANGED: a checkpoint goes on otherwise")

begun = []
for seed in 1, 2:
    torch.manual_seed(seed)
    model = torch.nn.Sequential(torch.nn.Linear(16, 8))
    steps(model, heavyball.Scion(model.parameters(), lr=0.0), 1)
    begun.append(model[0].weight.detach())
print(f"  models of two seeds begin with the same weights: {torch.equal(*begun)}")
if not torch.equal(*begun):
    sys.exit("CHANGED: seeds differ")
print("as described: Scion's first step forgets the model")
PROGRAM
"$home/venv/bin/python" "$home/program.py"
