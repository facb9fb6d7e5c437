"""DeepSpeed's folders: slices put together, and what is missing or contradicts itself refused."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest
from paths import ROOT

from adamcore.backends.checkpoints import deepspeed
from adamcore.backends.checkpoints.deepspeed import (
    cut_each,
    cut_once,
    is_universal,
    is_zero,
    read_universal,
    read_zero,
)
from adamcore.errors import CheckpointError

torch = pytest.importorskip("torch")
FILES = ROOT / "tests" / "data" / "states" / "files" / "deepspeed"
ZERO = FILES / "stage1" / "global_step3"


def test_slices_put_together() -> None:
    flat = torch.arange(12.0)
    shape = {"a": (2, 3), "b": (3,)}
    for paddings, starts in ((None, (0, 6)), ([1, 0], (0, 7))):
        found = cut_once([flat[:6], flat[6:]], shape, paddings, Path("x"))
        for name, start in zip(shape, starts, strict=True):
            assert found[name].reshape(-1).tolist() == list(range(start, start + found[name].numel()))
    assert found["a"].shape == (2, 3)
    with pytest.raises(CheckpointError, match="12 elements for parameters of 6"):
        cut_once([flat[:6], flat[6:]], {"a": (2, 3)}, None, Path("x"))
    ranks = [torch.tensor([0.0, 1, 2, 6, 7]), torch.tensor([3.0, 4, 5, 8, -1])]
    each = cut_each(ranks, shape)
    assert each["a"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert each["b"].tolist() == [6, 7, 8]
    with pytest.raises(CheckpointError, match="b: 2 elements"):
        cut_each([x[:4] for x in ranks], shape)


def test_what_is_not_all_there_is_refused(tmp_path: Path) -> None:
    def copy(name: str) -> Path:
        return Path(shutil.copytree(ZERO, tmp_path / name))

    assert is_zero(ZERO)
    one = copy("one")
    (one / "zero_pp_rank_1_mp_rank_00_optim_states.pt").unlink()
    with pytest.raises(CheckpointError, match="files of 1 processes: expected those of 2"):
        read_zero(one)
    nameless = copy("nameless")
    (nameless / "mp_rank_00_model_states.pt").unlink()
    with pytest.raises(CheckpointError, match="'param_shapes', which say which parameters"):
        read_zero(nameless)
    parallel = copy("parallel")
    first = parallel / "zero_pp_rank_0_mp_rank_00_optim_states.pt"
    shutil.copy(first, parallel / "zero_pp_rank_0_mp_rank_01_optim_states.pt")
    with pytest.raises(CheckpointError, match=r"model itself is cut among processes .*ds_to_universal"):
        read_zero(parallel)
    elastic = copy("elastic")
    for path in elastic.glob("*_optim_states.pt"):
        torch.save({"optimizer_state_dict": {"base_optimizer_state": [], "partition_count": 2}}, path)
    with pytest.raises(CheckpointError, match="elastic form"):
        read_zero(elastic)


def test_the_universal_form_without_what_is_beside_it(tmp_path: Path) -> None:
    """Only the moments of each parameter: the settings and the step are left to who converts."""

    def write(name: str, content: Any) -> None:
        (tmp_path / "zero" / name).mkdir(parents=True, exist_ok=True)
        for part in ("exp_avg", "exp_avg_sq"):
            torch.save(content, tmp_path / "zero" / name / f"{part}.pt")

    assert not is_universal(tmp_path)
    write("layer.w", {"param": torch.ones(2, 3)})
    assert is_universal(tmp_path)
    found = read_universal(tmp_path)
    assert found["param_groups"] == [{"params": ["layer.w"]}]
    assert set(found["state"]["layer.w"]) == {"exp_avg", "exp_avg_sq"}
    assert read_universal(tmp_path / "zero")["param_groups"] == found["param_groups"]
    write("layer.w", torch.ones(6))
    with pytest.raises(CheckpointError, match="flat array, and its shape is not known"):
        read_universal(tmp_path)
    write("layer.w", {"weight": torch.ones(6)})
    with pytest.raises(CheckpointError, match="no 'param'"):
        read_universal(tmp_path)
    (tmp_path / "zero" / "layer.w" / "exp_avg_sq.pt").unlink()
    write("layer.w", {"param": torch.ones(6)})
    (tmp_path / "zero" / "layer.w" / "exp_avg_sq.pt").unlink()
    with pytest.raises(CheckpointError, match=r"exp_avg_sq.pt can't be read: No such file"):
        read_universal(tmp_path)


@pytest.mark.parametrize("norm", [0.0, 0.5])
def test_clipping_is_left_out_and_said(norm: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """DeepSpeed itself goes on with the norm of the checkpoint."""
    load = deepspeed.load

    def clipped(path: Path) -> Any:
        content = load(path)
        about = content.get("optimizer_state_dict", content) if isinstance(content, dict) else {}
        about |= {"clip_grad": norm} if "clip_grad" in about else {}
        return content

    monkeypatch.setattr(deepspeed, "load", clipped)
    for read, folder in (
        (read_zero, ZERO),
        (read_universal, FILES / "universal1"),
    ):
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            read(folder)
        said = [str(x.message) for x in told]
        assert ["a norm of 0.5" in text for text in said] == ([True] if norm else []), said
