#!/bin/bash
# transformers: which norms the Trainer decays depends on what they are called.
#
# Versions:  transformers 5.24.0, torch 2.13.0, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: Trainer leaves weight decay off "bias" and "norm" parameters: those of nn.LayerNorm, and those whose names
#            have "bias", "layernorm", "rmsnorm", or a part that is "norm" or ends in "_norm". RMSNorm is no
#            nn.LayerNorm, so that a name decides, and names differ within one model:
#            - Qwen2.5-VL: norms of the language model do not decay, those of its vision tower (norm1, norm2, ln_q) do;
#              in Qwen2-VL, whose vision tower has LayerNorm, none does;
#            - Mamba: norms of the layers (norm) do not decay, the last one (norm_f) does, as do A_log and D;
#            - ResNet: every BatchNorm (normalization) decays.
#            Matrices are left out as well: T5's table of relative positions (relative_attention_bias) does not decay.
# Source:    transformers/trainer.py, get_decay_parameter_names. huggingface/transformers#35927 brought the names in.
# Advice:    Give the Trainer an optimizer with groups of your own. To go on elsewhere, read the groups in optimizer.pt;
#            a mask by dimensions (all matrices) is another one.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet transformers==5.24.0 torch==2.13.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import sys

import torch
import transformers
from transformers import AutoModel, Trainer


def parameters(name):
    """Return the shapes of a model's parameters by name, and the names that decay; no values are made."""
    config = getattr(transformers, name + "Config")()
    for part in (config, getattr(config, "text_config", None), getattr(config, "vision_config", None)):
        for depth in ("num_hidden_layers", "num_layers", "depth"):
            if hasattr(part, depth):
                setattr(part, depth, 1)
    with torch.device("meta"):
        model = AutoModel.from_config(config)
    decaying = set(Trainer.get_decay_parameter_names(None, model))
    return {name: p.ndim for name, p in model.named_parameters()}, decaying


expected = {  # vectors that decay, some that do not, and matrices that do not
    "Qwen2VL": ([], ["visual.blocks.0.norm1.weight", "language_model.norm.weight"], []),
    "Qwen2_5_VL": (
        ["visual.blocks.0.norm1.weight", "visual.blocks.0.norm2.weight", "visual.merger.ln_q.weight"],
        ["language_model.layers.0.input_layernorm.weight", "language_model.norm.weight"],
        [],
    ),
    "Mamba": (["layers.0.mixer.D", "norm_f.weight"], ["layers.0.norm.weight"], []),
    "T5": ([], ["encoder.block.0.layer.0.layer_norm.weight"], ["SelfAttention.relative_attention_bias.weight"]),
}
print(f"transformers {transformers.__version__}")
for name, (vectors, others, matrices) in expected.items():
    ndims, decaying = parameters(name)
    found = sorted(p for p, ndim in ndims.items() if p in decaying and ndim < 2)
    left = {p for p, ndim in ndims.items() if p not in decaying and ndim > 1}
    print(f"  {name}: vectors that decay: {found}; matrices that do not: {sorted(left)}")
    if found != vectors or not set(others) <= ndims.keys() - decaying:
        sys.exit("CHANGED: other vectors decay")
    if {p.split(".0.")[-1] for p in left} != set(matrices):
        sys.exit("CHANGED: other matrices are left out")
ndims, decaying = parameters("ResNet")
norms = {p for p in ndims if p.endswith("normalization.weight")}
print(f"  ResNet: {len(norms & decaying)} of {len(norms)} BatchNorms decay")
if not norms or not norms <= decaying:
    sys.exit("CHANGED: BatchNorms do not decay")
print("as described: the name decides")
PROGRAM
HF_HUB_OFFLINE=1 TRANSFORMERS_VERBOSITY=error "$home/venv/bin/python" -W ignore "$home/program.py"
