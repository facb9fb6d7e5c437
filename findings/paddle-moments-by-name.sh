#!/bin/bash
# Paddle: Adam's moments come back to other layers, if the layers were made in another order.
#
# Versions:  paddlepaddle 3.3.1, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: A network's state_dict names weights by attributes ("encoder.weight"), an optimizer's by the order in which
#            layers were made in the process ("linear_0.w_0_moment1_0"). Where __init__ makes its layers in another order
#            than it did when the checkpoint was saved, weights go to their places, and the moments of layers of one shape
#            to each other's, without an error. (A second network in the process has names that the checkpoint has not;
#            then there is an AssertionError.)
# Source:    paddle/optimizer/optimizer.py, set_state_dict and _add_accumulator: found by param.name.
# Advice:    Give names: nn.Linear(4, 4, weight_attr=paddle.ParamAttr(name="encoder.w"), bias_attr=...), or rename the
#            keys of the optimizer's state by the order of network.named_parameters() before it is saved.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet paddlepaddle==3.3.1 numpy==2.4.6 setuptools || exit 2
cat > "$home/program.py" <<'PROGRAM'
import sys

import numpy as np
import paddle
from paddle import nn
from paddle.utils import unique_name


class Network(nn.Layer):
    def __init__(self, order, named):
        super().__init__()
        for name in order:
            attr = {kind + "_attr": paddle.ParamAttr(name=f"{name}.{kind}") for kind in ("weight", "bias") if named}
            setattr(self, name, nn.Linear(4, 4, **attr))

    def forward(self, x):
        return self.decoder(paddle.tanh(self.encoder(x)))


def started(order, named):
    """Return a network and its optimizer, as a new process makes them."""
    unique_name.switch()
    network = Network(order, named)
    return network, paddle.optimizer.AdamW(0.01, parameters=network.parameters())


def trained(network, optimizer, steps):
    """Return a step's effect on the encoder at the end."""
    x = paddle.to_tensor(np.random.RandomState(0).randn(8, 4).astype("float32"))
    for _ in range(steps):
        before = network.encoder.weight.numpy().copy()
        ((network(x) - 1) ** 2).mean().backward()
        optimizer.step()
        optimizer.clear_grad()
    return network.encoder.weight.numpy() - before


print(f"paddlepaddle {paddle.__version__}: five steps, a checkpoint, and the sixth step of the encoder's weight")
orders = ("encoder", "decoder"), ("decoder", "encoder")
for named in False, True:
    network, optimizer = started(orders[0], named)
    trained(network, optimizer, 5)
    paddle.save([network.state_dict(), optimizer.state_dict()], "checkpoint")
    right = trained(network, optimizer, 1)
    for order in orders:
        network, optimizer = started(order, named)
        weights, moments = paddle.load("checkpoint")
        network.set_state_dict(weights)
        optimizer.set_state_dict(moments)
        wrong = abs(trained(network, optimizer, 1) - right).max() / abs(right).max()
        print(f"  {'with names' if named else 'as usual'}, made again in the order {order}: off by {wrong:.0%}")
        if (wrong > 0.1) != (order == orders[1] and not named) or 0 < wrong < 1e-3:
            sys.exit("CHANGED: the sixth step is another")
print("as described: moments follow the order in which layers are made")
PROGRAM
cd "$home"
venv/bin/python -W ignore program.py
