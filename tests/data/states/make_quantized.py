"""The files of bitsandbytes and torchao: moments in 32, 8 and 4 bits and in float8, with small blocks."""

from __future__ import annotations

import shutil
from typing import Any

import bitsandbytes
import recipe
import torch
import torchao.optim
from bitsandbytes.functional import dequantize_blockwise
from recipe_torch import Model, settings, step
from torchao.optim.subclass_4bit import OptimState4bit
from torchao.optim.subclass_8bit import OptimState8bit
from torchao.optim.subclass_fp8 import OptimStateFp8

WORDS = "were quantised to"


def trained(make: Any) -> tuple[Model, torch.optim.Optimizer]:
    """Return a model after some steps of an optimizer."""
    model = Model()
    optimizer = make(list(model.parameters()))
    for k in range(recipe.STEPS):
        step(model, optimizer, k)
    return model, optimizer


def expected(optimizer: torch.optim.Optimizer, model: Model, dtype: Any) -> dict[str, dict[str, Any]]:
    """Return the state by names, with the moments that the library itself makes of the codes."""
    found = {}
    for name, p in model.named_parameters():
        each = optimizer.state[p]
        parts = []
        for k in (1, 2):
            x = each[f"state{k}"]
            if dtype == torch.uint8:
                x = dequantize_blockwise(x, absmax=each[f"absmax{k}"], code=each[f"qmap{k}"], blocksize=256)
            parts.append(x)
        found[name] = {"t": int(each["step"]), "m": parts[0], "v": parts[1]}
    return found


def bitsandbytes_files(manifest: recipe.Manifest, head: dict[str, Any]) -> None:
    """Make the files of bitsandbytes."""
    for bits in (32, 8):
        file = f"bitsandbytes_{bits}.pt"
        model, optimizer = trained(
            lambda params, bits=bits: bitsandbytes.optim.AdamW(
                params, weight_decay=recipe.DECAY, optim_bits=bits, min_8bit_size=1, **settings()
            )
        )
        torch.save(optimizer.state_dict(), manifest.folder / file)
        narrow = optimizer.state[next(model.parameters())]["state1"].dtype
        assert (narrow == torch.uint8) == (bits == 8)
        row = "bitsandbytes.AdamW"
        leaves = expected(optimizer, model, narrow)
        said = f"{WORDS} 8-bit" if bits == 8 else None
        manifest.add(file, leaves, read=head | {"dialect": row}, dialect=row, warns=said)
        manifest.add(file, read=head, refused="bitsandbytes' does not tell Adam from AdamW")


def torchao_files(manifest: recipe.Manifest, head: dict[str, Any]) -> None:
    """Make the files of torchao.

    Its optimizers quantise arrays of 4096 elements and more; here its classes hold the moments of small ones.
    """
    for kind, quantised in (("8-bit", OptimState8bit), ("4-bit", OptimState4bit), ("float8", OptimStateFp8)):
        model, optimizer = trained(
            lambda params: torch.optim.AdamW(params, weight_decay=recipe.DECAY, **settings())
        )
        leaves = {}
        for name, p in model.named_parameters():
            each = optimizer.state[p]
            for part, signed in (("exp_avg", True), ("exp_avg_sq", False)):
                options = {} if kind == "float8" else {"signed": signed}
                narrow = quantised.zeros(p.shape, block_size=2, **options)
                narrow.copy_(each[part])
                each[part] = narrow
            m, v = (each[part].dequantize() for part in ("exp_avg", "exp_avg_sq"))
            leaves[name] = {"t": int(each["step"]), "m": m, "v": v}
        content = optimizer.state_dict()
        for group in content["param_groups"]:
            for key in set(group) - {"lr", "betas", "eps", "weight_decay", "amsgrad", "params"}:
                del group[key]  # those that torchao's groups do not have
        file = f"torchao_{kind}.pt"
        torch.save(content, manifest.folder / file)
        row = "torchao.AdamW"
        manifest.add(file, leaves, read=head | {"dialect": row}, dialect=row, warns=f"{WORDS} {kind}")
        manifest.add(file, read=head, refused="torchao's does not tell Adam from AdamW")


def large_files(folder: Any) -> None:
    """Make files of one parameter that is large enough for their optimizers to quantise it (STORE.14)."""
    for file, make in (
        ("large_bitsandbytes.pt", bitsandbytes.optim.AdamW8bit),
        ("large_torchao.pt", torchao.optim.AdamW8bit),
    ):
        rng = torch.Generator().manual_seed(14)
        p = torch.nn.Parameter(torch.randn(64, 64, generator=rng))
        optimizer = make([p], lr=recipe.LR)
        for _ in range(recipe.STEPS):
            p.grad = torch.randn(p.shape, generator=rng)
            optimizer.step()
        torch.save(optimizer.state_dict(), folder / file)


def main() -> None:
    """Make the files."""
    manifest = recipe.Manifest("quantized", "bitsandbytes", needs=("torch",))
    shutil.rmtree(manifest.folder)
    manifest.folder.mkdir()
    head = {"names": list(recipe.SHAPES)}
    bitsandbytes_files(manifest, head)
    torchao_files(manifest, head)
    large_files(manifest.folder)
    manifest.write()


if __name__ == "__main__":
    main()
