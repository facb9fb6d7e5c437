#!/bin/bash
# PyTorch: an exponential average of buffers counts indices down by one, and leaves counters behind.
#
# Versions:  torch 2.13.0, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: AveragedModel(model, ..., use_buffers=True) with get_ema_multi_avg_fn or get_ema_avg_fn averages whole numbers
#            as floats and cuts off what is behind the point. An index that never changes, as in Swin's
#            relative_position_index or a table of position_ids, is averaged with itself; 0.9*i + 0.1*i is less than i for
#            280 of the numbers under 1000, and these become i-1 in the second update: the average looks up its
#            neighbours' rows. So it is with the decays 0.9 (of the documentation's example), 0.9995 and 0.9999; with 0.99,
#            0.995 and 0.999 no number under 1000 is hit. A counter (num_batches_tracked) stays where it is until the
#            model's is 1/(1-decay) ahead: with 0.999 at 1 for the first 1000 batches. Nothing warns, and the training
#            model is not touched.
# Source:    torch/optim/swa_utils.py: ema_update, where tensors are no floats, copies
#            p_ema*decay + p_model*(1-decay), a float, into p_ema.
# Advice:    Copy the buffers that hold whole numbers from the model after update_parameters. Lightning's
#            WeightAveraging has use_buffers=True by default.
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
from torch.optim import swa_utils


class Network(torch.nn.Module):
    """A bias for each of 1000 positions, looked up by a table of indices, and a normalization."""

    def __init__(self):
        super().__init__()
        self.bias = torch.nn.Parameter(torch.arange(1000.0))
        self.register_buffer("index", torch.arange(1000))
        self.norm = torch.nn.BatchNorm1d(3)

    def forward(self):
        return self.bias[self.index]


def averaged(functions, decay, batches):
    """Return how many outputs are others', by how much at most, and the count of batches, of the average."""
    network = Network()
    name = "multi_avg_fn" if functions is swa_utils.get_ema_multi_avg_fn else "avg_fn"
    average = swa_utils.AveragedModel(network, use_buffers=True, **{name: functions(decay)})
    for _ in range(batches):
        network.norm(torch.ones(2, 3))
        average.update_parameters(network)
    if not torch.equal(network(), torch.arange(1000.0)):
        sys.exit("CHANGED: the training model is another one")
    off = network() - average()  # the biases are the numbers of their positions
    return (off >= 0.5).sum().item(), round(off.max().item()), average.module.norm.num_batches_tracked.item()


expected = {  # decay: outputs that are others', by how many positions, the count of 100 batches
    0.9: (280, 1, 90),
    0.99: (0, 0, 1),
    0.995: (0, 0, 1),
    0.999: (0, 0, 1),
    0.9995: (301, 1, 1),
    0.9999: (198, 1, 1),
}
print(f"torch {torch.__version__}: 1000 positions after 100 updates with a model that stays as it is")
for functions in swa_utils.get_ema_multi_avg_fn, swa_utils.get_ema_avg_fn:
    for decay, described in expected.items():
        found = averaged(functions, decay, 100)
        print(f"  {functions.__name__}({decay}): {found[0]} are off by {found[1]}; {found[2]} of 100 batches counted")
        if found != described:
            sys.exit("CHANGED")
print("as described: the average of an index with itself is another index")
PROGRAM
"$home/venv/bin/python" -W error "$home/program.py"
