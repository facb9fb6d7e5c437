"""A small training of PyTorch to which random things happen."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st

from adamcore.backends.torch import AdamW
from adamcore.errors import AdamcoreError

#: Values that a scheduler, a person or a file may put into a group, right and wrong.
SETTINGS: dict[str, list[Any]] = {
    "lr": [1e-3, 0.0, 0.5, -1.0, float("nan"), None, "0.1", torch.tensor(0.25), np.float32(0.5), 10**400],
    "betas": [(0.5, 0.75), (0.9, 1.0), (0.9,), "0.9", None, (torch.tensor(0.5), 0.9), [0.25, 0.5]],
    "eps": [1e-8, 0.0, -1.0, None, "x", 1e-3, np.float64(1e-4)],
    "weight_decay": [0.0, 0.25, -0.1, None, float("inf"), torch.tensor(0.5)],
    "maximize": [True, False, None, 1],
    "amsgrad": [True, False],
    "foreach": [None, True, False],
}
GRADIENTS = ("some", "none", "zero", "nan", "absent", "other-shape", "other-dtype", "sparse", "strided")


class Training:
    """An optimizer with three parameters, and what can be done to it.

    Args:
        ours: our AdamW; otherwise PyTorch's.
    """

    def __init__(self, ours: bool = True) -> None:
        generator = torch.Generator().manual_seed(3)
        self.ours = ours
        self.params = [
            torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in ((2, 3), (4,), ())
        ]
        groups: list[dict[str, Any]] = [
            {"params": self.params[:2]},
            {"params": self.params[2:], "weight_decay": 0.0},
        ]
        self.optimizer: Any = AdamW(groups) if ours else torch.optim.AdamW(groups)
        self.saved: Any = None

    def named(self) -> dict[str, torch.Tensor]:
        return {f"p{k}": p for k, p in enumerate(self.params)}

    def acts(self) -> st.SearchStrategy[tuple[Any, ...]]:
        """Return a strategy of what can be done: a word and its arguments."""
        groups = st.integers(0, 1)
        settings = st.sampled_from(sorted(SETTINGS)).flatmap(
            lambda name: st.tuples(
                st.just("set"), groups, st.just(name), st.integers(0, len(SETTINGS[name]) - 1)
            )
        )
        acts = [
            st.tuples(st.just("step"), st.lists(st.sampled_from(GRADIENTS), min_size=3, max_size=3)),
            st.tuples(st.just("step"), st.just(["some"] * 3)),
            settings,
            st.tuples(st.sampled_from(["save", "load", "pickle", "add", "drop", "zero"])),
        ]
        if self.ours:
            acts.append(
                st.tuples(st.sampled_from(["freeze", "thaw", "reset", "init_state"]), st.integers(-1, 3))
            )
        return st.one_of(acts)

    def do(self, word: str, *rest: Any) -> str:
        """Do it, and return "" or the name of the error that it raised."""
        try:
            getattr(self, f"do_{word}")(*rest)
        except (AdamcoreError, TypeError, ValueError, ArithmeticError, RuntimeError, LookupError) as error:
            return type(error).__name__
        return ""

    def do_step(self, kinds: list[str]) -> None:
        for k, (p, kind) in enumerate(zip(self.params, kinds, strict=False)):
            p.grad = None
            wave = torch.sin(torch.arange(1.0, p.numel() + 1).reshape(p.shape) + k)
            if kind == "zero":
                wave = torch.zeros_like(wave)
            elif kind == "nan":
                wave = wave * float("nan")
            elif kind == "strided" and p.ndim == 2:
                wave = wave.t().contiguous().t()
            elif kind == "sparse" and p.ndim == 2:
                wave = wave.to_sparse()
            if kind not in ("none", "absent"):
                p.grad = wave
        self.optimizer.step()

    def do_set(self, group: int, name: str, value: int) -> None:
        groups = self.optimizer.param_groups
        groups[group % len(groups)][name] = SETTINGS[name][value]

    def do_save(self) -> None:
        self.saved = copy.deepcopy(self.optimizer.state_dict())

    def do_load(self) -> None:
        if self.saved is not None:
            self.optimizer.load_state_dict(self.saved)

    def do_pickle(self) -> None:
        self.optimizer.load_state_dict(pickle.loads(pickle.dumps(self.optimizer.state_dict())))

    def do_add(self) -> None:
        new = torch.nn.Parameter(torch.ones(2))
        self.optimizer.add_param_group({"params": [new], "lr": 0.125})
        self.params.append(new)

    def do_drop(self) -> None:
        if len(self.optimizer.param_groups) > 1:
            self.optimizer.param_groups.pop()

    def do_zero(self) -> None:
        self.optimizer.zero_grad()

    def do_freeze(self, which: int) -> None:
        self.optimizer.freeze([self.params[which]] if 0 <= which < len(self.params) else "nobody")

    def do_thaw(self, which: int) -> None:
        self.optimizer.thaw([self.params[which]] if 0 <= which < len(self.params) else "nobody")

    def do_reset(self, which: int) -> None:
        self.optimizer.reset([self.params[which]] if 0 <= which < len(self.params) else None)

    def do_init_state(self, _: int) -> None:
        self.optimizer.init_state()

    def bits(self) -> bytes:
        """Return the parameters and what the optimizer keeps of them, bit for bit.

        A state of zeros is as none: a step makes it before it looks at what may be wrong.
        """
        parts = [p.detach().numpy().tobytes() for p in self.params]
        for k, p in enumerate(self.params):
            for name, value in sorted(self.optimizer.state.get(p, {}).items()):
                if isinstance(value, torch.Tensor) and value.any():
                    parts.append(f"{k} {name} ".encode() + value.detach().numpy().tobytes())
        return b"".join(parts)
