"""Blind, ninth set: right Adams whose state is kept as these libraries keep it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array
from fourth_blind_frame import FOUR
from ninth_blind_frame_b import Single, wanted
from register import right


@right()
class NinthRightOneBuffer(Single):
    """llm.c: parameters, gradients and moments are one buffer each, and every parameter is a part of it."""

    dialect = "llm.c.AdamW"
    complex = False

    def build(self) -> None:
        dtype = self.params[0].dtype if self.params else np.dtype(np.float32)
        self.ends = np.cumsum([p.size for p in self.params])[:-1]
        self.buffer = np.concatenate([p.ravel() for p in self.params] or [np.zeros(0, dtype)])
        self.m, self.v, self.t = np.zeros_like(self.buffer), np.zeros_like(self.buffer), 0

    def parts(self, buffer: Array) -> list[Array]:
        rows = np.split(buffer, self.ends) if self.params else []
        return [row.reshape(p.shape).copy() for row, p in zip(rows, self.params, strict=True)]

    def all(self, grads: Sequence[Array | None]) -> None:
        wanted(grads)
        g = np.concatenate([np.asarray(g).ravel() for g in grads] or [self.buffer])
        self.t += bool(self.params)
        c1, c2 = self.corrections(max(self.t, 1))
        self.m = self.m * self.b1 + g * (1 - self.b1)
        self.v = self.v * self.b2 + g * (1 - self.b2) * g
        u = (self.m / c1) / (np.sqrt(self.v / c2) + self.eps)
        self.buffer = self.buffer - self.lr * (u + self.weight_decay * self.buffer)
        self.params = self.parts(self.buffer)

    def get_state(self) -> dict[str, Any]:
        return {"t": self.t, "m": self.parts(self.m), "v": self.parts(self.v)}

    def set_state(self, state: dict[str, Any]) -> None:
        self.t = max(self.clocks(state), default=0)
        if self.params:
            self.m, self.v = (np.concatenate([np.ravel(a) for a in state[name]]) for name in "mv")


@right()
class NinthRightVariablesByPath(Single):
    """Keras: variables by their paths, made in the first step, and one count of iterations."""

    dialect = "keras.Adam"

    def build(self) -> None:
        self.variables: dict[str, Array] = {}
        self.iterations = 0

    def variable(self, i: int, kind: str) -> Array:
        return self.variables.setdefault(f"adam/variable_{i}_{kind}", np.zeros_like(self.params[i]))

    def all(self, grads: Sequence[Array | None]) -> None:
        if not self.params:
            return
        if all(g is None for g in grads):
            raise ValueError("no gradients are given for any variable")
        self.iterations += 1
        c1, c2 = self.corrections(self.iterations)
        alpha = self.lr * math.sqrt(c2) / c1
        for i, g in enumerate(grads):
            if g is None:
                continue
            p, m, v = self.params[i], self.variable(i, "momentum"), self.variable(i, "velocity")
            p -= p * (self.weight_decay * self.lr)
            m += (g - m) * (1 - self.b1)
            v += (np.square(g) - v) * (1 - self.b2)
            p -= (m * alpha) / (np.sqrt(v) + self.eps)

    def get_state(self) -> dict[str, Any]:
        kinds = {"m": "momentum", "v": "velocity"}
        moments = {k: [self.variable(i, kinds[k]) for i in range(len(self.params))] for k in kinds}
        return {"t": self.iterations} | {k: self.together(rows) for k, rows in moments.items()}

    def set_state(self, state: dict[str, Any]) -> None:
        self.iterations = max(self.clocks(state), default=0)
        for i, (m, v) in enumerate(zip(self.taken(state["m"]), self.taken(state["v"]), strict=True)):
            self.variable(i, "momentum")[...], self.variable(i, "velocity")[...] = m, v


@right()
class NinthRightRecords(Single):
    """burn: a record for each parameter, made at its first gradient, with a time of its own."""

    dialect = "burn.Adam"

    def build(self) -> None:
        self.records: dict[int, tuple[int, Array, Array]] = {}

    def all(self, grads: Sequence[Array | None]) -> None:
        for i, g in enumerate(grads):
            if g is not None:
                self.params[i] = self.stepped(i, self.params[i], g)

    def stepped(self, i: int, p: Array, g: Array) -> Array:
        g = g + p * self.weight_decay
        time, first, second = self.records.get(i, (0, np.zeros_like(p), np.zeros_like(p)))
        first = first * self.b1 + g * (1 - self.b1)
        second = second * self.b2 + (g * (1 - self.b2)) * g
        self.records[i] = time + 1, first, second
        c1, c2 = self.corrections(time + 1)
        scale = math.sqrt(c2)
        return np.asarray(p - (first / (np.sqrt(second) + self.eps * scale)) * (self.lr * scale / c1))

    def get_state(self) -> dict[str, Any]:
        whole = [self.records.get(i, (0, z, z)) for i, z in enumerate(self.zeros())]
        m, v = [record[1] for record in whole], [record[2] for record in whole]
        return {"t": [record[0] for record in whole], "m": self.together(m), "v": self.together(v)}

    def set_state(self, state: dict[str, Any]) -> None:
        records = zip(self.clocks(state), self.taken(state["m"]), self.taken(state["v"]), strict=True)
        self.records = dict(enumerate(records))


@right()
class NinthRightPowers(Single):
    """TensorFlow 1: two powers of the betas for all variables, multiplied after the step."""

    dialect = "tf1.Adam"
    hyper = FOUR

    def build(self) -> None:
        self.m, self.v = self.zeros(), self.zeros()
        self.power1, self.power2 = self.b1, self.b2

    def set_hyper(self, hyper: dict[str, float]) -> None:
        if hasattr(self, "m") and hyper.keys() & {"b1", "b2"}:
            raise NotImplementedError("the betas are constants of the graph")
        super().set_hyper(hyper)

    def all(self, grads: Sequence[Array | None]) -> None:
        if self.params and all(g is None for g in grads):
            raise ValueError("no gradients provided for any variable")
        rate = self.lr * math.sqrt(1 - self.power2) / (1 - self.power1)
        for i, g in enumerate(grads):
            if g is not None:
                self.m[i] = self.m[i] * self.b1 + g * (1 - self.b1)
                self.v[i] = self.v[i] * self.b2 + (g * g) * (1 - self.b2)
                self.params[i] = self.params[i] - rate * self.m[i] / (np.sqrt(self.v[i]) + self.eps)
        if self.params:
            self.power1, self.power2 = self.power1 * self.b1, self.power2 * self.b2

    def get_state(self) -> dict[str, Any]:
        powers = {"beta1_power": self.power1, "beta2_power": self.power2}
        return powers | {"m": self.together(self.m), "v": self.together(self.v)}

    def set_state(self, state: dict[str, Any]) -> None:
        t = max(self.clocks(state), default=0) if "t" in state else 0
        self.power1 = state.get("beta1_power", self.b1 ** (t + 1))
        self.power2 = state.get("beta2_power", self.b2 ** (t + 1))
        self.m, self.v = (self.taken(state[name]) for name in "mv")


@right()
class NinthRightLeaves(Single):
    """Optimisers.jl: each leaf has a tuple of its moments and the powers that its next step needs."""

    dialect = "optimisers_jl.AdamW"

    def build(self) -> None:
        self.leaves = [(*pair, (self.b1, self.b2)) for pair in zip(self.zeros(), self.zeros(), strict=True)]

    def set_hyper(self, hyper: dict[str, float]) -> None:
        if hasattr(self, "leaves") and hyper.keys() & {"b1", "b2"}:
            raise NotImplementedError("the powers were formed with other betas")
        super().set_hyper(hyper)

    def all(self, grads: Sequence[Array | None]) -> None:
        for i, g in enumerate(grads):
            if g is None:
                continue
            mt, vt, (p1, p2) = self.leaves[i]
            square = g * g
            if np.iscomplexobj(self.likes[i]):
                square = np.broadcast_to(square.sum(-1, keepdims=True), g.shape)
            mt = self.b1 * mt + (1 - self.b1) * g
            vt = self.b2 * vt + (1 - self.b2) * square
            step = mt / (1 - p1) / (np.sqrt(vt / (1 - p2)) + self.eps) * self.lr
            self.params[i] = self.params[i] - (step + self.lr * self.weight_decay * self.params[i])
            self.leaves[i] = mt, vt, (p1 * self.b1, p2 * self.b2)

    def get_state(self) -> dict[str, Any]:
        m, v = [leaf[0] for leaf in self.leaves], [leaf[1] for leaf in self.leaves]
        return {"powers": [leaf[2] for leaf in self.leaves], "m": self.together(m), "v": self.together(v)}

    def set_state(self, state: dict[str, Any]) -> None:
        given = [(self.b1 ** (t + 1), self.b2 ** (t + 1)) for t in self.clocks(state)] if "t" in state else []
        moments = (self.taken(state[name]) for name in "mv")
        self.leaves = list(zip(*moments, state.get("powers", given), strict=True))


@right()
class NinthRightLaunches(Single):
    """Apex: the lists of what is present are stepped in chunks of five elements, by one clock."""

    dialect = "apex.FusedAdam"

    def build(self) -> None:
        self.m, self.v, self.group = self.zeros(), self.zeros(), {"step": 0}

    def all(self, grads: Sequence[Array | None]) -> None:
        self.group["step"] += bool(self.params)
        for g, *others in zip(grads, self.params, self.m, self.v, strict=True):
            for first in range(0, 0 if g is None else g.size, 5):
                rows = (np.asarray(row).reshape(-1) for row in (g, *others))  # views: all are C-contiguous
                self.launch(*(row[first : first + 5] for row in rows))

    def launch(self, g: Array, p: Array, m: Array, v: Array) -> None:
        c1, c2 = self.corrections(self.group["step"])
        m[...] = self.b1 * m + (1 - self.b1) * g
        v[...] = self.b2 * v + (1 - self.b2) * g * g
        update = (m / c1) / (np.sqrt(v / c2) + self.eps) + self.weight_decay * p
        p[...] = p - self.lr * update

    def get_state(self) -> dict[str, Any]:
        return {"t": self.group["step"], "m": self.together(self.m), "v": self.together(self.v)}

    def set_state(self, state: dict[str, Any]) -> None:
        self.group["step"] = max(self.clocks(state), default=0)
        self.m, self.v = (self.taken(state[name]) for name in "mv")


@right()
class NinthRightRules(Single):
    """Chainer: each parameter has an update rule of its own, and what is absent is a gradient of zeros."""

    dialect = "chainer.Adam"

    def build(self) -> None:
        self.rules: list[dict[str, Any]] = [{"t": 0, "m": m, "v": m.copy()} for m in self.zeros()]

    def all(self, grads: Sequence[Array | None]) -> None:
        for p, g, rule in zip(self.params, grads, self.rules, strict=True):
            rule["t"] += 1
            c1, c2 = self.corrections(rule["t"])
            given = np.zeros_like(p) if g is None else g
            rule["m"] += (1 - self.b1) * (given - rule["m"])
            rule["v"] += (1 - self.b2) * (given * given - rule["v"])
            alpha_t = self.lr * math.sqrt(c2) / c1
            p -= alpha_t * rule["m"] / (np.sqrt(rule["v"]) + self.eps) + self.weight_decay * p

    def get_state(self) -> dict[str, Any]:
        moments = {name: self.together([rule[name] for rule in self.rules]) for name in "mv"}
        return {"t": [rule["t"] for rule in self.rules], **moments}

    def set_state(self, state: dict[str, Any]) -> None:
        given = zip(self.clocks(state), self.taken(state["m"]), self.taken(state["v"]), strict=True)
        self.rules = [{"t": t, "m": m, "v": v} for t, m, v in given]


@right()
class NinthRightIndices(Single):
    """MXNet: an updater finds states and update counts by index, and makes them when an index first comes."""

    dialect = "mxnet.Adam"

    def build(self) -> None:
        self.states: dict[int, list[Array]] = {}
        self.counts: dict[int, int] = {}

    def all(self, grads: Sequence[Array | None]) -> None:
        for index, g in enumerate(grads):
            if g is None:
                continue
            mean, var = self.state(index)
            self.counts[index] = self.counts.get(index, 0) + 1
            c1, c2 = self.corrections(self.counts[index])
            g = g + self.weight_decay * self.params[index]
            mean[...] = self.b1 * mean + (1 - self.b1) * g
            var[...] = self.b2 * var + (1 - self.b2) * np.square(g)
            self.params[index] -= (self.lr * math.sqrt(c2) / c1) * mean / (np.sqrt(var) + self.eps)

    def state(self, index: int) -> list[Array]:
        return self.states.setdefault(index, [np.zeros_like(self.params[index]) for _ in "mv"])

    def get_state(self) -> dict[str, Any]:
        places = range(len(self.params))
        mean, var = ([self.state(i)[k] for i in places] for k in (0, 1))
        counts = [self.counts.get(i, 0) for i in places]
        return {"t": counts, "m": self.together(mean), "v": self.together(var)}

    def set_state(self, state: dict[str, Any]) -> None:
        self.counts = dict(enumerate(self.clocks(state)))
        self.states = dict(
            enumerate(map(list, zip(*(self.taken(state[name]) for name in "mv"), strict=True)))
        )
