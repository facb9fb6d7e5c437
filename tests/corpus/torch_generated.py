"""Right Adams in orders of evaluation that a generator has drawn, in PyTorch."""

from __future__ import annotations

import adams
import torch
from flat import A
from orders import reordered
from register import right
from torch import Tensor


class TorchForms:
    """The functions of a form in PyTorch, those of several operations too."""

    sqrt, maximum = torch.sqrt, torch.maximum

    @staticmethod
    def array(x: A) -> Tensor:
        return torch.tensor(x)

    @staticmethod
    def fma(a: float | Tensor, x: Tensor, y: Tensor) -> Tensor:
        return torch.addcmul(y, a, x) if isinstance(a, Tensor) else torch.add(y, x, alpha=a)

    @staticmethod
    def lerp(old: Tensor, new: Tensor, weight: float, keep: float) -> Tensor:
        return torch.lerp(old, new, weight)

    @staticmethod
    def addcmul(x: Tensor, a: Tensor, b: Tensor, k: float) -> Tensor:
        return torch.addcmul(x, a, b, value=k)

    @staticmethod
    def addcdiv(x: Tensor, a: Tensor, b: Tensor, k: float) -> Tensor:
        return torch.addcdiv(x, a, b, value=k)


for base in (adams.AdamW, adams.Adam, adams.NAdam):
    made = reordered(base, 100, __name__, TorchForms)
    globals()[made.__name__] = right()(made)
