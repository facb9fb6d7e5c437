#!/bin/bash
# Catalyst: OptimizerCallback takes a function that clips gradients, and never calls it.
#
# Versions:  catalyst 22.4, accelerate 0.23.0, torch 2.13.0, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: grad_clip_fn and grad_clip_params of dl.OptimizerCallback are documented as the function that clips gradients
#            and its arguments. They are kept, and that is all: a run with clip_grad_norm_ and a max_norm of 1e-3 ends with
#            the bits of one without, though the gradients of its steps have norms of more than 100. Nothing warns. (In
#            dl.BackwardCallback, which has the same two arguments, the function is called, and fails: the callback has no
#            model.)
# Source:    catalyst/callbacks/optimizer.py: OptimizerCallback.on_batch_end.
# Advice:    Clip in a hook of the optimizer, register_step_pre_hook, which the callback's step calls.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 || exit 2
"$home/venv/bin/pip" install --quiet catalyst==22.4 accelerate==0.23.0 torch==2.13.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import contextlib
import io
import sys
import warnings
from importlib.metadata import version

import torch

warnings.simplefilter("ignore")  # of old packages as they are loaded
from catalyst import dl

clip, MAX_NORM, LR, STEPS = torch.nn.utils.clip_grad_norm_, 1e-3, 1e-3, 10


def train(in_callback=False, in_hook=False):
    """Return the way of the weights in each step, and what warns."""
    torch.manual_seed(0)
    data = torch.utils.data.TensorDataset(torch.randn(4 * STEPS, 3), 100 * torch.randn(4 * STEPS, 1))
    model = torch.nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=LR)
    places = [torch.nn.utils.parameters_to_vector(model.parameters()).detach().clone()]
    if in_hook:
        optimizer.register_step_pre_hook(lambda *_: clip(model.parameters(), MAX_NORM) and None)
    optimizer.register_step_post_hook(
        lambda *_: places.append(torch.nn.utils.parameters_to_vector(model.parameters()).detach().clone())
    )
    clipping = {"grad_clip_fn": clip, "grad_clip_params": {"max_norm": MAX_NORM}} if in_callback else {}
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        dl.SupervisedRunner().train(
            model=model,
            criterion=torch.nn.MSELoss(),
            optimizer=optimizer,
            loaders={"train": torch.utils.data.DataLoader(data, batch_size=4)},
            num_epochs=1,
            callbacks=[dl.OptimizerCallback(metric_key="loss", **clipping)],
        )
    return torch.stack(places).diff(dim=0), [str(w.message) for w in caught if "clip" in str(w.message).lower()]


plain, clipped, hooked = train(), train(in_callback=True), train(in_hook=True)
print(f"catalyst {version('catalyst')}: the largest norm of a step's gradients, to be clipped to {MAX_NORM}")
for label, (ways, told) in {"without": plain, "OptimizerCallback": clipped, "a hook": hooked}.items():
    print(f"  {label:18}{ways.norm(dim=1).max().item() / LR:.3g}")
    if told:
        sys.exit(f"CHANGED: it warns: {told}")
if plain[0].shape[0] != STEPS or plain[0].norm(dim=1).max() / LR < 100:
    sys.exit("CHANGED: another run")
if not torch.equal(plain[0], clipped[0]):
    sys.exit("CHANGED: the callback clips")
if hooked[0].norm(dim=1).max() / LR > 1.01 * MAX_NORM:
    sys.exit("CHANGED: a hook does not clip")
print("as described: no gradient is clipped")
PROGRAM
"$home/venv/bin/python" "$home/program.py"
