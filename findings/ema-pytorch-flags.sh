#!/bin/bash
# ema-pytorch, vector-quantize-pytorch: an averaged VQ-VAE makes a new codebook of the first batch that it is given.
#
# Versions:  ema-pytorch 0.8.3, vector-quantize-pytorch 1.32.0, torch 2.13.0, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: EMA averages the buffers that are floats and leaves all others as they were when it was made, also those that
#            param_or_buffer_names_no_ema names, which are to be copied. VectorQuantize(kmeans_init=True) has a bool, initted,
#            which stays False in the average. So the average of a trained model throws its averaged codebook away, forms
#            another by k-means out of the first batch that it sees, in eval() too, and keeps that. Its codes have
#            nothing to do with those of the model: 7 % of them are the same, about as many as by chance, where it is 96 % if
#            the codebook is averaged. Another first batch makes other codes. Losses look normal, and nothing warns.
#            PyTorch's AveragedModel copies such buffers.
# Source:    ema_pytorch/ema_pytorch.py: init_ema, buffer_names. vector_quantize_pytorch/vector_quantize_pytorch.py: init_embed_.
# Advice:    Make the EMA with lazy_init_ema=True, or once the model has been called.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 || exit 2
"$home/venv/bin/pip" install --quiet ema-pytorch==0.8.3 vector-quantize-pytorch==1.32.0 torch==2.13.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import sys
import warnings
from importlib.metadata import version

import torch
from ema_pytorch import EMA
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from vector_quantize_pytorch import VectorQuantize

warnings.simplefilter("error")
data = torch.randn(512, 32, 8, generator=torch.Generator().manual_seed(0))


class Network(torch.nn.Module):
    """An encoder, a codebook of 16 vectors, and a decoder."""

    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = torch.nn.Linear(8, 4), torch.nn.Linear(4, 8)
        self.quantizer = VectorQuantize(dim=4, codebook_size=16, kmeans_init=True)

    def forward(self, inputs):
        quantized, codes, commitment = self.quantizer(self.encoder(inputs))
        return self.decoder(quantized), codes, commitment.sum()

    def codebook(self):
        return self.quantizer.codebook.clone()


def trained(make, called=False):
    """Return a trained network, and its average."""
    torch.manual_seed(0)
    network = Network()
    if called:
        network(data[:16])
    average = make(network)
    update = average.update if isinstance(average, EMA) else lambda: average.update_parameters(network)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    for step in range(300):
        batch = data[torch.randint(len(data), (16,))]
        output, _, commitment = network(batch)
        loss = (output - batch).square().mean() + commitment
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        update()
    return network.eval(), average.ema_model.eval() if isinstance(average, EMA) else average.module.eval()


def ema(network, **settings):
    return EMA(network, beta=0.9, update_after_step=10, update_every=1, **settings)


def ema_with_a_copy(network):
    return ema(network, param_or_buffer_names_no_ema={"quantizer._codebook.initted"})


def ema_lazily(network):
    return ema(network, lazy_init_ema=True)


def torchs(network):
    return AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.9))


cases = [(ema, {}, True), (ema_with_a_copy, {}, True)]
cases += [(ema, {"called": True}, False), (ema_lazily, {}, False), (torchs, {}, False)]
print(f"ema-pytorch {version('ema-pytorch')}, vector-quantize-pytorch {version('vector-quantize-pytorch')}")
for make, settings, anew in cases:
    network, average = trained(make, **settings)
    before = average.codebook()
    with torch.no_grad():
        first, second = average(data[:256])[1], average(data[:256])[1]
        same = (network(data[:256])[1] == first).float().mean()
    changed = not torch.equal(before, average.codebook())
    name = f"{make.__name__}{', of a model that was called' * bool(settings)}"
    print(f"  {name}: a new codebook: {changed}; {same:.0%} of its codes are the model's")
    if changed != anew or (same < 0.3) != anew or not torch.equal(first, second):
        sys.exit("CHANGED")
print("as described: the average makes a codebook of its own")
PROGRAM
"$home/venv/bin/python" "$home/program.py"
