"""Record a run of PyTorch and a run of optax for the audit: python examples/record.py [FOLDER]."""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import optax
import torch

from adamcore.conformance.audit import Recorder


def record_torch(path: Path) -> None:
    """Record a PyTorch optimizer: one line before the loop, and one after it."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)

    recorder = Recorder.torch(optimizer, dict(model.named_parameters()))
    for _ in range(20):
        optimizer.zero_grad()
        model(torch.randn(4, 8)).square().mean().backward()
        optimizer.step()
    recorder.save(path)


def record_jax(path: Path) -> None:
    """Record a loop of JAX, or of any other library: one line in each step."""
    hyper = {"lr": 1e-2, "b1": 0.9, "b2": 0.999, "eps": 1e-8, "weight_decay": 1e-4}
    optimizer = optax.adamw(1e-2)
    params = {"w": jnp.linspace(-1.0, 1.0, 12).reshape(3, 4), "b": jnp.zeros(4)}
    state = optimizer.init(params)

    @jax.grad
    def gradient(params: dict[str, jax.Array], x: jax.Array) -> jax.Array:
        return jnp.mean(jnp.tanh(x @ params["w"] + params["b"]) ** 2)

    recorder = Recorder(hyper, dialect="optax.adamw")
    for k in range(20):
        grads = gradient(params, jax.random.normal(jax.random.key(k), (5, 3)))
        updates, state = optimizer.update(grads, state, params)
        before, params = params, optax.apply_updates(params, updates)
        recorder.step(before, grads, params)
    recorder.save(path)


if __name__ == "__main__":
    folder = Path(*sys.argv[1:])
    record_torch(folder / "torch.safetensors")
    record_jax(folder / "jax.safetensors")
