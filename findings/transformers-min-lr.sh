#!/bin/bash
# transformers: min_lr and lr_end are not the least rate, if a group's rate is not the optimizer's.
#
# Versions:  transformers 5.24.0, torch 2.13.0, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: The polynomial schedule (lr_end) and the cosine schedules with min_lr divide the given rate by the
#            optimizer's own lr and multiply each group's rate by that. A group with 10 times that lr (a new head) ends
#            at 10 times min_lr, and one with a tenth of it (layer-wise decay) at a tenth. If groups alone have an lr,
#            the optimizer's is torch's default, 1e-3: AdamW([{"params": ..., "lr": 2e-5}]) ends at min_lr / 50.
#            Nothing warns. The documentation says "the minimum learning rate to reach".
# Source:    transformers/optimization.py: optimizer.defaults["lr"] in get_polynomial_decay_schedule_with_warmup and
#            get_cosine_with_min_lr_schedule_with_warmup, and in the latter with warmup_lr_rate.
# Advice:    Use torch's CosineAnnealingLR(eta_min=...), which is the least rate of each group, or give min_lr_rate.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet transformers==5.24.0 torch==2.13.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import math
import sys

import torch
import transformers

LEAST, STEPS = 1e-6, 50
SCHEDULES = {
    "polynomial": {"lr_end": LEAST},
    "cosine_with_min_lr": {"min_lr": LEAST},
    "cosine_warmup_with_min_lr": {"min_lr": LEAST},
}


def least(name, rates, **settings):
    """Return the least rate of each group from the end of the warm-up on."""
    groups = [{"params": [torch.nn.Parameter(torch.ones(2))], "lr": rate} for rate in rates]
    optimizer = torch.optim.AdamW(groups, **settings)
    if name == "CosineAnnealingLR":
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS, eta_min=LEAST)
    else:
        schedule = transformers.get_scheduler(name, optimizer, 5, STEPS, SCHEDULES[name])
    found = []
    for step in range(STEPS + 1):
        if step >= 5:
            found.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        schedule.step()
    return [min(rates) for rates in zip(*found, strict=True)]


cases = {  # the rates of groups, that of the optimizer, and the least ones
    "one rate": ([2e-5, 2e-5], {"lr": 2e-5}, [LEAST, LEAST]),
    "a head of 10 times the rate": ([2e-5, 2e-4], {"lr": 2e-5}, [LEAST, 10 * LEAST]),
    "a layer of a tenth": ([2e-5, 2e-6], {"lr": 2e-5}, [LEAST, LEAST / 10]),
    "no rate but the groups'": ([2e-5], {}, [LEAST / 50]),
}
print(f"transformers {transformers.__version__}: the least rates of groups, where {LEAST} is asked for")
for case, (rates, settings, expected) in cases.items():
    for name in (*SCHEDULES, "CosineAnnealingLR"):
        found = least(name, rates, **settings)
        print(f"  {case:28}{name:28}" + ", ".join(f"{rate:.2g}" for rate in found))
        wanted = [LEAST] * len(rates) if name == "CosineAnnealingLR" else expected
        if not all(math.isclose(a, b, rel_tol=1e-3) for a, b in zip(found, wanted, strict=True)):
            sys.exit(f"CHANGED: not {wanted}")
print("as described: the least rate is another for each group")
PROGRAM
"$home/venv/bin/python" -W ignore "$home/program.py"
