"""States written for optimizers that quantise: stand-ins, files that they made, themselves."""

from __future__ import annotations

import warnings
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from paths import ROOT

from adamcore import Adam
from adamcore.backends.checkpoints.quantizers import BLOCK, library_of, row_of
from adamcore.backends.states import NamedState, from_torch, to_torch
from adamcore.backends.states.foreign import read
from adamcore.backends.states.named import Moments
from adamcore.errors import ConversionError
from adamcore.storage.blockwise import table
from adamcore.storage.moments import Coding

torch = pytest.importorskip("torch")
FILES = ROOT / "tests" / "data" / "states" / "files" / "quantized"
GROUP = {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.01}


class OfBitsandbytes(torch.optim.Optimizer):  # type: ignore[misc, name-defined]
    """What of an optimizer of bitsandbytes is asked for."""

    non_castable_tensor_keys = frozenset({"state1"})
    optimizer_name = "adam"

    def __init__(self, params: Any, bits: int = 8, max_unorm: float = 0.0) -> None:
        super().__init__(params, GROUP | {"t_alpha": None})
        self.config = {"optim_bits": bits, "min_8bit_size": 4096, "max_unorm": max_unorm}
        self.name2qmap: dict[str, Any] = {}

    def get_config(self, number: int, at: int, group: Any) -> Any:
        return self.config

    def fill_qmap(self) -> None:
        self.name2qmap = {"dynamic": torch.tensor(table(True)), "udynamic": torch.tensor(table(False))}


class AdamWStandIn(OfBitsandbytes):
    """Its name tells the dialect, as in bitsandbytes."""


class OfTorchao(torch.optim.Optimizer):  # type: ignore[misc, name-defined]
    """What of an optimizer of torchao is asked for."""

    is_adamw = True
    _subclass_zeros = None

    def __init__(self, params: Any, amsgrad: bool = False) -> None:
        super().__init__(params, GROUP | {"amsgrad": amsgrad, "lr": torch.tensor(1e-3)})

    def _new_buffer(self, p: Any, signed: bool) -> Any:
        if p.numel() < 4096 or p.numel() % BLOCK:
            return torch.zeros_like(p)
        scale = torch.zeros(p.numel() // BLOCK)
        qmap = torch.tensor(table(signed))
        return SimpleNamespace(
            codes=torch.zeros_like(p, dtype=torch.uint8), scale=scale, qmap=qmap, block_size=BLOCK
        )


def of_file(library: str) -> NamedState:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it was quantised
        row = f"{library}.AdamW"
        state: NamedState = read(FILES / f"large_{library}.pt", names=["w"], dialect=row)
    assert set(state.leaves["w"].coded) == {"m", "v"}
    return state


def parameter(*shape: int) -> Any:
    return torch.nn.Parameter(torch.zeros(shape))


def test_a_file_of_bitsandbytes_is_written_as_it_was() -> None:
    raw = torch.load(FILES / "large_bitsandbytes.pt", weights_only=True)["state"][0]
    parts = raw["__bnb_optimizer_quant_state__"]
    written = to_torch(of_file("bitsandbytes"), AdamWStandIn([parameter(64, 64)]), ["w"])["state"][0]
    assert written.pop("step") == raw["step"]
    assert set(written) == set(parts)
    for key, x in parts.items():
        assert torch.equal(written[key], x), key


def test_the_codes_of_a_file_of_torchao_are_written_as_they_were() -> None:
    state = of_file("torchao")
    written = to_torch(state, OfTorchao([parameter(64, 64)]), ["w"])
    for key, part in (("exp_avg", "m"), ("exp_avg_sq", "v")):
        buffer, coded = written["state"][0][key], state.leaves["w"].coded[part]
        assert np.array_equal(buffer.codes, coded.codes)
        assert np.array_equal(buffer.scale, coded.scales)
    lr = written["param_groups"][0]["lr"]
    assert isinstance(lr, torch.Tensor)
    assert lr == torch.tensor(state.adam.lr)


def plain(shape: tuple[int, ...], **parts: Any) -> NamedState:
    rng = np.random.default_rng(14)
    m, v = (rng.standard_normal(shape).astype(np.float32) for _ in "mv")
    adam = Adam(decay="decoupled", weight_decay=0.01)
    return NamedState(adam, {"w": Moments(7, m, v * v, **parts)})


def test_numbers_are_rounded_once() -> None:
    state = plain((100, 50))
    written = to_torch(state, AdamWStandIn([parameter(100, 50)]), ["w"])["state"][0]
    leaf, scale = state.leaves["w"], Coding("blockwise8", True).blocks((100, 50))
    assert (written["step"], written["absmax1"].shape) == (7, (scale,))
    for k, x in ((1, leaf.m), (2, leaf.v)):
        each = np.repeat(written[f"absmax{k}"].numpy(), BLOCK)[: x.size].reshape(x.shape)
        again = written[f"qmap{k}"].numpy()[written[f"state{k}"].numpy()] * each
        assert np.abs(again - x).max() <= np.abs(x).max() * 0.01  # half of the widest step of the codebook


def test_small_and_uneven_parameters_stay_as_they_are() -> None:
    for shape in ((30,), (63, 65)):
        state = plain(shape)
        theirs = to_torch(state, OfTorchao([parameter(*shape)]), ["w"])["state"][0]
        assert np.array_equal(theirs["exp_avg"], state.leaves["w"].m)
    state = plain((30,))
    for optimizer in (AdamWStandIn([parameter(30)]), AdamWStandIn([parameter(30)], bits=32)):
        theirs = to_torch(state, optimizer, ["w"])["state"][0]
        assert theirs["state2"].dtype == torch.float32
        assert np.array_equal(theirs["state2"], state.leaves["w"].v)
        assert "absmax1" not in theirs


def test_what_has_no_place_is_refused() -> None:
    v_max = plain((30,), v_max=np.ones(30, np.float32))
    with pytest.raises(ConversionError, match="no place for v_max"):
        to_torch(v_max, AdamWStandIn([parameter(30)]), ["w"])
    with pytest.raises(ConversionError, match="keeps m and v, and the state has m and v and v_max"):
        to_torch(v_max, OfTorchao([parameter(30)]), ["w"])
    with pytest.raises(ConversionError, match="no Adam"):
        to_torch(plain((30,)), AdamWStandIn([parameter(30)], max_unorm=1.0), ["w"])
    for optimizer in (AdamWStandIn([parameter(30)]), AdamWStandIn([parameter(64, 64)])):
        with pytest.raises(ConversionError, match="give the optimizer itself"):
            to_torch(plain((30,)), optimizer.state_dict(), ["w"])


def test_a_library_is_known_by_its_optimizers() -> None:
    p = [parameter(3)]
    objects: list[Any] = [AdamWStandIn(p), OfTorchao(p), torch.optim.Adam(p), {}]
    assert [library_of(each) for each in objects] == [
        "bitsandbytes",
        "torchao",
        None,
        None,
    ]
    assert [row_of(each) for each in (AdamWStandIn(p), OfBitsandbytes(p), OfTorchao(p))] == [
        "bitsandbytes.AdamW",
        "bitsandbytes.Adam",
        "torchao.AdamW",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("library", ["bitsandbytes", "torchao"])
def test_a_run_goes_on_bit_for_bit(library: str) -> None:
    """Needs the library, which the tests do not install."""
    make = pytest.importorskip(f"{library}.optim").AdamW8bit

    def step(params: Any, optimizer: Any, seed: int) -> None:
        rng = torch.Generator().manual_seed(seed)
        for p in params:
            p.grad = torch.randn(p.shape, generator=rng)
        optimizer.step()

    first = [torch.nn.Parameter(torch.ones(shape)) for shape in ((64, 80), (30,))]
    optimizer = make(first, lr=0.01)
    for k in range(3):
        step(first, optimizer, k)
    with pytest.warns(UserWarning, match="were quantised"):
        state = from_torch(optimizer, ["a", "b"], dialect=f"{library}.AdamW")
    second = [torch.nn.Parameter(p.detach().clone()) for p in first]
    other = make(second, lr=0.01)
    other.load_state_dict(to_torch(state, other, ["a", "b"]))
    for k in (3, 4):
        step(first, optimizer, k)
        step(second, other, k)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
