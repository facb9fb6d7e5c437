#!/bin/bash
# mmengine, timm: an average of weights moves a tied weight once for each of its names.
#
# Versions:  mmengine 0.10.7, timm 1.0.31, torch 2.13.0, torchvision 0.28.0, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: A weight that two layers share stands twice in a state_dict, with the same memory. mmengine's averages with
#            update_buffers=True, and timm's ModelEma, ModelEmaV2 and ModelEmaV3, walk over the state_dict and move it
#            twice an update: its decay is decay**2, that of a convolution which three levels of a detector share
#            decay**3, and all other weights have the decay that was given. So parts of one averaged model are
#            of different ages. StochasticWeightAverage, a plain mean, is no mean for a tied weight: the last of 10 equal
#            terms counts 0.19. PyTorch's AveragedModel moves it once, as does timm with exclude_buffers=True.
# Source:    mmengine/model/averaged_model.py: avg_parameters is module.state_dict() if update_buffers.
#            timm/utils/model_ema.py: update walks over state_dict().values().
# Advice:    With tied weights leave update_buffers at False, and give timm exclude_buffers=True: buffers are copied.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 || exit 2
"$home/venv/bin/pip" install --quiet mmengine==0.10.7 timm==1.0.31 torch==2.13.0 torchvision==0.28.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import math
import sys

import torch

if not torch.cuda.is_available():  # torchvision's operators may be built for CUDA alone; timm's import only names them
    for operator in "nms", "qnms":
        torch.library.define(f"torchvision::{operator}", "(Tensor a, Tensor b, float c) -> Tensor")
import mmengine
import timm
from mmengine.model import ExponentialMovingAverage, StochasticWeightAverage
from timm.utils import ModelEma, ModelEmaV2, ModelEmaV3
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

UPDATES = 10


class Tied(torch.nn.Module):
    """A model of two embeddings that share a weight, three convolutions that share one, and a layer that shares none."""

    def __init__(self):
        super().__init__()
        self.two = torch.nn.ModuleList(torch.nn.Embedding(4, 2) for _ in range(2))
        self.three = torch.nn.ModuleList(torch.nn.Conv1d(1, 1, 3, bias=False) for _ in range(3))
        self.one = torch.nn.Linear(2, 2, bias=False)
        for layers in self.two, self.three:
            for layer in layers[1:]:
                layer.weight = layers[0].weight

    def weights(self):
        return [layer.weight.flatten()[0].item() for layer in (self.one, self.two[0], self.three[0])]

    @torch.no_grad()
    def fill(self, number):
        for p in self.parameters():
            p.fill_(number)


def averaged(make, update, inner, terms):
    """Return what becomes of each weight in an average over models that are full of one number each."""
    model = Tied()
    model.fill(0.0)
    average = make(model)
    for term in terms:
        model.fill(term)
        getattr(average, update)(model)
    return getattr(average, inner).weights()


def checked(case, found, expected):
    print(f"  {case:52}" + "".join(f" {number:.4f}" for number in found))
    if not all(math.isclose(one, other, rel_tol=1e-5) for one, other in zip(found, expected)):
        sys.exit("CHANGED")


moved = [1 - 0.9 ** (UPDATES * names) for names in (1, 2, 3)]
once = [moved[0]] * 3
exponential = {
    "torch, AveragedModel": (lambda m: AveragedModel(m, multi_avg_fn=get_ema_multi_avg_fn(0.9)), "update_parameters", once),
    "mmengine, update_buffers=False": (lambda m: ExponentialMovingAverage(m, 0.1), "update_parameters", once),
    "mmengine, update_buffers=True": (
        lambda m: ExponentialMovingAverage(m, 0.1, update_buffers=True),
        "update_parameters",
        moved,
    ),
    "timm, ModelEma": (lambda m: ModelEma(m, decay=0.9), "update", moved),
    "timm, ModelEmaV2": (lambda m: ModelEmaV2(m, decay=0.9), "update", moved),
    "timm, ModelEmaV3": (lambda m: ModelEmaV3(m, decay=0.9), "update", moved),
    "timm, ModelEmaV3, foreach=False": (lambda m: ModelEmaV3(m, decay=0.9, foreach=False), "update", moved),
    "timm, ModelEmaV3, exclude_buffers=True": (lambda m: ModelEmaV3(m, decay=0.9, exclude_buffers=True), "update", once),
}
print(f"mmengine {mmengine.__version__}, timm {timm.__version__}: a weight with one name, with two and with three")
print(f"  moved from 0 towards 1 by {UPDATES} updates with a decay of 0.9:")
for case, (make, update, expected) in exponential.items():
    first = [0.0] if update == "update_parameters" else []  # their first update copies the model
    inner = "ema" if case == "timm, ModelEma" else "module"
    checked(case, averaged(make, update, inner, first + [1.0] * UPDATES), expected)
print(f"  the last of {UPDATES} terms in a plain mean:")
terms = [0.0] * (UPDATES - 1) + [1.0]
last = 1 / UPDATES
for buffers, expected in (False, [last] * 3), (True, [1 - (1 - last) ** names for names in (1, 2, 3)]):
    found = averaged(lambda m: StochasticWeightAverage(m, update_buffers=buffers), "update_parameters", "module", terms)
    checked(f"mmengine, update_buffers={buffers}", found, expected)
print("as described: a tied weight is moved once for each name")
PROGRAM
"$home/venv/bin/python" -W ignore "$home/program.py"
