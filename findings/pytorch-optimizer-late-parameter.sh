#!/bin/bash
# pytorch_optimizer: a parameter that has its first gradient late is stepped with the clock of its group.
#
# Versions:  pytorch_optimizer 4.1.0, torch 2.13.0, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: The bias correction is that of the group's count, which goes on where a parameter has no gradient. The moments of
#            one that has its first gradient after 2000 steps begin at 0, and are taken for old: its first step in LaProp is
#            29 times lr long, and in AdamBelief, AdamP and Yogi the first ones grow to 8.5 and 5.7 times lr, where those of a
#            new run are at most 1.4. So goes each layer that is unfrozen by requires_grad_, and each expert that gets its first
#            token. Nothing warns. torch.optim has a count for each parameter.
# Source:    pytorch_optimizer/optimizer/laprop.py and others: debias takes group['step'], gradients or none.
# Advice:    Add a layer that is unfrozen with add_param_group: a new group counts from its first step.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 || exit 2
"$home/venv/bin/pip" install --quiet pytorch_optimizer==4.1.0 torch==2.13.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import sys
import warnings
from importlib.metadata import version

import pytorch_optimizer
import torch

warnings.simplefilter("ignore")  # of the packages as they are loaded
LR, LATE, STEPS = 1e-3, 2000, 20


def ways(kind, late, added=False):
    """Return how far each of the first STEPS steps moves 100 weights at most, if `late` steps of others come before."""
    others, layer = torch.nn.Parameter(torch.ones(4)), torch.nn.Parameter(torch.ones(100))
    optimizer = kind([others] if added else [others, layer], lr=LR)
    generator, found = torch.Generator().manual_seed(0), []
    for step in range(late + STEPS):
        others.grad = torch.ones(4)
        if step == late and added:
            optimizer.add_param_group({"params": [layer]})
        if step >= late:
            layer.grad = torch.randn(100, generator=generator)
        before = layer.detach().clone()
        optimizer.step()
        if step >= late:
            found.append((layer.detach() - before).abs().max().item() / LR)
    return found


print(f"pytorch_optimizer {version('pytorch_optimizer')}: the longest way of a weight in its first steps, in parts of lr")
for name in "AdaBelief", "AdamP", "Yogi", "LaProp":
    kind = getattr(pytorch_optimizer, name)
    start, late, added = ways(kind, 0), ways(kind, LATE), ways(kind, LATE, added=True)
    print(f"  {name}")
    for label, found in ("at the start", start), (f"from step {LATE} on", late), ("the same, added then", added):
        print(f"    {label:22} first {found[0]:8.2f}, longest {max(found):8.2f}")
    if not max(late) > 3 * max(start):
        sys.exit("CHANGED: a late parameter goes no further")
    if not all(abs(a - b) < 0.01 * max(start) for a, b in zip(start, added, strict=True)):
        sys.exit("CHANGED: one that is added then is stepped otherwise")
print("as described: the clock is the group's")
PROGRAM
"$home/venv/bin/python" "$home/program.py"
