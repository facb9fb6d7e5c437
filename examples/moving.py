"""One training, moved between frameworks halfway: torch -> optax -> Keras -> torch.

Two small networks are trained on data made here.  Each quarter of the steps is made in another framework,
and `adamcore.backends.states` carries the state of Adam from one to the next.  Two questions are asked:

* All runs replay the same recorded gradients.  Do the parameters of the moved run stay within the derived
  bound of the exact trajectory, as those of an uninterrupted run do?
* Each framework computes its own gradients.  How large is the gap at the end, compared with the gap between
  PyTorch's own foreach and fused implementations?

`python examples/moving.py` prints the figures; docs/generate/moving_page.py writes docs/results/moving.md.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import torch
from moving_networks import Arrays, Torch, axes, flat, nested, network, turned

from adamcore import Adam
from adamcore.backends import states
from adamcore.backends.jax import adam as our_optax
from adamcore.backends.keras import Adam as OurKeras
from adamcore.backends.torch import Adam as OurTorch
from adamcore.conformance.oracle.bounds import bounds
from adamcore.conformance.oracle.exact import exact
from adamcore.conformance.types import Probe, Step

HYPER: dict[str, Any] = {"lr": 0.01, "b1": 0.9, "b2": 0.99, "eps": 1e-8, "weight_decay": 0.1}
AXES = Adam.like("torch.AdamW", **HYPER)


# --------------------------------------------- the frameworks: each with its own names and its own order

TO_TORCH = {"kernel": "weight", "bias": "bias"}


def torch_name(name: str) -> str:
    layer, _, kind = name.partition(".")
    return f"{layer}.{TO_TORCH[kind]}"


class InTorch:
    """Weights as torch.nn.Linear keeps them, (out, in), and an optimizer with torch.optim's interface."""

    def __init__(self, loss: Any, p: Arrays, make: Callable[[Any], Any]) -> None:
        self.loss = loss
        self.p: dict[str, Any] = {n: torch.nn.Parameter(torch.tensor(x.T.copy())) for n, x in p.items()}
        self.optimizer = make([(torch_name(n), x) for n, x in self.p.items()])

    def gradients(self, batch: Any) -> tuple[float, Arrays]:
        x, y = (torch.from_numpy(part) for part in batch)
        for p in self.p.values():
            p.grad = None
        loss = self.loss(Torch, {n: turned(p) for n, p in self.p.items()}, x, y)
        loss.backward()
        return loss.item(), {n: p.grad.numpy().T.copy() for n, p in self.p.items()}

    def step(self, grads: Arrays) -> None:
        for n, p in self.p.items():
            p.grad = torch.tensor(grads[n].T.copy())
        self.optimizer.step()

    def params(self) -> Arrays:
        return {n: p.detach().numpy().T.copy() for n, p in self.p.items()}

    def save(self) -> states.NamedState:
        found = states.from_torch(self.optimizer.state_dict(), dialect="torch.AdamW")
        return found.renamed({n: {"from": torch_name(n), "axes": axes(x)} for n, x in self.p.items()})

    def load(self, state: states.NamedState) -> None:
        state = states.fit(state, AXES)
        theirs = state.renamed({torch_name(n): {"from": n, "axes": axes(x)} for n, x in self.p.items()})
        self.optimizer.load_state_dict(states.to_torch(theirs, self.optimizer.state_dict()))


class InJax:
    """A nested dictionary of parameters, and an optax transformation."""

    def __init__(self, loss: Any, p: Arrays, tx: Any, adam: Adam) -> None:
        self.tx, self.adam = tx, adam
        self.tree = nested({n: jnp.asarray(x) for n, x in p.items()})
        self.state = tx.init(self.tree)
        self.grad = jax.jit(jax.value_and_grad(lambda t, x, y: loss(jnp, flat(t), x, y)))

        def one(tree: Any, state: Any, g: Any) -> Any:
            updates, state = tx.update(g, state, tree)
            return optax.apply_updates(tree, updates), state

        self.one = jax.jit(one)

    def gradients(self, batch: Any) -> tuple[float, Arrays]:
        loss, grads = self.grad(self.tree, *batch)
        return float(loss), {n: np.asarray(g) for n, g in flat(grads).items()}

    def step(self, grads: Arrays) -> None:
        self.tree, self.state = self.one(self.tree, self.state, nested(grads))

    def params(self) -> Arrays:
        return {n: np.asarray(x) for n, x in flat(self.tree).items()}

    def save(self) -> states.NamedState:
        return states.from_optax(self.state, self.adam)

    def load(self, state: states.NamedState) -> None:
        self.state = states.to_optax(states.fit(state, self.adam), self.state, self.tree, adam=self.adam)


class InKeras:
    """Keras variables and our Keras optimizer; Keras' own AdamW has another epsilon (EPS.2)."""

    def __init__(self, loss: Any, p: Arrays, make: Callable[[], Any]) -> None:
        self.loss = loss
        layer = keras.layers.Layer(name="net")
        self.v = {n: layer.add_weight(shape=x.shape, initializer="zeros", name=n) for n, x in p.items()}
        for n, x in p.items():
            self.v[n].assign(x)
        self.optimizer = make()
        self.optimizer.build(list(self.v.values()))

    def gradients(self, batch: Any) -> tuple[float, Arrays]:
        x, y = (torch.from_numpy(part) for part in batch)
        for v in self.v.values():
            v.value.grad = None
        loss = self.loss(keras.ops, {n: v.value for n, v in self.v.items()}, x, y)
        loss.backward()
        return loss.item(), {n: v.value.grad.numpy().copy() for n, v in self.v.items()}

    def step(self, grads: Arrays) -> None:
        self.optimizer.apply([torch.tensor(grads[n]) for n in self.v], list(self.v.values()))

    def params(self) -> Arrays:
        return {n: np.array(keras.ops.convert_to_numpy(v.value)) for n, v in self.v.items()}

    def save(self) -> states.NamedState:
        return states.from_keras(self.optimizer).renamed({n: v.path for n, v in self.v.items()})

    def load(self, state: states.NamedState) -> None:
        states.to_keras(state.renamed({v.path: n for n, v in self.v.items()}), self.optimizer)


# ----------------------------------------------------------------------------------------- the chains

TORCH: dict[str, Any] = {"lr": HYPER["lr"], "betas": (HYPER["b1"], HYPER["b2"]), "eps": HYPER["eps"],
         "weight_decay": HYPER["weight_decay"]}  # fmt: skip
OPTAX: dict[str, Any] = {("learning_rate" if n == "lr" else n): x for n, x in HYPER.items()}
KERAS: dict[str, Any] = {"learning_rate": HYPER["lr"], "beta_1": HYPER["b1"], "beta_2": HYPER["b2"],
         "epsilon": HYPER["eps"], "weight_decay": HYPER["weight_decay"]}  # fmt: skip


def chain(kind: str, loss: Any) -> list[Callable[[Arrays], Any]]:
    """Return a framework for each quarter, with its own Adam where that is this one, or with ours."""

    def in_torch(p: Arrays) -> Any:
        own = (lambda named: torch.optim.AdamW(named, **TORCH)) if kind == "theirs" else (
            lambda named: OurTorch(named, dialect="torch.AdamW", **TORCH))  # fmt: skip
        return InTorch(loss, p, own)

    def in_jax(p: Arrays) -> Any:
        if kind == "theirs":
            return InJax(loss, p, optax.adamw(**OPTAX), Adam.like("optax.adamw", **HYPER))
        return InJax(loss, p, our_optax(**OPTAX, dialect="torch.AdamW"), AXES)

    def in_keras(p: Arrays) -> Any:
        return InKeras(loss, p, lambda: OurKeras(dialect="torch.AdamW", **KERAS))

    return [in_torch, in_jax, in_keras, in_torch]


def run(
    makers: list[Callable[[Arrays], Any]], p: Arrays, steps: int, source: Callable[[Any, int], Arrays]
) -> list[Arrays]:
    """Return the parameters after each step; a framework gets only parameters and state from the last."""
    seen, state = [], None
    per = -(-steps // len(makers))
    for quarter, make in enumerate(makers):
        now = make(p)
        if state is not None:
            now.load(state)
        for k in range(quarter * per, min((quarter + 1) * per, steps)):
            now.step(source(now, k))
            seen.append(now.params())
        p, state = now.params(), now.save()
    return seen


def within(seen: list[Arrays], p: Arrays, grads: list[Arrays], dialect: str) -> float:
    """Return the largest error of a run as a fraction of its derived bound; at most 1 is right."""
    names = sorted(p)
    steps = tuple(Step(tuple(g[n].astype(float) for n in names)) for g in grads)
    params = tuple(p[n].astype(float) for n in names)
    probe = Probe("STEP.1/moving", "recorded gradients", params, steps, HYPER)
    adam = Adam.like(dialect, **HYPER)
    truth, bound = exact(adam, probe).steps, bounds(adam, probe, "float32", flushes=True).steps
    worst = 0.0
    for k, params_k in enumerate(seen):
        for i, n in enumerate(names):
            error = np.abs(truth[k][i][0].error_of(params_k[n].ravel()))
            worst = max(worst, float((error / bound[k][i][0].p).max()))
    return worst


def gap(a: Arrays, b: Arrays) -> float:
    return max(float(np.abs(a[n] - b[n]).max()) for n in a)


def study(name: str, steps: int) -> dict[str, float]:
    """Return all figures of one network."""
    loss, p, batches = network(name)
    alone = InTorch(loss, p, lambda named: torch.optim.AdamW(named, foreach=True, **TORCH))
    grads, unbroken, losses = [], [], []
    for k in range(steps):
        value, g = alone.gradients(batches[k % len(batches)])
        losses.append(value)
        grads.append(g)
        alone.step(g)
        unbroken.append(alone.params())

    def own(now: Any, k: int) -> Arrays:
        return now.gradients(batches[k % len(batches)])[1]

    def replayed(now: Any, k: int) -> Arrays:
        return grads[k]

    fused = [lambda q: InTorch(loss, q, lambda named: torch.optim.AdamW(named, fused=True, **TORCH))]
    found = {
        "parameters": float(sum(x.size for x in p.values())),
        "loss at the start": losses[0],
        "loss at the end": losses[-1],
        "replayed: unbroken torch, error over bound": within(unbroken, p, grads, "torch.AdamW"),
    }
    for kind in ("theirs", "ours"):
        dialect = "optax.adamw" if kind == "theirs" else "torch.AdamW"  # optax forms 1 - b**t in float32
        moved = run(chain(kind, loss), p, steps, replayed)
        found[f"replayed: moved ({kind}), error over bound"] = within(moved, p, grads, dialect)
        free = run(chain(kind, loss), p, steps, own)[-1]
        found[f"free: moved ({kind}), gap to unbroken torch"] = gap(free, unbroken[-1])
    found["free: torch fused, gap to torch foreach"] = gap(run(fused, p, steps, own)[-1], unbroken[-1])
    return found


def studies(steps: int = 80) -> dict[str, dict[str, float]]:
    """Return the figures of both networks."""
    return {name: study(name, steps) for name in ("two layers", "transformer")}


if __name__ == "__main__":
    for title, figures in studies().items():
        print(title)
        for what, figure in figures.items():
            print(f"  {what:<50} {figure:.3g}")
