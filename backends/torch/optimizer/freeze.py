"""The methods that freeze parameters, thaw them, and reset their state (rules F1, F4, F5 and F6)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import torch
from torch.optim.optimizer import Optimizer

from adamcore.backends.torch.optimizer.group_keys import Group, complete
from adamcore.backends.torch.optimizer.snapshot import Snapshots
from adamcore.backends.torch.optimizer.state import restart
from adamcore.errors import ParameterError, StateError

One = torch.Tensor | torch.nn.Module | str  #: a parameter, a module, a name or the start of one up to a dot
Params = One | Iterable[One]


def frozen_params(group: Mapping[str, Any]) -> list[torch.Tensor]:
    """Return the parameters of a group that are frozen."""
    return list(group.get("frozen", ()))


def thawed(group: Group, params: Iterable[torch.Tensor]) -> tuple[torch.Tensor, ...]:
    """Return the frozen parameters of a group without the given ones."""
    gone = set(map(id, params))
    return tuple(p for p in group.get("frozen", ()) if id(p) not in gone)


def set_frozen(group: Group, params: tuple[torch.Tensor, ...]) -> None:
    """Make these the frozen parameters of a group; without any it has no such key, like PyTorch's."""
    if params:
        group["frozen"] = params
    else:
        group.pop("frozen", None)


def names_of(group: Mapping[str, Any], known: Mapping[torch.Tensor, str]) -> list[str | None]:
    """Return the name of each parameter of a group, None for one without a name.

    Args:
        group: a group, whose list ``"params"`` may have been edited.
        known: the names of parameters; of others the group's ``"param_names"`` tell the name.
    """
    listed = group.get("param_names", ())
    fresh = listed if len(listed) == len(group["params"]) else [None] * len(group["params"])
    return [known.get(p, name) for p, name in zip(group["params"], fresh, strict=True)]


def belongs_to(wanted: object) -> Callable[[torch.Tensor, str | None], bool]:
    """Return the test whether a parameter with that name is, or belongs to, what is wanted."""
    if isinstance(wanted, str):
        return lambda p, name: name is not None and (name == wanted or name.startswith(wanted + "."))
    members = set(map(id, wanted.parameters())) if isinstance(wanted, torch.nn.Module) else {id(wanted)}
    return lambda p, name: id(p) in members


def restore_frozen(group: Group) -> None:
    """Make a group's "frozen" the parameters that stand at the positions given there, as in a state_dict."""
    members = group["params"]
    set_frozen(group, tuple(members[x] if isinstance(x, int) else x for x in group.get("frozen", ())))


class FreezableOptimizer(Optimizer):
    """An optimizer with the methods ``freeze``, ``thaw`` and ``reset``.

    A group's ``"frozen"`` is a tuple of those of its parameters that are frozen, if there are any.  The
    tensors themselves are kept, so a change of the list ``"params"`` freezes no other parameter.
    Names belong to tensors likewise, although PyTorch keeps them in a list beside ``"params"``.
    """

    _snapshots: Snapshots
    _names: dict[torch.Tensor, str]  #: the parameters that were given with a name
    rules: Group  #: the settings that a parameter group leaves out

    def __repr__(self) -> str:
        """Return the settings of the groups, as PyTorch's optimizers do; frozen parameters as positions."""
        lines = []
        for i, group in enumerate(self.param_groups):
            frozen = set(map(id, frozen_params(group)))
            shown = {k: v for k, v in group.items() if k != "params"}
            if frozen:
                shown["frozen"] = tuple(k for k, p in enumerate(group["params"]) if id(p) in frozen)
            lines += [f"Parameter Group {i}", *(f"    {k}: {shown[k]}" for k in sorted(shown)), ""]
        return "\n".join([f"{type(self).__name__} (", *lines[:-1], ")"])

    def freeze(self, params: Params) -> None:
        """Keep parameters as they are until :meth:`thaw`, whatever their gradients are.

        Parameters, moments and clocks of their own stay as they are, as if the gradients were None under
        ``missing="skip"`` (rule F1).  A global clock goes on (rule F6).  The ``state_dict`` says which
        parameters are frozen.

        Args:
            params: a parameter; a module, for all its parameters that the optimizer has; if the optimizer
                was given names, a name, or "layer" for all names that start with "layer."; or several
                of these.

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
        for group, positions in self._positions(params):
            chosen = [group["params"][k] for k in positions]
            set_frozen(group, (*thawed(group, chosen), *chosen))

    def thaw(self, params: Params | None = None, how: Literal["keep", "reset"] = "keep") -> None:
        """Let frozen parameters move again (rule F5).

        Args:
            params: as for :meth:`freeze`; None for every frozen parameter.
            how: "keep" goes on with the state as it is; "reset" resets it first, clocks too.

        Raises:
            ParameterError: this optimizer has no such parameter.
            StateError: ``how`` is another word, or :meth:`reset` raises it.

        Example:
            >>> from adamcore.backends.torch.optimizer.optimizer import Adam
            >>> p = torch.nn.Parameter(torch.ones(1))
            >>> opt = Adam([p], lr=0.1)
            >>> opt.freeze(p)
            >>> opt.thaw()
            >>> p.grad = torch.ones(1)
            >>> opt.step()
            >>> round(p.item(), 6)
            0.9
        """
        if how not in ("keep", "reset"):
            raise StateError(f"how={how!r}: expected 'keep' or 'reset'")
        chosen = []
        for group, positions in self._positions(params):
            frozen = set(map(id, frozen_params(group)))
            chosen.append(
                (group, [group["params"][k] for k in positions if id(group["params"][k]) in frozen])
            )
        if how == "reset":
            self.reset([p for _, members in chosen for p in members])
        for group, members in chosen:
            set_frozen(group, thawed(group, members))

    def reset(self, params: Params | None = None, clock: Literal["reset", "keep"] = "reset") -> None:
        """Set the state back to the start: moments, maxima and clocks (rule F4).

        Args:
            params: as for :meth:`freeze`; None for every parameter.
            clock: "reset" sets the clocks back too; "keep" leaves them as they are.

        Raises:
            ParameterError: this optimizer has no such parameter.
            StateError: ``params`` is a part of a group with one clock (``clock="global"``) and that
                clock would be reset.

        Example:
            >>> from adamcore.backends.torch.optimizer.optimizer import Adam
            >>> p = torch.nn.Parameter(torch.ones(1))
            >>> opt = Adam([p])
            >>> p.grad = torch.ones(1)
            >>> opt.step()
            >>> opt.reset()
            >>> opt.state[p]["step"], opt.state[p]["exp_avg"]
            (tensor(0, dtype=torch.int32), tensor([0.]))
        """
        if clock not in ("reset", "keep"):
            raise StateError(f"clock={clock!r}: expected 'reset' or 'keep'")
        self._snapshots.part()
        chosen = self._positions(params)
        for i, (group, positions) in enumerate(chosen):
            shared = complete(group, self.rules)["clock"] == "global"
            if shared and clock == "reset" and 0 < len(positions) < len(group["params"]):
                group_size = len(group["params"])
                raise StateError(
                    f"reset of {len(positions)} of the {group_size} parameters of param_groups[{i}], "
                    "which have one clock (clock='global'): name them all, or keep it with clock='keep'"
                )
        for group, positions in chosen:
            for k in positions:
                restart(self.state.get(group["params"][k], {}), clock)
            if complete(group, self.rules)["clock"] == "global" and positions:
                restart({n: group[n] for n in ("step", "mu_product") if n in group}, clock)

    def _positions(self, params: Params | None) -> list[tuple[Group, list[int]]]:
        """Return each group with the positions of the given parameters in it."""
        if params is None:
            return [(group, list(range(len(group["params"])))) for group in self.param_groups]
        wanted = [params] if isinstance(params, torch.Tensor | torch.nn.Module | str) else list(params)
        tests = [belongs_to(w) for w in wanted]
        found: list[tuple[Group, list[int]]] = []
        seen: set[int] = set()
        for group in self.param_groups:
            positions = []
            for k, (p, name) in enumerate(zip(group["params"], names_of(group, self._names), strict=True)):
                hits = [j for j, belongs in enumerate(tests) if belongs(p, name)]
                seen.update(hits)
                positions += [k] if hits else []
            found.append((group, positions))
        for j, w in enumerate(wanted):
            if j not in seen:
                what = (
                    repr(w) if isinstance(w, str) else f"{type(w).__name__} {tuple(getattr(w, 'shape', ()))}"
                )
                raise ParameterError(
                    f"params[{j}] ({what}) is no parameter of this optimizer: expected its own tensors "
                    "(they are compared by identity), modules of them, or the names it was given"
                )
        return found
