"""docs/scale.md: bytes, time and network of a step for large models on many accelerators.

``python docs/generate/scale_page.py [FILE]`` writes the page.  Each number on it comes out of one formula
below; the bytes of a parameter are those that ``Adam.init`` allocates, and the fraction of the bandwidth is
that of a stored run.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from adamcore import Adam

FILE = Path(__file__).resolve().parents[1] / "scale.md"
RUN = FILE.parent / "results" / "bench-cpu.json"
SAMPLE = 1 << 16  #: elements of the array that is measured
GB = 1e9


class Hardware(NamedTuple):
    """What a vendor states of one accelerator."""

    name: str
    memory: float  #: bytes
    bandwidth: float  #: of its memory, bytes a second
    inside: float  #: to its neighbours in a machine, each way, bytes a second
    outside: float  #: to other machines, each way
    machine: int  #: accelerators in a machine


H100 = Hardware("H100 SXM", 80 * GB, 3.35e12, 450 * GB, 50 * GB, 8)
MODELS = {"7B": 7e9, "70B": 70e9, "1T": 1e12}
DEVICES = (8, 64, 512, 4096, 16384)
#: The arrays and policies: title, dtype of the parameters, what Adam is told.
POLICIES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("float32", "float32", {}),
    ("bfloat16, moments in bfloat16", "bfloat16", {}),
    ("bfloat16, moments in float32", "bfloat16", {"moment_dtype": "float32"}),
    ("`master`", "bfloat16", {"p_storage": "master", "moment_dtype": "float32"}),
    ("`split`", "bfloat16", {"p_storage": "split", "moment_dtype": "float32"}),
    ("`split8`", "bfloat16", {"p_storage": "split8", "moment_dtype": "float32"}),
    ("`kahan`, moments in bfloat16", "bfloat16", {"p_storage": "kahan"}),
    ("`stochastic`, moments in bfloat16", "bfloat16", {"p_storage": "stochastic"}),
    (
        "`split`, moments in 8 bits",
        "bfloat16",
        {"p_storage": "split", "m_storage": "companded8", "v_storage": "companded8"},
    ),
)
LAUNCH = 5e-6  #: seconds that it takes to start a kernel
LEAVES = 300  #: arrays of a model; those of a 7B transformer

# Formulas --------------------------------------------------------------------------------------------


class Bytes(NamedTuple):
    """Bytes of one parameter."""

    p: float  #: itself
    state: float  #: all that the optimizer keeps beside it
    g: float  #: its gradient

    @property
    def moved(self) -> float:
        """What a step reads and writes: all is read, and all but the gradient is written."""
        return 2 * (self.p + self.state) + self.g


def measured_bytes(dtype: str, axes: dict[str, Any]) -> Bytes:
    """Return the bytes of a parameter, from what is allocated for a sample."""
    p = np.zeros(SAMPLE, ml_dtypes.bfloat16 if dtype == "bfloat16" else np.float32)
    state = Adam(**axes).init(p)
    kept = sum(x.nbytes for x in state[1:] if x is not None)
    return Bytes(p.nbytes / SAMPLE, kept / SAMPLE, p.nbytes / SAMPLE)


def fraction() -> float:
    """Return the share of the memory's bandwidth that a step reaches, by the stored run; at most 1."""
    rows = json.loads(RUN.read_text(encoding="utf-8"))["rows"]
    wanted = ("torch", "gpt2-31M", "training", "adamcore.backends.torch.Adam")
    [row] = [r for r in rows if (r["framework"], r["work"], r["situation"], r["name"]) == wanted]
    return min(1.0, 1 / float(row["of_floor"]))  # the floor is measured, and may take longer than a step


def memory(x: Bytes, n: float, layout: str, devices: int) -> float:
    """Return the bytes in one accelerator: parameters, gradients and state."""
    whole, parts = {
        "replicated": (x.p + x.g + x.state, 0.0),
        "ZeRO-1": (x.p + x.g, x.state),
        "FSDP": (0.0, x.p + x.g + x.state),
    }[layout]
    return n * (whole + parts / devices)


def step_time(x: Bytes, n: float, layout: str, devices: int) -> float:
    """Return the seconds in which one accelerator steps its part."""
    mine = n if layout == "replicated" else n / devices
    return mine * x.moved / (H100.bandwidth * fraction())


def sent(x: Bytes, n: float, layout: str, devices: int) -> float:
    """Return the bytes that one accelerator sends for one training step, by rings.

    A ring sends ``(devices - 1) / devices`` of an array to gather or scatter it, and twice that to reduce it.
    """
    once = n * (devices - 1) / devices
    return once * {"replicated": 2 * x.g, "ZeRO-1": x.g + x.p, "FSDP": x.g + 2 * x.p}[layout]


def network_time(x: Bytes, n: float, layout: str, devices: int) -> float:
    """Return the seconds that this takes at least, at the slowest link of the ring."""
    return sent(x, n, layout, devices) / (H100.inside if devices <= H100.machine else H100.outside)


def least_devices(x: Bytes, n: float, layout: str) -> int | None:
    """Return how many accelerators it takes until all of it fits; None if it never does."""
    fits = (d for d in (2**k for k in range(15)) if memory(x, n, layout, d) <= H100.memory)
    return next(fits, None)


# The page ---------------------------------------------------------------------------------------------


def number(x: float) -> str:
    """Return a number with three digits.

    >>> number(1234.5), number(0.01234), number(12.0)
    ('1,230', '0.0123', '12')
    """
    rounded = float(f"{x:.3g}")
    return f"{rounded:,.0f}" if rounded >= 100 else f"{rounded:.6g}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table, its numbers on the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def policies() -> list[tuple[str, Bytes]]:
    return [(title, measured_bytes(dtype, axes)) for title, dtype, axes in POLICIES]


def bytes_table() -> str:
    rows = [
        [title, *map(number, (x.p, x.state, x.g, x.p + x.state + x.g, x.moved))] for title, x in policies()
    ]
    return table(["", "parameter", "state", "gradient", "in all", "moved in a step"], rows)


def memory_table(n: float) -> str:
    rows = []
    for title, x in policies():
        cells = [memory(x, n, "replicated", 1)]
        cells += [memory(x, n, layout, d) for layout in ("ZeRO-1", "FSDP") for d in DEVICES]
        rows.append(
            [title, *(f"**{number(c / GB)}**" if c <= H100.memory else number(c / GB) for c in cells)]
        )
    head = ["", "replicated", *(f"{layout}, {d:,}" for layout in ("ZeRO-1", "FSDP") for d in DEVICES)]
    return table(head, rows)


def time_table(n: float) -> str:
    rows = [
        [
            title,
            number(1e3 * step_time(x, n, "replicated", 1)),
            *(number(1e3 * step_time(x, n, "FSDP", d)) for d in DEVICES),
        ]
        for title, x in policies()
    ]
    return table(["", "replicated", *(f"in {d:,} parts" for d in DEVICES)], rows)


def network_table(n: float) -> str:
    rows = []
    for dtype in ("float32", "bfloat16"):
        x = measured_bytes(dtype, {})
        for layout in ("replicated", "ZeRO-1", "FSDP"):
            cells = [
                f"{number(sent(x, n, layout, d) / GB)} GB, {number(1e3 * network_time(x, n, layout, d))} ms"
                for d in DEVICES
            ]
            rows.append([f"{layout}, {dtype}", *cells])
    return table(["", *(f"{d:,}" for d in DEVICES)], rows)


def fits_table() -> str:
    rows = []
    for title, x in policies():
        found = [least_devices(x, n, layout) for n in MODELS.values() for layout in ("ZeRO-1", "FSDP")]
        rows.append([title, *("never" if d is None else f"{d:,}" for d in found)])
    return table(["", *(f"{name}, {layout}" for name in MODELS for layout in ("ZeRO-1", "FSDP"))], rows)


def launch_devices(n: float) -> int:
    """Return from how many parts on it takes longer to start kernels than to step a part."""
    x = measured_bytes("float32", {})
    return next(d for d in (2**k for k in range(40)) if step_time(x, n, "FSDP", d) < LEAVES * LAUNCH)


def page() -> str:
    """Return the text of docs/scale.md."""
    plain = measured_bytes("float32", {})
    share = step_time(plain, MODELS["70B"], "FSDP", 512) / network_time(plain, MODELS["70B"], "FSDP", 512)
    launches = ", ".join(f"{name}: {launch_devices(n):,}" for name, n in MODELS.items())
    parts = [
        HEAD.format(
            fraction=f"{fraction():.2f}",
            memory=number(H100.memory / GB),
            bandwidth=number(H100.bandwidth / 1e12),
            inside=number(H100.inside / GB),
            outside=number(H100.outside / GB),
        ),
        "## Bytes of a parameter\n\n" + bytes_table(),
        BREAKS.format(
            fits=fits_table(),
            share=f"{100 * share:.1g}",
            launches=launches,
            leaves=LEAVES,
            launch=number(LAUNCH * 1e6),
        ),
    ]
    for name, n in MODELS.items():
        parts.append(f"## {name} parameters")
        parts.append(
            "Memory of one accelerator, in GB: parameters, gradients and state, without activations. "
            "**What fits** is bold.\n\n" + memory_table(n)
        )
        parts.append(
            "Time of the step alone, in ms. ZeRO-1 and FSDP have the same parts.\n\n" + time_table(n)
        )
        parts.append("What one accelerator sends for one training step.\n\n" + network_table(n))
    return "\n\n".join(parts) + "\n"


HEAD = """# Scale: large models on many accelerators

<!-- Written by `make pages`; do not edit. -->

This page is arithmetic, no measurement: nobody has run these models with this project. Its formulas
stand in [`scale_page.py`](generate/scale_page.py), each once. What goes in:

- **Bytes of a parameter** are those that `Adam.init` allocates.
- **Time** is the bytes that a step moves, over {fraction} of the memory's bandwidth. This is the
  fraction that PyTorch's optimizer reaches on the CPU in a [stored run](results/README.md), in a
  training, on a list of GPT-2's arrays; no accelerator has been measured. It holds for a step that
  passes over memory once. A policy whose step is made operation by operation takes several times as
  long ([performance.md](performance.md)).
- **The accelerator** has {memory} GB of memory at {bandwidth} TB/s, sends {inside} GB/s each way inside
  a machine of eight and {outside} GB/s each way between machines: [NVIDIA's H100
  SXM](https://www.nvidia.com/en-us/data-center/h100/), NVLink with 900 GB/s both ways together, in a
  [DGX H100](https://docs.nvidia.com/dgx/dgxh100-user-guide/) with a network card of 400 Gb/s for each.
- **Network** counts what a ring sends, without latency and without overlap: an all-reduce of the
  gradients (replicated), a reduce-scatter of them and an all-gather of the parameters (ZeRO-1), a
  reduce-scatter and two all-gathers (FSDP). The step itself sends nothing, whatever the layout."""

BREAKS = """## What breaks first

**Memory**, for everything that is not divided. So many accelerators, as a power of two, it takes until
parameters, gradients and state fit in one (activations come on top):

{fits}

**The network**, long before the optimizer: with 70B parameters in float32 on 512 accelerators under
FSDP the step takes {share} % of the time that parameters and gradients take on the network. To divide
the step further gains nothing there; fewer bytes of parameters and gradients do, and `p_storage` leaves
these in 16 bits.

**Starting kernels**, where parts are small. Say that a kernel takes {launch} microseconds to start, and
a model has {leaves} arrays. To start one for each array in float32 then takes longer than to step its
part, from so many parts on: {launches}. One launch for a list of arrays, as on CUDA here, puts this
off.

**Small arrays**: a bias of 4,096 elements has nothing for most of 16,384 accelerators, whose clocks
have to tick all the same.

**Numbers of elements**: the random bits of `stochastic` come from the number of an element in 32 bits.
In an array of more than 2^32 elements (4.3 billion; the largest array of a 1T model may have that many)
two elements that far apart get the same bits."""


if __name__ == "__main__":
    Path(*sys.argv[1:2] or [str(FILE)]).write_text(page(), encoding="utf-8")
