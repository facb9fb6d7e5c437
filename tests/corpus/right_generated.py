"""Right Adams in orders of evaluation that a generator has drawn (orders.py)."""

from __future__ import annotations

import adams
from orders import reordered
from register import right

SEEDS = {
    adams.AdamW: range(12), adams.Adam: range(8), adams.AMSGrad: range(5), adams.NAdam: range(5),
    adams.Keras: range(4), adams.Optax: range(4), adams.OptaxAMSGrad: range(4), adams.OptaxNAdam: range(4),
    adams.TimmNAdam: range(2), adams.Uncorrected: range(2), adams.Unscaled: range(2), adams.Late: range(2),
}  # fmt: skip
for base, seeds in SEEDS.items():
    for seed in seeds:
        made = reordered(base, seed, __name__)
        globals()[made.__name__] = right()(made)
