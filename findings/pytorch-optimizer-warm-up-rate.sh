#!/bin/bash
# pytorch_optimizer: ApolloDQN warms each group up to the constructor's rate, and trains those that are frozen by 0.
#
# Versions:  pytorch_optimizer 4.1.0, torch 2.13.0, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: ApolloDQN has a warm-up of its own, of 500 steps by default. In it each group is stepped with rates that rise to
#            the constructor's lr, whatever its own is: a backbone with 1e-4 beside a head with 1e-2 moves as far as the
#            head, a group that is frozen with lr=0 is trained, and a scheduler has no effect. In step 500 all rates jump
#            to what they should be, under ExponentialLR(0.99) to 1/150 of the one before. GrokFastAdamW divides lr by
#            1 + grokfast_lamb, 3 by default, since it makes gradients larger by that, and divides the constructor's alone: a
#            group with the same lr of its own moves 3 times as far, and so does every group once OneCycleLR, or another
#            scheduler that sets a rate and does not multiply it, is made. Nothing warns.
# Source:    pytorch_optimizer/optimizer/apollo.py: ApolloDQN.step. pytorch_optimizer/optimizer/grokfast.py: __init__.
# Advice:    Give ApolloDQN warmup_steps=1, and a scheduler that warms up. Give GrokFastAdamW normalize_lr=False, and
#            divide all rates.
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

import torch
from pytorch_optimizer import ApolloDQN, GrokFastAdamW
from torch.optim import lr_scheduler as schedulers

warnings.simplefilter("error")
HEAD, BACKBONE = 1e-2, 1e-4


def lengths(cls, groups, count, scheduled=None, **settings):
    """Return how far each group moves in each step, where all gradients are ones."""
    parameters = [torch.nn.Parameter(torch.zeros(1, dtype=torch.float64)) for _ in groups]
    optimizer = cls([{"params": [p]} | keys for p, keys in zip(parameters, groups, strict=True)], lr=HEAD, **settings)
    scheduler = scheduled(optimizer) if scheduled else None
    found = []
    for _ in range(count):
        before = [p.item() for p in parameters]
        for p in parameters:
            p.grad = torch.ones_like(p)
        optimizer.step()
        if scheduler:
            scheduler.step()
        found.append([old - p.item() for old, p in zip(before, parameters, strict=True)])
    return found


def ratio(row):
    return [length / row[0] for length in row]


def near(found, expected):
    return all(abs(x - y) <= 5e-3 * abs(y) for x, y in zip(found, expected, strict=True))


def decayed(optimizer):
    return schedulers.ExponentialLR(optimizer, 0.99)


def one_cycle(optimizer):
    return schedulers.OneCycleLR(optimizer, HEAD, total_steps=100, cycle_momentum=False)


def words(row):
    return ", ".join(f"{x:.3g}" for x in row)


print(f"pytorch_optimizer {version('pytorch_optimizer')}: lengths of steps, over those of the first group")
groups = {}, {"lr": BACKBONE}, {"lr": 0.0}
for settings in {}, {"warmup_steps": 1}:
    found = lengths(ApolloDQN, groups, 501, **settings)
    for step in 1, 400, 500:
        row = ratio(found[step - 1])
        print(f"  ApolloDQN, {settings}, step {step}, groups of 1e-2, 1e-4 and 0: {words(row)}")
        if not near(row, [1, BACKBONE / HEAD, 0] if settings or step == 500 else [1, 1, 1]):
            sys.exit("CHANGED: groups move otherwise")
plain, found = lengths(ApolloDQN, [{}], 501), lengths(ApolloDQN, [{}], 501, decayed)
row = [found[step - 1][0] / plain[step - 1][0] for step in (1, 400, 499, 500)]
print(f"  ApolloDQN under ExponentialLR(0.99), over one without it, steps 1, 400, 499 and 500: {words(row)}")
if not near(row, [1, 1, 1, 0.99**499]):
    sys.exit("CHANGED: a scheduler has an effect in the warm-up")

row = ratio(lengths(GrokFastAdamW, [{}, {"lr": HEAD}], 1)[0])
print(f"  GrokFastAdamW, groups without an lr and with the constructor's: {words(row)}")
longest = [max(x for (x,) in lengths(cls, [{}], 100, one_cycle)) for cls in (torch.optim.AdamW, GrokFastAdamW)]
longest.append(lengths(GrokFastAdamW, [{}], 1)[0][0])
row = ratio(longest)
print(f"  the longest steps of torch's AdamW and of it under OneCycleLR, and of it without: {words(row)}")
if not near(lengths(GrokFastAdamW, [{}, {"lr": HEAD}], 1)[0], [HEAD / 3, HEAD]) or not near(row, [1, 1, 1 / 3]):
    sys.exit("CHANGED: GrokFastAdamW divides other rates")
print("as described: the constructor's rate is another than a group's")
PROGRAM
"$home/venv/bin/python" "$home/program.py"
