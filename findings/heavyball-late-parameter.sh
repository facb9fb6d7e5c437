#!/bin/bash
# HeavyBall: where one parameter has its first gradient late, ADOPT and SUDSAdamW begin anew for all others.
#
# Versions:  heavyball 3.2.1, torch 2.13.0, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: The first gradient of a parameter sets up its state, and that step moves nothing. But it sets up all parameters
#            of the group, also those that have been trained for long. In ADOPT their second moment is then the square of
#            that one gradient, so that elements whose gradient happens to be small go as far as in the first steps of a
#            run: after 200 steps with lr=1e-3, each shorter than lr, one is 1085 times lr long, and those after it are
#            almost as long, since the moment forgets slowly. In 10 steps a weight goes by 6.6, in place of 0.009. So does
#            it whenever a layer is unfrozen, or an expert gets its first token. In SUDSAdamW what it knows of the
#            curvature is that one gradient, and the next steps are others. Nothing warns. With multi_tensor=False, or with
#            the late parameter in a group of its own, the others go on.
# Source:    heavyball/chainable.py: WarmupGuard.__call__ takes the smallest count of all states, and sets up all of them.
# Advice:    Give multi_tensor=False, or each part that is unfrozen later a group of its own from the start.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 || exit 2
"$home/venv/bin/pip" install --quiet heavyball==3.2.1 torch==2.13.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import sys
import warnings
from importlib.metadata import version

import heavyball
import torch

warnings.simplefilter("error", UserWarning)
heavyball.utils.compile_mode = None  # no compiler is needed
LR, LATE, STEPS = 1e-3, 200, 210


def run(kind, late, own_group=False, **arguments):
    """Return what each step adds to 10,000 weights, if another weight has its first gradient at the step `late`."""
    weights, other = torch.nn.Parameter(torch.ones(10_000)), torch.nn.Parameter(torch.ones(3))
    groups = [{"params": [weights]}, {"params": [other]}] if own_group else [weights, other]
    optimizer = kind(groups, lr=LR, **arguments)
    generator, places = torch.Generator().manual_seed(0), [weights.detach().clone()]
    for step in range(STEPS):
        weights.grad = torch.randn(10_000, generator=generator)
        gradient = torch.randn(3, generator=generator)
        other.grad = gradient if step >= late else None
        optimizer.step()
        places.append(weights.detach().clone())
    return torch.stack(places).diff(dim=0)


def row(label, steps):
    largest = (steps[LATE - 1 : LATE + 5].abs().amax(dim=1) / LR).tolist()
    print(f"    {label:38}" + " ".join(f"{length:8.1f}" for length in largest))


print(f"heavyball {version('heavyball')}: the longest way of 10,000 weights in the steps from {LATE - 1} on, in parts of lr,")
print(f"  where another parameter has gradients from the start, or from step {LATE}")
for kind in heavyball.ADOPT, heavyball.SUDSAdamW:
    print(f"  {kind.__name__}")
    start, late = run(kind, 0), run(kind, LATE)
    others = {
        "late, multi_tensor=False": run(kind, LATE, multi_tensor=False),
        "late, in its own group": run(kind, LATE, own_group=True),
    }
    row("from the start", start)
    row("late", late)
    for label, steps in others.items():
        row(label, steps)
        if not torch.allclose(steps, start, atol=1e-3 * LR):
            sys.exit("CHANGED: another parameter counts here too")
    if not torch.allclose(late[:LATE], start[:LATE], atol=1e-3 * LR) or late[LATE].any():
        sys.exit("CHANGED: other steps until then, or one that is not left out")
    if kind is heavyball.ADOPT and not (start[LATE:].abs().max() < 2 * LR and late[LATE + 1].abs().max() > 100 * LR):
        sys.exit("CHANGED: no weight goes far")
    ways = [abs(steps[LATE:].sum(dim=0)).max().item() for steps in (start, late)]
    print(f"    in {STEPS - LATE} steps a weight goes by up to {ways[0]:.3f}, and by {ways[1]:.3f}")
    print(f"    at the start of the run the second step is up to {start[1].abs().max().item() / LR:.1f} long")
    if kind is heavyball.ADOPT and ways[1] < 1:
        sys.exit("CHANGED: the weights stay")
    if torch.allclose(late[LATE + 1 :], start[LATE + 1 :], atol=0.1 * LR):
        sys.exit("CHANGED: the next steps are the same")
print("as described: one late parameter has all others begin anew")
PROGRAM
"$home/venv/bin/python" "$home/program.py"
