"""The pages of the site as Sphinx reads them, gathered in one folder.

They are the pages of docs/, the pages of docs/site/, the project's own (README, CHANGELOG, ...), and a page
with the text of every file of the repository that one of them links to, so that no link leaves the site.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import spec_facts

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
#: pages from elsewhere in the repository, and their places in the site
PROJECT = {
    "README.md": "project/readme.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "CHANGELOG.md": "project/changelog.md",
    "findings/README.md": "project/findings.md",
}
NOT_PAGES = ("generate", "site", "interactive")  #: folders of docs/ without pages of its own
#: what a page of the repository has in the site alone, before its text and after it
IN_THE_SITE = {
    "field-guide/README.md": (
        "---\nhide-toc: true\n---\n\n",  # its table needs the room
        "\n```{toctree}\n:hidden:\n:glob:\n\n*\n```\n",
    ),
}
LANGUAGES = {
    ".c": "c", ".js": "javascript", ".json": "json", ".md": "markdown", ".py": "python", ".sh": "bash",
    ".toml": "toml", ".yml": "yaml",
}  # fmt: skip
FENCE = re.compile(r"^( *)(`{3,}|~{3,}).*?^\1\2`*$", re.M | re.S)
LINK = re.compile(r"(!?\[(?:[^\[\]]|\[[^\[\]]*\])*\]\()([^)\s]+)(\))|((?:src|href)=\")([^\"]+)(\")")


def stage(folder: Path) -> None:
    """Write the pages to a folder, in which nothing else is left."""
    wanted = dict(pages())
    requested: dict[str, str] = {}
    for place, origin in list(wanted.items()):
        if origin.suffix == ".md" and DOCS / "site" not in origin.parents:
            text = origin.read_text(encoding="utf-8")
            if place == "spec.md":
                text = spec_facts.with_facts(text)
            before, after = IN_THE_SITE.get(place, ("", ""))
            write_page(folder / place, before + relinked(text, origin, place, requested) + after)
        else:
            copy(origin, folder / place)
    for place, path in requested.items():
        write_page(folder / place, source_page(ROOT / path))
        wanted[place] = ROOT / path
    for found in sorted(folder.rglob("*")):
        if found.is_file() and found.relative_to(folder).as_posix() not in wanted:
            found.unlink()


def pages() -> Iterator[tuple[str, Path]]:
    """Yield each page and picture: its place in the site, and the file that it is made of."""
    for name, place in PROJECT.items():
        yield place, ROOT / name
    for path in sorted(DOCS.rglob("*")):
        relative = path.relative_to(DOCS)
        if path.suffix in (".md", ".svg", ".png") and relative.parts[0] not in NOT_PAGES:
            yield relative.as_posix(), path
    for path in sorted((DOCS / "site").rglob("*")):
        if path.suffix in (".md", ".rst"):
            yield path.relative_to(DOCS / "site").as_posix(), path


def place_of(path: Path) -> str | None:
    """Return where a file of the repository stands in the site; None if only its text can be shown."""
    relative = path.relative_to(ROOT).as_posix()
    if relative in PROJECT:
        return PROJECT[relative]
    inside = path.is_relative_to(DOCS) and path.relative_to(DOCS).parts[:1]
    if inside and inside[0] == "interactive":
        return path.relative_to(DOCS).as_posix()
    if inside and inside[0] not in NOT_PAGES and path.suffix in (".md", ".svg", ".png"):
        return path.relative_to(DOCS).as_posix()
    return None


def relinked(text: str, origin: Path, place: str, requests: dict[str, str]) -> str:
    """Return the text of a page with its links as they are in the site.

    Args:
        text: the page.
        origin: its file, which its links start from.
        place: its place in the site.
        requests: takes the pages of source text that the links lead to.
    """

    def link(match: re.Match[str]) -> str:
        before, target, after = match.group(1, 2, 3) if match[2] else match.group(4, 5, 6)
        name, mark, anchor = target.partition("#")
        path = Path(os.path.normpath(origin.parent / name))
        if not name or "://" in name or name.startswith("mailto:") or not path.exists():
            return match[0]
        new = place_of(path)
        if new is None:
            new = f"source/{path.relative_to(ROOT).as_posix()}.md"
            requests[new] = path.relative_to(ROOT).as_posix()
            mark = anchor = ""
        there = os.path.relpath(new, Path(place).parent)
        if new.startswith("interactive/") and match[2]:  # no page of Sphinx', and nothing to download
            return f'<a href="{there}">{before[1:-2]}</a>'
        return before + there + mark + anchor + after

    out, end = [], 0
    for fence in FENCE.finditer(text):
        out += [LINK.sub(link, text[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*out, LINK.sub(link, text[end:])])


def source_page(path: Path) -> str:
    """Return a page with the text of a file, or with the names in a folder."""
    head = f"---\norphan: true\n---\n\n# `{path.relative_to(ROOT).as_posix()}`\n\n"
    if path.is_dir():
        return head + "\n".join(f"- `{each.name}`" for each in sorted(path.iterdir())) + "\n"
    fence = "`" * 8
    return f"{head}{fence}{LANGUAGES.get(path.suffix, 'text')}\n{path.read_text(encoding='utf-8')}{fence}\n"


def write_page(path: Path, text: str) -> None:
    """Write a page if it has changed, so that Sphinx reads again only what has."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def copy(origin: Path, path: Path) -> None:
    """Copy a file if it has changed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_bytes() != origin.read_bytes():
        shutil.copyfile(origin, path)
