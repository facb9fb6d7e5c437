#!/bin/bash
# schedulefree: a layer that is unfrozen late is averaged as if it had been trained while it stood still.
#
# Versions:  schedulefree 1.4.1, torch 2.13.0, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: The clock k and the sum of the weights of the average belong to a group, and go on where a parameter has no
#            gradient. One that has its first gradient after 2000 steps is averaged as if it had been trained for 2000 steps
#            and had stayed in its first place: 200 steps with AdamWScheduleFree take a weight 0.39 of its way to the
#            optimum, in place of 0.79, and with SGDScheduleFree 0.27. Since gradients are taken close to the average, z
#            runs on, to 5 times the way. In AdamWScheduleFree and RAdamScheduleFree the bias correction is that of the
#            group too, for a moment that has just begun: the first step moves z by 29 and 24 times lr, in place of 1 and
#            0. A group of its own from the start is no help. Nothing warns.
# Source:    schedulefree/*_schedulefree.py: step reads and raises group['k'] and group['weight_sum'], gradients or none.
# Advice:    When a layer is unfrozen, call optimizer.eval(), add_param_group and optimizer.train(), in this order. A group
#            that is added in training is taken for one in eval() until the next train().
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 || exit 2
"$home/venv/bin/pip" install --quiet schedulefree==1.4.1 torch==2.13.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import sys
import warnings
from importlib.metadata import version

import schedulefree
import torch

warnings.simplefilter("error")
FROZEN, STEPS = 2000, 200
KINDS = {
    schedulefree.AdamWScheduleFree: 0.01,
    schedulefree.RAdamScheduleFree: 0.01,
    schedulefree.SGDScheduleFree: 0.02,
}


def run(kind, lr, how):
    """Return where STEPS steps from 0 towards 1 take a weight, and the largest first move of its z in parts of lr."""
    layer, head = torch.nn.Parameter(torch.zeros(1)), torch.nn.Parameter(torch.zeros(1))
    groups = {"its own group from the start": [{"params": [head]}, {"params": [layer]}], "one group": [head, layer]}
    optimizer = kind(groups.get(how, [head] if how == "added when unfrozen" else [head, layer]), lr=lr)
    optimizer.train()
    frozen = 0 if how == "never frozen" else FROZEN
    layer.requires_grad_(not frozen)
    first = None
    for step in range(frozen + STEPS):
        if frozen and step == frozen:
            layer.requires_grad_()
            if how == "added when unfrozen":
                optimizer.eval()
                optimizer.add_param_group({"params": [layer]})
                optimizer.train()
        optimizer.zero_grad()
        ((head - 1) ** 2 + (layer - 1) ** 2).sum().backward()
        optimizer.step()
        if first is None and layer.grad is not None:
            first = optimizer.state[layer]["z"].item() / lr
    optimizer.eval()
    return layer.item(), first, optimizer.state[layer]["z"].item()


print(f"schedulefree {version('schedulefree')}: a weight after {STEPS} steps from 0 towards 1, frozen for {FROZEN} before them")
for kind, lr in KINDS.items():
    print(f"  {kind.__name__}")
    places = {}
    for how in "never frozen", "added when unfrozen", "one group", "its own group from the start":
        place, first, z = run(kind, lr, how)
        places[how] = place
        print(f"    {how:30} {place:6.3f}, z {z:8.3f}, its first move {first:6.2f} lr")
        late = how in ("one group", "its own group from the start")
        if kind is not schedulefree.SGDScheduleFree and ((first > 20) != late or (z > 3) != late):
            sys.exit("CHANGED: another first step, or another way of z")
    if abs(places["added when unfrozen"] - places["never frozen"]) > 1e-6:
        sys.exit("CHANGED: a layer that is added is another")
    for how in "one group", "its own group from the start":
        if kind is not schedulefree.RAdamScheduleFree and not places[how] < 0.5 * places["never frozen"]:
            sys.exit("CHANGED: the layer trains")
print("as described: the average counts the steps in which the layer stood still")
PROGRAM
"$home/venv/bin/python" "$home/program.py"
