#!/bin/bash
# lion-pytorch, optimi, adam-atan2-pytorch, timm, pytorch_optimizer: a group with a rate of its own decays by another.
#
# Versions:  lion-pytorch 0.2.5, torch-optimi 0.3.3, adam-atan2-pytorch 0.4.1, timm 1.0.31, pytorch_optimizer 4.1.0,
#            torchvision 0.28.0, torch 2.13.0, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: A decay that is independent of the rate, which decoupled_weight_decay, decouple_lr and decoupled_wd ask for, is
#            formed as rate / largest rate * weight_decay; a corrected one, in timm's adamc and pytorch_optimizer's AdamC,
#            as rate**2 / largest rate * weight_decay. The largest rate is the lr that the constructor was given, also
#            where a group has its own. So a head with 10 times that rate decays 10 times as fast as was asked for. If
#            every group has a rate and the constructor none, its default decides. timm's layer_decay is a rate
#            of a group: with 0.65, adamc decays the first block of a ViT 176 times too slowly, beside its smaller rate.
#            A group that is added to adam-atan2 later decays by rate * weight_decay: with a rate of 1e-4 not at
#            all, as good as. Nothing warns.
# Source:    lion_pytorch/lion_pytorch.py: _init_lr. optimi/optimizer.py: max_lr. timm/optim/_helpers.py: _max_lr_snapshot.
#            adam_atan2_pytorch/adam_atan2.py: __init__. pytorch_optimizer/optimizer/adamc.py: max_lr.
# Advice:    Give each group of optimi its max_lr, and each of timm its max_lr_snapshot; with the others, multiply a group's
#            weight_decay by the constructor's lr / its own.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 || exit 2
"$home/venv/bin/pip" install --quiet lion-pytorch==0.2.5 torch-optimi==0.3.3 adam-atan2-pytorch==0.4.1 \
    pytorch_optimizer==4.1.0 timm==1.0.31 torchvision==0.28.0 torch==2.13.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import math
import sys
import warnings
from importlib.metadata import version

import torch

if not torch.cuda.is_available():  # torchvision's operators may be built for CUDA alone; timm's import only names them
    for operator in "nms", "qnms":
        torch.library.define(f"torchvision::{operator}", "(Tensor a, Tensor b, float c) -> Tensor")
import adam_atan2_pytorch
import lion_pytorch
import optimi
import pytorch_optimizer
import timm
import timm.optim
from timm.scheduler import CosineLRScheduler

warnings.simplefilter("error", UserWarning)
RATE, DECAY, MANY = 1e-3, 1e-4, 10.0


def parameter():
    return torch.nn.Parameter(torch.ones(2, dtype=torch.float64))


def decays(make, late=False, **keys):
    """Return what a step without a gradient takes off two groups, of which the second has MANY times the rate."""
    slow, fast = parameter(), parameter()
    second = {"params": [fast], "lr": RATE * MANY} | keys
    optimizer = make([{"params": [slow]}] + [second] * (not late))
    if late:
        optimizer.add_param_group(second)
    for p in slow, fast:
        p.grad = torch.zeros_like(p)
    optimizer.step()
    return [1 - p[0].item() for p in (slow, fast)]


def lion(groups):
    return lion_pytorch.Lion(groups, lr=RATE, weight_decay=DECAY, decoupled_weight_decay=True)


def optimi_adamw(groups):
    return optimi.AdamW(groups, lr=RATE, weight_decay=DECAY, decouple_lr=True)


def atan2(groups):
    return adam_atan2_pytorch.AdamAtan2(groups, lr=RATE, weight_decay=DECAY, decoupled_wd=True)


def timm_adamc(groups):
    return timm.optim.create_optimizer_v2(groups, "adamc", lr=RATE, weight_decay=DECAY)


def adamc(groups):
    return pytorch_optimizer.AdamC([group | {"normalized": True} for group in groups], lr=RATE, weight_decay=DECAY)


names = "lion-pytorch", "torch-optimi", "adam-atan2-pytorch", "timm", "pytorch_optimizer"
print(", ".join(f"{name} {version(name)}" for name in names))
print(f"the decay of two groups, the second with {MANY:g} times the rate, as a multiple of what it should be")
for make, right, keys in (
    (lion, (DECAY, DECAY), {"weight_decay": DECAY / MANY}),
    (optimi_adamw, (DECAY, DECAY), {"max_lr": RATE * MANY}),
    (atan2, (DECAY, DECAY), {"weight_decay": DECAY / MANY}),
    (timm_adamc, (RATE * DECAY, RATE * MANY * DECAY), {"max_lr_snapshot": RATE * MANY}),
    (adamc, (RATE * DECAY, RATE * MANY * DECAY), {"weight_decay": DECAY / MANY}),
):
    for settings in {}, keys:
        found = [x / y for x, y in zip(decays(make, **settings), right, strict=True)]
        print(f"  {make.__name__}{', ' * bool(settings)}{', '.join(settings)}: {found[0]:.3g}, {found[1]:.3g}")
        expected = 1.0 if settings else MANY
        if not math.isclose(found[0], 1, rel_tol=1e-6) or not math.isclose(found[1], expected, rel_tol=1e-6):
            sys.exit("CHANGED: another decay")
found = [x / DECAY for x in decays(atan2, late=True)]
print(f"  atan2, the second group added late: {found[0]:.3g}, {found[1]:.3g}")
if not math.isclose(found[1], RATE * MANY, rel_tol=1e-6):
    sys.exit("CHANGED: a late group decays otherwise")


def vit(name):
    """Return what a step without a gradient takes off the weights of a ViT's first and last block, and of its head."""
    torch.manual_seed(0)
    network = timm.create_model("vit_tiny_patch16_224", num_classes=2).double()
    optimizer = timm.optim.create_optimizer_v2(network, name, lr=RATE, weight_decay=0.05, layer_decay=0.65)
    CosineLRScheduler(optimizer, 100)
    weights = network.blocks[0].mlp.fc1.weight, network.blocks[11].mlp.fc1.weight, network.head.weight
    before = [weight.norm().item() for weight in weights]
    for p in network.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    return [1 - weight.norm().item() / norm for weight, norm in zip(weights, before, strict=True)]


ratios = [corrected / plain for corrected, plain in zip(vit("adamc"), vit("adamw"), strict=True)]
print(f"  timm, layer_decay=0.65, adamc's decay over adamw's: {', '.join(f'1/{1 / ratio:.3g}' for ratio in ratios)}")
if any(not math.isclose(ratio, 0.65**depth, rel_tol=1e-3) for ratio, depth in zip(ratios, (12, 1, 0), strict=True)):
    sys.exit("CHANGED: adamc looks at the layer's rate")
print("as described: the first rate is that of all groups")
PROGRAM
"$home/venv/bin/python" "$home/program.py"
