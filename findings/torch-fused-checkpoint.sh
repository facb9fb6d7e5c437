#!/bin/bash
# PyTorch: a checkpoint that was saved without fused=True turns it off, and the next step under a GradScaler raises.
#
# Versions:  torch 2.13.0, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: load_state_dict takes fused and foreach from the checkpoint, as it does numbers. A program that adds
#            fused=True to its optimizer and resumes is stepped without it, and nothing says so. Under a GradScaler the
#            next step raises "Expected grad_scale and found_inf to be None": the attribute that tells the scaler that
#            the optimizer unscales by itself was set by the constructor, and stays. The other way round, an optimizer
#            that was made with foreach=True is fused after it has loaded the state of a fused one. Adam, AdamW,
#            Adagrad and SGD are alike.
# Source:    torch/optim/optimizer.py, load_state_dict, takes all of a saved group but its parameters;
#            torch/optim/adam.py, __init__: _step_supports_amp_scaling.
# Advice:    After loading, set group["fused"] = True and group["foreach"] = False in each group.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import sys

import torch


def made(kind, **flags):
    return kind([torch.nn.Parameter(torch.ones(2))], lr=0.1, **flags)


def stepped(optimizer):
    """Make two steps under a GradScaler: one that it skips, and one that moves the parameter."""
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    [p] = optimizer.param_groups[0]["params"]
    for gradient in float("inf"), 1.0:
        optimizer.zero_grad()
        scaler.scale((p * gradient).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
    return p[0].item()


def resumed(kind, before, after, mended=False):
    """Return the flags of an optimizer that loads a checkpoint, and its parameter after two steps or the error."""
    saved, optimizer = made(kind, **before), made(kind, **after)
    saved.param_groups[0]["params"][0].grad = torch.ones(2)
    saved.step()
    optimizer.load_state_dict(saved.state_dict())
    if mended:
        optimizer.param_groups[0].update(fused=True, foreach=False)
    flags = {flag: optimizer.param_groups[0][flag] for flag in ("fused", "foreach")}
    try:
        return flags, stepped(optimizer)
    except AssertionError as error:
        return flags, str(error)


print(f"torch {torch.__version__}: what a checkpoint makes of an optimizer, and two steps under a GradScaler")
for kind in torch.optim.Adam, torch.optim.AdamW, torch.optim.Adagrad, torch.optim.SGD:
    for before in {}, {"foreach": True}, {"fused": True}:
        for after in {"fused": True}, {"foreach": True}:
            flags, result = resumed(kind, before, after)
            print(f"  {kind.__name__:8}saved with {before}, loaded into {after}: {flags}, {result}")
            if flags["fused"] != before.get("fused"):
                sys.exit("CHANGED: fused is that of the program")
            failed = "fused" in after and "fused" not in before
            if isinstance(result, str) != failed:
                sys.exit("CHANGED: other flags raise")
    flags, result = resumed(kind, {}, {"fused": True}, mended=True)
    print(f"  {kind.__name__:8}set anew after loading: {flags}, {result}")
    if not isinstance(result, float):
        sys.exit("CHANGED: flags that are set anew raise")
print("as described: the flags are those of the checkpoint")
PROGRAM
"$home/venv/bin/python" -W ignore "$home/program.py"
