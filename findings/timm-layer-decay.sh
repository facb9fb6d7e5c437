#!/bin/bash
# timm: layer_decay has no effect without a scheduler of timm.
#
# Versions:  timm 1.0.31, torch 2.13.0, torchvision 0.28.0, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: create_optimizer_v2(model, layer_decay=0.65), as a ViT is fine-tuned, gives groups of one learning rate, with a
#            key "lr_scale" of their own. No optimizer reads it, and of all schedulers those of timm alone: with a
#            scheduler of torch or transformers, or with none, each layer is trained with the rate of the head, the first
#            one at 175 times its own in a ViT of 12 blocks. Nothing warns.
# Source:    timm/optim/_param_groups.py, param_groups_layer_decay; timm/scheduler/scheduler.py, update_groups.
# Advice:    for group in optimizer.param_groups: group["lr"] *= group.pop("lr_scale", 1.0), before the scheduler is made.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet timm==1.0.31 torch==2.13.0 torchvision==0.28.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import sys

import torch

if not torch.cuda.is_available():  # torchvision's operators may be built for CUDA alone; timm's import only names them
    for operator in "nms", "qnms":
        torch.library.define(f"torchvision::{operator}", "(Tensor a, Tensor b, float c) -> Tensor")
import timm
from timm.optim import create_optimizer_v2
from timm.scheduler import CosineLRScheduler
from torch.optim import lr_scheduler as schedulers

LR, DECAY, BLOCKS = 1e-3, 0.65, 12
NAMES = "patch_embed.proj.bias", "blocks.0.mlp.fc1.bias", "blocks.11.mlp.fc1.bias", "head.bias"
RIGHT = [LR * DECAY ** (BLOCKS + 1), LR * DECAY**BLOCKS, LR * DECAY, LR]


def moved(scheduler, scaled=False):
    """Return how far the first step of AdamW moves a parameter of each depth."""
    model = timm.create_model("vit_tiny_patch16_224")
    optimizer = create_optimizer_v2(model, "adamw", lr=LR, weight_decay=0.0, layer_decay=DECAY)
    if scaled:
        for group in optimizer.param_groups:
            group["lr"] *= group.pop("lr_scale", 1.0)
    if scheduler:
        scheduler(optimizer)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    optimizer.step()
    return [(dict(model.named_parameters())[name].detach() - before[name]).abs().max().item() for name in NAMES]


def close(a, b):
    return all(abs(x - y) < 1e-2 * y for x, y in zip(a, b, strict=True))


print(f"timm {timm.__version__}, torch {torch.__version__}: AdamW(lr=1e-3, layer_decay=0.65); the first step of {NAMES}")
for name, scheduler, scaled, right in (
    ("no scheduler", None, False, [LR] * 4),
    ("torch's CosineAnnealingLR", lambda o: schedulers.CosineAnnealingLR(o, 100), False, [LR] * 4),
    ("timm's CosineLRScheduler", lambda o: CosineLRScheduler(o, 100), False, RIGHT),
    ("torch's, lr *= lr_scale", lambda o: schedulers.CosineAnnealingLR(o, 100), True, RIGHT),
):
    found = moved(scheduler, scaled)
    print(f"  {name:26}" + " ".join(f"{x:.2e}" for x in found))
    if not close(found, right):
        sys.exit("CHANGED: layers move otherwise")
print("as described: lr_scale is for timm's schedulers alone")
PROGRAM
"$home/venv/bin/python" -W ignore "$home/program.py"
