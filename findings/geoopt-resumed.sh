#!/bin/bash
# geoopt's RiemannianAdam does not go on from a saved state as it would have without saving.
#
# Versions:  geoopt 0.5.1, torch 2.13.0, Python 3.11, on the CPU.
# Behaviour: The clock of a parameter is an int. load_state_dict makes it a tensor of float32, and betas[0]**step
#            and betas[1]**step are formed in float32 from then on. A run of float64 that is saved and restored
#            with its own state ends elsewhere than one that is not, by 1e-6 after six steps of lr 0.1. It has
#            no warning.
# Source:    geoopt/optim/radam.py: state["step"] = 0 and state["step"] += 1. torch/optim/adam.py, __setstate__, which
#            RiemannianAdam inherits, makes a tensor of a step that is none.
# Advice:    After load_state_dict, set state["step"] = int(state["step"]) for each state of the optimizer.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 geoopt==0.5.1 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import sys

import torch
from geoopt.optim import RiemannianAdam


def run(restored, mended=False):
    """Six steps of a float64 parameter; after the third the state goes through a state dict."""
    p = torch.nn.Parameter(torch.tensor([1.0, 2.0], dtype=torch.float64))
    optimizer = RiemannianAdam([p], lr=0.1)
    for step in range(6):
        if restored and step == 3:
            saved = optimizer.state_dict()
            optimizer = RiemannianAdam([p], lr=0.1)
            optimizer.load_state_dict(saved)
            for state in optimizer.state.values() if mended else ():
                state["step"] = int(state["step"])
        p.grad = torch.tensor([1.0 / (1 + step), -0.3 * step], dtype=torch.float64)
        optimizer.step()
    return p.detach(), optimizer.state[p]["step"]


whole, step = run(restored=False)
apart, restored = run(restored=True)
mended, _ = run(restored=True, mended=True)
print("the clock:", type(step).__name__, "and, once restored,", getattr(restored, "dtype", type(restored)))
print("apart by", float((whole - apart).abs().max()), "and, with the clock as an int,", float((whole - mended).abs().max()))
sys.exit(not (float((whole - apart).abs().max()) > 1e-9 and torch.equal(whole, mended)))
PROGRAM
PYTHONWARNINGS=ignore "$home/venv/bin/python" "$home/program.py"
