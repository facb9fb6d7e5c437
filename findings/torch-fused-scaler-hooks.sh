#!/bin/bash
# PyTorch: with fused=True and a GradScaler, hooks of the optimizer see gradients that are 65536 times too large.
#
# Versions:  torch 2.13.0, numpy 2.4.6, Python 3.11, on the CPU (torch.amp.GradScaler("cpu")).
# Behaviour: GradScaler.step divides gradients by the scale before it calls the optimizer, but not for one with
#            fused=True, whose kernel divides. A hook of register_step_pre_hook runs in between: what it logs is
#            65536 times the norm, and what it clips to a norm of 1 is divided by 65536 afterwards. What was clipped once
#            in a while is clipped always then, to a norm of 1.5e-5: Adam sees a large gradient as it sees a small one.
#            In a model of a million weights each has 1.5e-8, so that eps=1e-8 shortens the steps to 0.6 of theirs; in
#            one of 100 million to 0.13. With fused=False the same program clips as it says. Nothing warns.
# Source:    torch/amp/grad_scaler.py, step: an optimizer with _step_supports_amp_scaling is called before unscale_.
# Advice:    Call scaler.unscale_(optimizer) before scaler.step, also if a hook clips or logs.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import math
import sys

import torch

NORMS = [0.5, 0.25, 400.0, 0.5, 0.25]  # of the gradients; the third is an outlier


def run(fused, unscale):
    """Return the norms that a hook sees which clips to 1, how long the first step of a weight is, and the norm of sqrt(v)
    at the end."""
    p, steps = torch.nn.Parameter(torch.zeros(10**6)), []
    adam, scaler, seen = torch.optim.Adam([p], lr=0.01, fused=fused), torch.amp.GradScaler("cpu"), []
    adam.register_step_pre_hook(lambda *_: seen.append(torch.nn.utils.clip_grad_norm_([p], 1.0).item()))
    for norm in NORMS:
        adam.zero_grad()
        scaler.scale((p * norm / 1000).sum()).backward()
        if unscale:
            scaler.unscale_(adam)
        scaler.step(adam)
        scaler.update()
        steps.append(-p[0].item())
    return seen, steps[0], adam.state[p]["exp_avg_sq"].sum().sqrt().item()


def close(a, b):
    return all(math.isclose(x, y, rel_tol=1e-3) for x, y in zip(a, b, strict=True))


def v(norms):
    """Return the norm of sqrt(v) after gradients of these norms."""
    return math.sqrt(sum(0.001 * 0.999 ** (len(norms) - 1 - t) * norm**2 for t, norm in enumerate(norms)))


print(f"torch {torch.__version__}: norms that a hook sees, of gradients with norms {NORMS}")
clipped = [min(norm, 1.0) for norm in NORMS]
for fused, unscale in (False, False), (False, True), (True, True), (True, False):
    seen, step, root = run(fused, unscale)
    wrong = fused and not unscale
    print(f"  fused={fused}, {'with' if unscale else 'without'} unscale_: {[f'{x:.4g}' for x in seen]}; first step {step:.5f}, "
          f"sqrt(v) {root:.3g}")
    if not close(seen, [norm * 65536 for norm in NORMS] if wrong else NORMS):
        sys.exit("CHANGED: a hook sees other gradients")
    if not close([step], [0.01 / (1 + 1e-8 * 65536 * 1000) if wrong else 0.01]):
        sys.exit("CHANGED: a weight moves otherwise")
    if not close([root], [v([1 / 65536] * 5) if wrong else v(clipped)]):
        sys.exit("CHANGED: other gradients come to Adam")
print("as described: with fused=True a hook sees scaled gradients")
PROGRAM
"$home/venv/bin/python" -W error "$home/program.py"
