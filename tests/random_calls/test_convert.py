"""The converter under random files and options: an exit status as documented, and nothing lost."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paths import ROOT
from random_calls import CALLS, TEXTS, command, damaged, many
from state_samples import made, torch_run

from adamcore import Adam
from adamcore.backends.states.foreign import FORMATS, write

torch = pytest.importorskip("torch")

BEFORE = b"what stood here before"
ENDS = (".safetensors", ".npz", ".pt", ".msgpack", ".json", "", ".keras")
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-5, 2**70), st.floats(), TEXTS)
#: Trees of what PyTorch's files hold, under the words that they use and under others.
KEYS = st.sampled_from(
    ["state", "param_groups", "exp_avg", "exp_avg_sq", "step", "params", "lr", "betas", "optimizer",
     "optimizer_states", "param_names", "m", "v", "t", 0, 1, "a.w"]
)  # fmt: skip
ARRAYS = st.sampled_from([(), (2,), (2, 3), (0,)]).map(lambda shape: torch.ones(shape))
TREES = st.recursive(
    st.one_of(SCALARS, ARRAYS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)


def torch_file(content: Any) -> bytes:
    out = io.BytesIO()
    torch.save(content, out)
    return out.getvalue()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Files of every format that we write, of PyTorch, and of the frameworks that stored theirs."""
    folder = tmp_path_factory.mktemp("files")
    found: dict[str, bytes] = {}
    for kind in FORMATS:
        for end in (".safetensors", ".npz"):
            path = folder / f"{kind}{end}"
            try:
                write(made(Adam(weight_decay=0.25)), path, kind)
            except ValueError:  # a format that has files of its own
                continue
            found[path.name] = path.read_bytes()
    _, optimizer = torch_run(lambda model: torch.optim.AdamW(model.named_parameters()))
    found["torch.pt"] = torch_file({"epoch": 3, "optimizer": optimizer.state_dict()})
    stored = [path for path in (ROOT / "tests" / "data" / "states").rglob("*") if path.is_file()]
    for path in stored:
        if (
            path.suffix in (".msgpack", ".npz", ".safetensors", ".pt", ".bin")
            and path.stat().st_size < 50_000
        ):
            found[f"{path.parent.name}-{path.name}"] = path.read_bytes()
    assert len(found) > 8
    return found


@st.composite
def options(draw: st.DrawFn, folder: Path) -> list[str]:
    """Draw options of ``adamcore convert``: mostly what they take, at times what they do not."""
    words: list[str] = []

    def perhaps(name: str, *values: str, odds: int = 3) -> None:
        if draw(st.integers(0, odds)) == 0:
            words.extend([name, draw(st.one_of(st.sampled_from(values), TEXTS))])

    perhaps("--from", *FORMATS)
    perhaps("--to", *FORMATS, odds=1)
    perhaps("--dialect", "torch.AdamW", "optax.adam", "keras.Adam", "paper")
    perhaps("--as", "torch.AdamW", "optax.adamw", "keras.Adam", "bitsandbytes.Adam")
    perhaps("--set", "b2=0.99", "lr=-1", "amsgrad=True", "epsilon=inside", "eps=nan")
    perhaps("--t", "0", "7", "-3", "99999999999999999999")
    perhaps("--key", "optimizer", "0", "optimizer_states.0")
    perhaps("--accept", "eps", "eps,clock", "nonsense")
    perhaps("--clock", "max", "min", "3")
    if draw(st.integers(0, 2)) == 0:
        words.append("--by-position")
    if draw(st.integers(0, 3)) == 0:
        names = folder / "names.txt"
        names.write_text(
            "\n".join(draw(st.lists(st.sampled_from(["a.w", "b", "c", "0.weight", ""]), max_size=5)))
        )
        words.extend(["--names", draw(st.sampled_from([str(names), "missing.txt"]))])
    if draw(st.integers(0, 3)) == 0:
        mapping = folder / "map.json"
        old = st.one_of(
            st.sampled_from(["a.w", "b", "nobody"]),
            st.fixed_dictionaries(
                {"from": st.sampled_from(["a.w", "b"])}, optional={"axes": TREES, "split": TREES}
            ),
            SCALARS,
        )
        tree = draw(st.one_of(st.dictionaries(st.sampled_from(["x", "y", "a.w"]), old, max_size=3), SCALARS))
        mapping.write_text(json.dumps(tree, default=str))
        words.extend(["--map", str(mapping)])
    return words


@CALLS
def test_random_files_and_options(calls: int, files: dict[str, bytes], tmp_path: Path) -> None:
    ended: set[int] = set()

    @many(calls)
    @given(st.data())
    def run(data: st.DataObject) -> None:
        if data.draw(st.integers(0, 3)) == 0:
            name, content = "tree.pt", torch_file(data.draw(TREES))
        else:
            name = data.draw(st.sampled_from(sorted(files)))
            content = data.draw(damaged(files[name]))
        source = tmp_path / name
        source.write_bytes(content)
        target = tmp_path / f"out{data.draw(st.sampled_from(ENDS))}"
        target.write_bytes(BEFORE)
        words = data.draw(options(tmp_path))
        with np.errstate(all="ignore"):
            status, out, err = command("convert", str(source), str(target), *words)
        ended.add(status)
        assert status in (0, 1, 2), err
        assert source.read_bytes() == content
        if status == 0:
            assert target.read_bytes() != BEFORE
            assert out.startswith(f"{target}: ")
        else:
            assert target.read_bytes() == BEFORE
            assert err.strip(), "a refusal says why"
            assert "Traceback" not in err
        assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith(".")) == [], "a part of a file"

    run()
    assert ended == {0, 1, 2} or calls < 1000, "each kind of end was seen"
    assert len(ended) > 1
