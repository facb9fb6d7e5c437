"""The anatomy of a candidate: each part of the definition with its measured value (docs/anatomy.md).

:mod:`experiments` has the runs in which a part shows alone, :mod:`readings` what they show directly,
:mod:`parts` the measured values and the claim's, :mod:`equations` the update rule as text.
"""
