"""The kernels' text: made of the definition alone, and what NVIDIA's compiler makes of it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from cuda_texts import DOUBLE, FLOAT, HALVES, tickings

from adamcore import Adam
from adamcore.backends.kernels.cuda import kernel as cuda
from adamcore.backends.kernels.cuda.coefficients import ClockKernel
from adamcore.backends.kernels.cuda.table import LARGE, SMALL
from adamcore.backends.kernels.formats import SIZES, Format


def test_every_operation_stands_there() -> None:
    for ticking in tickings().values():
        made = ticking.program
        text = cuda.text(made, FLOAT, True, SMALL)
        for op in made.ops:
            assert text.count(f"const real {op.out} = ") == 2  # in the loop over vectors, and in the rest
        assert text.count("= (float)") == 2 * len(made.outputs)
        for name in made.coefficients:
            assert re.search(rf"struct Row {{ float[^}}]* {name}[,;]", text)
        assert "real v_max_ = v_max" in text or "v_max" not in made.inputs


def test_results_beside_or_in_place() -> None:
    made = ClockKernel(Adam(amsgrad="uncorrected")).program
    assert cuda.arrays(made, True) == ["p", "g", "m", "v", "v_max"]
    assert cuda.arrays(made, False) == ["p", "g", "m", "v", "v_max", "p_new", "m_new", "v_new", "v_max_new"]
    text = cuda.text(made, FLOAT, False, SMALL)
    assert not re.search(r"[^_](p|m|v|v_max)\[j\] = ", text)
    assert len(re.findall(r"[^_](p|m|v|v_max)\[j\] = ", cuda.text(made, FLOAT, True, SMALL))) == 4


# ------------------------------------------------------------------- NVIDIA's own compiler


@pytest.fixture(scope="module")
def ptx(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The kernels in NVIDIA's portable assembly, by name; all compiled in one go, and assembled."""
    for tool in ("nvcc", "ptxas"):
        if shutil.which(tool) is None:
            pytest.skip(f"no {tool} to compile the kernels with")
    texts: dict[str, str] = {}
    for k, ticking in enumerate(tickings().values()):
        for kinds in (FLOAT, DOUBLE, *(HALVES if k % 8 == 0 else [])):
            name = "_".join(map(str, (k, *kinds)))
            texts[f"update_{name}"] = cuda.text(ticking.program, kinds, k % 3 > 0, LARGE)
        for work in ("float32", "float64"):
            texts[f"tick_{k}_{work}"] = ticking.text(work, SMALL)
    texts["fill_0"] = cuda.fill_text("float32", SMALL)
    folder = tmp_path_factory.mktemp("cuda")
    source = ""
    for k, (name, text) in enumerate(texts.items()):  # side by side, each under a name of its own
        renamed = re.sub(rf"\b{name.partition('_')[0]}\(", f"{name}(", text)
        source += f"namespace n{k} {{ {renamed} }}\n"
    (folder / "all.cu").write_text(source)
    command = ["nvcc", "-arch=sm_90", "-std=c++17", *cuda.OPTIONS, "-w", "-ptx", "-o", "all.ptx", "all.cu"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    done = subprocess.run(
        ["ptxas", "-arch=sm_90", "-v", "-o", "all.cubin", "all.ptx"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = {"ptxas": done.stderr}
    for each in (folder / "all.ptx").read_text().split(".visible .entry ")[1:]:
        found[each.partition("(")[0]] = each
    assert found.keys() >= texts.keys()
    return found


def count(text: str, pattern: str) -> int:
    return len(re.findall(rf"^\s*(?:@\S+\s+)?{pattern}", text, re.MULTILINE))


def test_nothing_is_fused(ptx: dict[str, str]) -> None:
    """Every operation is rounded to the nearest, by itself; one without ``.rn`` might yet be fused."""
    for name, text in ptx.items():
        if name.startswith("update"):
            assert count(text, r"fma\.") == count(text, r"mad\.[^\s]*f") == 0
            assert count(text, r"(add|sub|mul)\.(?!rn\.)[a-z.]*f(32|64)") == 0
            assert count(text, r"(div|sqrt)\.(?!rn\.)[a-z.]*f(32|64)") == 0
            assert ".ftz" not in text
            assert count(text, r"div\.rn\.f(32|64)") > 0 < count(text, r"sqrt\.rn\.f(32|64)")


def test_accesses_of_16_bytes(ptx: dict[str, str]) -> None:
    for name, text in ptx.items():
        if not name.startswith("update"):
            continue
        k, *kinds = name.split("_")[1:]
        made = list(tickings().values())[int(k)].program
        dtypes = Format(*kinds)  # type: ignore[arg-type]
        lanes = 16 // max(SIZES[kind] for kind in dtypes.stored)
        for words in (4, 2, 1):
            wide = rf"cg\.{f'v{words}.' if words > 1 else ''}u32"
            read = [name for name in made.inputs if SIZES[dtypes.of(name)] * lanes == 4 * words]
            written = [name for name, _ in made.outputs if name in read]
            assert count(text, rf"ld\.global\.{wide}") == len(read), name
            assert count(text, rf"st\.global\.{wide}") == len(written), name
        assert lanes * max(SIZES[kind] for kind in dtypes.stored) == 16


def test_no_table_in_local_memory(ptx: dict[str, str]) -> None:
    """A table that is indexed where it came with the launch, not copied by every thread; and no spill."""
    assert "32000 bytes stack frame" not in ptx["ptxas"]
    assert not re.search(r"[1-9]\d* bytes (stack frame|spill)", ptx["ptxas"])
    registers = [int(x) for x in re.findall(r"Used (\d+) registers", ptx["ptxas"])]
    assert max(registers) <= 128  # two blocks of 256 threads at the least


def test_the_text_is_all_there_is(tmp_path: Path) -> None:
    """NVRTC has no header of CUDA: none may be asked for."""
    for ticking in list(tickings().values())[:3]:
        texts = [cuda.text(ticking.program, kinds, True, SMALL) for kinds in (FLOAT, *HALVES)]
        assert not any("#include" in text for text in [*texts, ticking.text("float64", SMALL)])
