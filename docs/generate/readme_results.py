"""The table of results in README.md, from the pages and the stored results.

``python docs/generate/readme_results.py [FILE]`` writes it between its two marks.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1]
README = DOCS.parent / "README.md"
BEGIN, END = "<!-- Written by `make pages` from here on -->\n", "<!-- to here -->\n"
PEERS = ("PyTorch", "Keras", "flax", "optax")


def with_results(readme: str) -> str:
    """Return the README with its table of results as the pages have them."""
    before, _, rest = readme.partition(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}"


def table() -> str:
    """Return the table."""
    rows = [("result", "command", "date"), ("---", "---", "---"), guide(), score(), speed(), peers()]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def guide() -> tuple[str, str, str]:
    """Return the row on other people's Adams."""
    page = text("field-guide/README.md")
    measured = one(r"- (\d+ of \d+) entries have a verdict", page)
    adams, named = one(r"- Of (\d+) Adams", page), one(r"Adams, (\d+) are identified", page)
    misses, apart = one(r"- Of (\d+) near misses", page), one(r"near misses, (\d+) are told", page)
    stored = [
        json.loads(path.read_text(encoding="utf-8")) for path in (DOCS / "results/fieldguide").glob("*.json")
    ]
    return (
        f"[Field guide](docs/field-guide/README.md): {measured} implementations of the world measured; "
        f"{named} of {adams} Adams identified without being told, {apart} of {misses} near misses told apart",
        "`make fieldguide`",
        max(document["date"] for document in stored)[:10],
    )


def score() -> tuple[str, str, str]:
    """Return the row on the corpus of right and wrong Adams."""
    page = text("score.md")
    killed = one(r"\| killed \| (\d+ of \d+)", page)
    named = one(r"\| right area named first \| (\d+) of", page)
    right = sum(map(int, re.findall(r"\| right and equivalent Adams \| (\d+) and (\d+)", page)[0]))
    right += int(one(r"\| right Adams in generated orders of evaluation \| (\d+), no alarm", page))
    alarms = one(r"\| false alarms \| (\d+)", page)
    return (
        f"[Score](docs/score.md): {killed} wrong Adams found, the right cause named first in {named}; "
        f"{alarms} false alarms on {right} right ones",
        "`make score`",
        date("the suite's score"),
    )


def speed() -> tuple[str, str, str]:
    """Return the row on the time of a step."""
    page = text("performance.md")
    torch = one(r"\| torch.optim.Optimizer, to fused=True, 16M, training \| ([\d.]+)", page)
    optax = one(r"\| JAX, to optax under jit with donation, 16M, training \| ([\d.]+)", page)
    return (
        f"[Speed](docs/performance.md): a step of 16 million elements takes {torch} of the time of PyTorch's "
        f"`fused=True`, and {optax} of that of optax under jit; the page has what is slower",
        "`adamcore bench`",
        date("time of a step, on the CPU"),
    )


def peers() -> tuple[str, str, str]:
    """Return the row on the tests of other libraries."""
    page = text("results/README.md")
    counts = [re.findall(rf"\| \[{name} [^|]*\|[^|]*\| (\d+) \| (\d+) \|", page)[0] for name in PEERS]
    said = ", ".join(f"{name} {ours} of {theirs}" for name, (theirs, ours) in zip(PEERS, counts, strict=True))
    return (
        f"[Peers' own tests](docs/results/README.md#peers-own-tests), passed with our optimizers in place of "
        f"theirs: {said}",
        "`python benchmarks/peers/run.py`",
        "2026-11-28",
    )


def date(run: str) -> str:
    """Return the day of a run, from the table of docs/results/README.md."""
    return one(rf"^\| {re.escape(run)} \|.*\| (\d{{4}}-\d\d-\d\d) \|", text("results/README.md"))


def text(page: str) -> str:
    """Return the text of a page of docs/."""
    return (DOCS / page).read_text(encoding="utf-8")


def one(pattern: str, page: str) -> str:
    """Return the only group of a pattern, where a page has it."""
    found = re.search(pattern, page, re.M)
    assert found, f"no {pattern!r} on the page"
    return found[1]


def write(path: Path = README) -> None:
    """Write the table in the README at ``path``."""
    path.write_text(with_results(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    write(Path(*sys.argv[1:2] or [str(README)]))
