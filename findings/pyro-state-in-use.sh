#!/bin/bash
# Pyro: loading the state of an optimizer that has made a step does nothing.
#
# Versions:  pyro-ppl 1.9.2, torch 2.13.0, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: PyroOptim.set_state and load put the state aside for parameters that the optimizer has not seen. To those that
#            it has seen they give nothing: a run that goes back to a checkpoint, with the weights copied in place as
#            Module.load_state_dict does, goes on with the moments and the clock that it had, of the steps
#            that were to be undone. Nothing warns. The same calls work on a new optimizer, and after
#            ParamStore.set_state, which makes new tensors.
# Source:    pyro/optim/optim.py: set_state fills _state_waiting_to_be_consumed, which __call__ reads for new parameters.
# Advice:    Make a new optimizer with the same arguments, and load into that.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet pyro-ppl==1.9.2 torch==2.13.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import copy
import math
import sys

import pyro
import torch


def stepped(optimizer, gradient):
    """Return how far a step moves the parameter."""
    p = pyro.param("p").unconstrained()
    before, p.grad = p.detach().clone(), torch.full_like(p, gradient)
    optimizer([p])
    return (p.detach() - before).item()


def adam():
    return pyro.optim.Adam({"lr": 0.1})


def gone_back(how):
    """Return the sixth step of a run, that step after a return to the fifth, and the clock after it."""
    pyro.clear_param_store()
    pyro.param("p", torch.zeros(1))
    optimizer = adam()
    for _ in range(5):
        stepped(optimizer, 1.0)
    state, store = copy.deepcopy(optimizer.get_state()), copy.deepcopy(pyro.get_param_store().get_state())
    sixth = stepped(optimizer, -1.0)
    for _ in range(20):
        stepped(optimizer, -100.0)
    if how == "a new optimizer":
        optimizer = adam()
    if how == "the same, ParamStore.set_state":
        pyro.get_param_store().set_state(store)
    else:
        with torch.no_grad():
            pyro.param("p").unconstrained().copy_(store["params"]["p"])
    optimizer.set_state(state)
    again = stepped(optimizer, -1.0)
    [found] = optimizer.get_state().values()
    return sixth, again, int(found["state"][0]["step"])


print(f"pyro {pyro.__version__}, torch {torch.__version__}: the sixth step, and once more after a return to the fifth")
for how in "the same optimizer", "a new optimizer", "the same, ParamStore.set_state":
    sixth, again, clock = gone_back(how)
    print(f"  {how:32} {sixth:+.4f} {again:+.4f}, clock {clock}")
    lost = how == "the same optimizer"
    if clock != (27 if lost else 6) or math.isclose(sixth, again, rel_tol=1e-4) == lost:
        sys.exit("CHANGED: another state is loaded")
print("as described: an optimizer in use keeps its state")
PROGRAM
"$home/venv/bin/python" -W ignore "$home/program.py"
