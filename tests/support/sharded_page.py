"""A case of :mod:`ranks`: the examples of docs/sharding.md, in the order of the page."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import torch.distributed as dist
from ranks import ROOT, only_on


def printed(block: str) -> list[str]:
    return re.findall(r"# prints (.*)", block)


@only_on(2)
def case_the_examples_run(folder: Path) -> None:
    page = (ROOT / "docs" / "sharding.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.M | re.S)
    assert len(blocks) == 5
    for block in blocks:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(block, "docs/sharding.md", "exec"), {"__name__": "__main__"})
        if dist.get_rank() == 0:
            assert out.getvalue().splitlines() == printed(block), block
