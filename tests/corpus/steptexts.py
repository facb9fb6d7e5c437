"""The step of Adam as a text in several dialects, each line with the part of the definition it stands for."""

from __future__ import annotations

from typing import NamedTuple

from blind_frame import FIVE, Frame
from fourth_blind_frame import Common, Keras, Optax

Line = tuple[str, str]  #: the areas of a line, and its text

M = ("moments", "m = b1 * m + (1 - b1) * g")
V = ("moments", "v = b2 * v + ((1 - b2) * g) * g")
C1 = ("bias_correction", "c1 = 1 - b1 ** t")
C2 = ("bias_correction", "c2 = 1 - b2 ** t")
M_HAT = ("bias_correction", "m_hat = m / c1")
ROOT = ("bias_correction moments", "root = sqrt(v) / sqrt(c2)")
EPS = ("epsilon", "d = root + eps")
STEP = ("moments", "p = p - lr * (m_hat / d)")
DECAY = ("decay", "p = p - lr * wd * p")
L2 = ("decay", "g = g + wd * p")
TOP = ("amsgrad moments", "top = maximum(top, v)")


class Dialect(NamedTuple):
    """A dialect: the class that keeps the state, and the lines of a step."""

    frame: type[Frame]
    claim: str
    options: dict[str, str]
    lines: tuple[Line, ...]
    hyper: tuple[str, ...] = FIVE


ADAMW = (M, V, C1, C2, M_HAT, ROOT, EPS, DECAY, STEP)
ADAM = (L2, M, V, C1, C2, M_HAT, ROOT, EPS, STEP)
HAT_ROOT = ("epsilon bias_correction moments", "root = (sqrt(v) + eps) / sqrt(c2)")
DIALECTS: tuple[Dialect, ...] = (
    Dialect(Frame, "torch.AdamW", {}, ADAMW),
    Dialect(Frame, "torch.AdamW", {}, ADAMW),
    Dialect(Frame, "torch.Adam", {}, ADAM),
    Dialect(Frame, "torch.Adam", {"amsgrad": "True"},
            (L2, M, V, TOP, C1, C2, M_HAT, ("bias_correction amsgrad moments", "root = sqrt(top) / sqrt(c2)"),
             EPS, STEP)),
    Dialect(Frame, "torch.AdamW", {"maximize": "True"}, (("maximize", "g = -g"), *ADAMW)),
    Dialect(Frame, "timm.NAdamW", {},
            (M, V, C1, C2, ("nesterov bias_correction", "m_hat = (b1 * m + (1 - b1) * g) / c1"), ROOT, EPS,
             DECAY, STEP)),
    Dialect(Frame, "torch.NAdam", {},
            (L2, M, V, C2, ("nesterov", "now = b1 * (1 - 0.5 * 0.96 ** (t * md))"),
             ("nesterov", "after = b1 * (1 - 0.5 * 0.96 ** ((t + 1) * md))"), ("nesterov", "mu = mu * now"),
             ("nesterov bias_correction",
              "m_hat = after / (1 - mu * after) * m + (1 - now) / (1 - mu) * g"), ROOT, EPS, STEP),
            (*FIVE, "momentum_decay")),
    Dialect(Common, "apex.FusedAdam", {}, ADAMW),
    Dialect(Keras, "keras.AdamW", {},
            (M, V, C1, C2, M_HAT, HAT_ROOT, DECAY, ("moments", "p = p - lr * (m_hat / root)"))),
    Dialect(Optax, "optax.adamw", {},
            (M, V, C1, C2, M_HAT, ("bias_correction moments", "v_hat = v / c2"),
             ("epsilon", "d = sqrt(v_hat + eps_root) + eps"), DECAY, STEP), (*FIVE, "eps_root")),
    Dialect(Frame, "BertAdam", {},
            (M, V, ("epsilon moments", "d = sqrt(v) + eps"), DECAY, ("moments", "p = p - lr * (m / d)"))),
    Dialect(Frame, "paper.AdamW", {},
            (M, V, C1, C2, M_HAT, ROOT, EPS, ("decay", "p = p - wd * p"), STEP)),
)  # fmt: skip
"""Each dialect; the most frequent ones twice."""
