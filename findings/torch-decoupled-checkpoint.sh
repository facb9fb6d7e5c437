#!/bin/bash
# PyTorch: torch.optim.Adam takes from a checkpoint whether its weight decay is decoupled.
#
# Versions:  torch 2.13.0, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: Adam(decoupled_weight_decay=True) is AdamW, until it loads the state of an Adam, or that of an AdamW that
#            an older PyTorch saved, whose groups have no such key: then its decay goes into the gradient. Adam's v
#            divides it there, so that a weight with large gradients hardly decays any more. The other way round, an Adam
#            that loads the state of AdamW is AdamW from then on. Nothing warns. AdamW stays AdamW, whatever it loads.
# Source:    torch/optim/adam.py, __setstate__: setdefault("decoupled_weight_decay", False); torch/optim/adamw.py sets
#            the key to True after that, since pytorch/pytorch#144972.
# Advice:    Make AdamW where the decay is decoupled, or set group["decoupled_weight_decay"] after loading.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import copy
import sys

import torch
from torch.optim import Adam, AdamW


def made(kind, **options):
    return kind([torch.nn.Parameter(torch.full((2,), 1000.0))], lr=0.01, weight_decay=0.1, **options)


def decay(optimizer, steps=20):
    """Return by how much a weight of 1000 shrinks in steps with gradients of 1e4, of both signs in turn."""
    [p] = optimizer.param_groups[0]["params"]
    for k in range(steps):
        p.grad = torch.full((2,), 1e4 * (-1) ** k)
        optimizer.step()
    return 1000 - p[0].item()


def state_of(kind, older=False):
    optimizer = made(kind)
    optimizer.param_groups[0]["params"][0].grad = torch.full((2,), 1e4)
    optimizer.step()
    state = optimizer.state_dict()
    if older:
        del state["param_groups"][0]["decoupled_weight_decay"]
    return state


decoupled = {"decoupled_weight_decay": True}
states = {
    "of AdamW": state_of(AdamW),
    "of AdamW, older": state_of(AdamW, older=True),
    "of Adam": state_of(Adam),
}
print(f"torch {torch.__version__}: how far a weight of 1000 decays in 20 steps (decoupled: 20)")
for (kind, options), expected in (
    ((AdamW, {}), (True, True, True)),
    ((Adam, decoupled), (True, False, False)),
    ((Adam, {}), (True, False, False)),
):
    for (name, state), is_decoupled in zip(states.items(), expected, strict=True):
        optimizer = made(kind, **options)
        optimizer.load_state_dict(copy.deepcopy(state))
        found = decay(optimizer)
        print(f"  {kind.__name__:6}{'decoupled' if options else '':10} with the state {name:16}{found:7.2f}")
        if (found > 15) != is_decoupled:
            sys.exit("CHANGED: the decay is another one")
optimizer = made(Adam, **decoupled)
optimizer.load_state_dict(states["of AdamW, older"])
optimizer.param_groups[0].update(decoupled)
if decay(optimizer) < 15:
    sys.exit("CHANGED: a key that is set anew has no effect")
print("as described: the checkpoint decides, but for AdamW")
PROGRAM
"$home/venv/bin/python" -W ignore "$home/program.py"
