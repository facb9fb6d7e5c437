#!/bin/bash
# PyTorch: a loop inside of torch.autocast trains on the weights of its first step.
#
# Versions:  torch 2.13.0, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: Under torch.autocast a weight is cast to bfloat16 once and kept until the outermost context ends, even if an
#            optimizer changes it meanwhile. With the loop inside of the context the loss stays at its first value to the
#            last bit, gradients are always the same, and Adam moves every weight by lr a step in one direction.
#            A context within it does not help: the outermost one counts. Neither do other optimizers, nor
#            zero_grad(set_to_none=False). Nothing warns. The documentation advises to wrap the forward pass only.
# Source:    aten/src/ATen/autocast_mode.cpp, cached_cast: the cache knows a tensor by its address, not its version.
# Advice:    Begin the context anew for each forward pass, or give cache_enabled=False; a function with the decorator
#            @torch.autocast that trains needs the same.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import contextlib
import sys

import torch


def trained(around, within, optimizer=torch.optim.Adam, steps=100):
    """Return the losses, and how far the weight that moved most is away, of a loop with one context around it and
    one in each step."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1))
    optimizer, losses = optimizer(model.parameters(), lr=1e-2), []
    first = [p.detach().clone() for p in model.parameters()]
    x = torch.randn(64, 4)
    with around():
        for _ in range(steps):
            with within():
                loss = (model(x).float() - x.prod(1, keepdim=True)).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    moved = max((p.detach() - q).abs().max().item() for p, q in zip(model.parameters(), first, strict=True))
    return losses, moved


def autocast(**options):
    return lambda: torch.autocast("cpu", torch.bfloat16, **options)


print(f"torch {torch.__version__}: the loss at first and after 100 steps of lr=1e-2")
none = contextlib.nullcontext
for name, around, within, stands in (
    ("a context in each step", none, autocast(), False),
    ("a context around the loop", autocast(), none, True),
    ("both", autocast(), autocast(), True),
    ("around the loop, without the cache", autocast(cache_enabled=False), none, False),
):
    losses, moved = trained(around, within)
    print(f"  {name:36} {losses[0]:.4f} {losses[-1]:.4f}; a weight moved by {moved:.2f}")
    if (len(set(losses)) == 1) != stands or (losses[-1] < losses[0] / 2) == stands:
        sys.exit("CHANGED: the loss falls otherwise")
    if stands and abs(moved - 1.0) > 1e-3:
        sys.exit("CHANGED: no weight moves by lr in each step")
losses, _ = trained(autocast(), none, torch.optim.SGD)
print(f"  SGD, a context around the loop       {losses[0]:.4f} {losses[-1]:.4f}")
if len(set(losses)) != 1:
    sys.exit("CHANGED: the loss falls with SGD")
print("as described: the loss stands still, and the weights run away")
PROGRAM
"$home/venv/bin/python" -W error "$home/program.py"
