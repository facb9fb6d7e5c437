"""The README does what it says."""

from __future__ import annotations

import re

import pytest
from docs_pages import lost_links
from paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_commands_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"`?make ([a-z]+)", README)):
        assert re.search(rf"^{target}:", makefile, flags=re.M), target


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", "docs/architecture.md"], ids=lambda page: str(page)
)
def test_links_lead_somewhere(page: str) -> None:
    assert lost_links(ROOT / page) == []


def test_it_fits_on_a_page() -> None:
    assert len(README.splitlines()) <= 110


def test_its_results_are_those_of_the_pages() -> None:
    docs = ROOT / "docs"
    score, speed, stored = (
        (docs / name).read_text(encoding="utf-8")
        for name in ("score.md", "performance.md", "results/README.md")
    )

    def number(pattern: str, text: str) -> str:
        return str(re.findall(pattern, text)[0])

    killed = number(r"\| killed \| (\d+ of \d+)", score)
    named = number(r"\| right area named first \| (\d+) of", score)
    right = number(r"\| right and equivalent Adams \| (\d+) and", score)
    equivalent = number(r"\| right and equivalent Adams \| \d+ and (\d+)", score)
    ordered = number(r"orders of evaluation \| (\d+), no alarm", score)
    assert number(r"\| false alarms \| (\d+)", score) == "0"
    assert f"{killed}, the right cause named first in {named}" in README
    assert f"no false alarm on {int(right) + int(equivalent) + int(ordered)} right ones" in README
    torch = number(r"\| torch.optim.Optimizer, to fused=True, 16M, training \| ([\d.]+)", speed)
    optax = number(r"\| JAX, to optax under jit with donation, 16M, training \| ([\d.]+)", speed)
    assert f"{torch} of PyTorch's `fused=True`, {optax} of optax under jit" in README
    for library in ("PyTorch", "Keras", "flax", "optax"):
        theirs, ours = re.findall(rf"\| \[{library} [^|]*\|[^|]*\| (\d+) \| (\d+) \|", stored)[0]
        assert f"{library} {ours} of {theirs}" in README
