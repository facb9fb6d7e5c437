"""The reference Adams themselves, one for each claim: all right, as they stand."""

from __future__ import annotations

import adams
from register import right

for made in (
    adams.Adam, adams.AdamW, adams.AMSGrad, adams.Ascent, adams.NAdam, adams.Apex, adams.Keras, adams.Optax,
    adams.OptaxAMSGrad, adams.OptaxNAdam, adams.TimmNAdam, adams.Uncorrected, adams.Unscaled, adams.Late,
):  # fmt: skip
    right()(made)
