"""Parameters that stand still for a while, and states that start anew (F1, F4, F5, F6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import torch
from torch.optim.optimizer import Optimizer

from adamcore.backends.torch.optimizer.param_groups import Group
from adamcore.backends.torch.optimizer.state import restart
from adamcore.errors import ParameterError, StateError

Params = torch.Tensor | str | Iterable[torch.Tensor | str]  #: a parameter, its name, or several


def frozen_params(group: Mapping[str, Any]) -> list[torch.Tensor]:
    """Return the parameters of a group that are frozen."""
    return [group["params"][k] for k in group["frozen"]]


class Freezing(Optimizer):
    """The methods ``freeze``, ``thaw`` and ``reset`` of an optimizer whose groups have a ``"frozen"``."""

    def freeze(self, params: Params) -> None:
        """Let parameters stand still, whatever their gradients, until :meth:`thaw`.

        As if their gradients were None under ``missing="skip"``: parameter, moments and clock stay as
        they are (F1); a global clock goes on (F6).  Kept in the group's ``"frozen"``, and so in the
        ``state_dict``.

        Args:
            params: a parameter, its name (where the optimizer was given names), or several.

        Raises:
            ParameterError: this optimizer has no such parameter.

        Example:
            >>> from adamcore.backends.torch.optimizer.optimizer import Adam
            >>> b, c = (torch.nn.Parameter(torch.ones(1)) for _ in "bc")
            >>> opt = Adam([b, c], lr=0.1)
            >>> opt.freeze(c)
            >>> b.grad = c.grad = torch.ones(1)
            >>> opt.step()
            >>> round(b.item(), 6), c.item()
            (0.9, 1.0)
        """
        for group, places in self._places(params):
            group["frozen"] = tuple(sorted({*group["frozen"], *places}))

    def thaw(self, params: Params | None = None, how: Literal["keep", "reset"] = "keep") -> None:
        """Let frozen parameters move again (F5).

        Args:
            params: as in :meth:`freeze`; None for all that are frozen.
            how: "keep" goes on with the state where it stopped, "reset" starts it anew.

        Raises:
            ParameterError: this optimizer has no such parameter.
            StateError: ``how`` is neither, or as :meth:`reset`.
        """
        if how not in ("keep", "reset"):
            raise StateError(f"how={how!r}: expected 'keep' or 'reset'")
        chosen = [
            (group, [k for k in places if k in group["frozen"]]) for group, places in self._places(params)
        ]
        if how == "reset":
            self.reset([group["params"][k] for group, places in chosen for k in places])
        for group, places in chosen:
            group["frozen"] = tuple(k for k in group["frozen"] if k not in places)

    def reset(self, params: Params | None = None, clock: Literal["reset", "keep"] = "reset") -> None:
        """Put the state back at the start: moments, maximum *and clock* (F4).

        Args:
            params: as in :meth:`freeze`; None for all.
            clock: "keep" leaves the clocks as they are.

        Raises:
            ParameterError: this optimizer has no such parameter.
            StateError: a part of a group with ``clock="global"`` without ``clock="keep"``.
        """
        if clock not in ("reset", "keep"):
            raise StateError(f"clock={clock!r}: expected 'reset' or 'keep'")
        chosen = self._places(params)
        for i, (group, places) in enumerate(chosen):
            if group["clock"] == "global" and clock == "reset" and 0 < len(places) < len(group["params"]):
                raise StateError(
                    f"reset of {len(places)} of the {len(group['params'])} parameters of param_groups[{i}], "
                    "which have one clock (clock='global'): name them all, or keep it with clock='keep'"
                )
        for group, places in chosen:
            for k in places:
                restart(self.state.get(group["params"][k], {}), clock)
            if group["clock"] == "global" and places:
                restart({n: group[n] for n in ("step", "mu_product") if n in group}, clock)

    def _places(self, params: Params | None) -> list[tuple[Group, list[int]]]:
        """Each group with the positions in it of the parameters named."""
        if params is None:
            return [(group, list(range(len(group["params"])))) for group in self.param_groups]
        wanted = [params] if isinstance(params, torch.Tensor | str) else list(params)
        found: list[tuple[Group, list[int]]] = []
        seen: set[int] = set()
        for group in self.param_groups:
            names = group.get("param_names", [None] * len(group["params"]))
            places = []
            for k, (p, name) in enumerate(zip(group["params"], names, strict=True)):
                hits = [j for j, w in enumerate(wanted) if w is p or (isinstance(w, str) and w == name)]
                seen.update(hits)
                places += [k] if hits else []
            found.append((group, places))
        for j, w in enumerate(wanted):
            if j not in seen:
                what = (
                    repr(w) if isinstance(w, str) else f"{type(w).__name__} {tuple(getattr(w, 'shape', ()))}"
                )
                raise ParameterError(
                    f"params[{j}] ({what}) is no parameter of this optimizer: expected its own tensors "
                    "(they are compared by identity) or the names it was given"
                )
        return found
