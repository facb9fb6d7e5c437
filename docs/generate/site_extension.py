"""What the site needs of Sphinx beyond its own: MathML, links from rules to their clauses, no name forgotten.

Equations become MathML when the site is built, so that a page needs no script and no network for them.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.logging import getLogger

logger = getLogger(__name__)

ROOT = Path(__file__).resolve().parents[2]
RULE = re.compile(
    r"(?<![\w.])(?:(?:MOM|BC|EPS|DEC|AMS|NES|MAX|STEP|CLK|LR|CPX|NF|NUM|STATE|STORE|SCALE|CLIP|SPARSE)\.\d+|F[1-6])"
    r"(?![\w.]*\w)"
)
SPEC = "spec"  #: the page with the rules
#: Modules whose ``__all__`` is for the project's own modules and for old import paths.
INTERNAL = {
    "adamcore.lane",
    "adamcore.step",
    "adamcore.backends.jax.fast",
    "adamcore.backends.states.canonical",
    "adamcore.backends.torch.optimizer",
    "adamcore.backends.torch_optimizer",
    "adamcore.conformance.cli",
}


def setup(app: Sphinx) -> dict[str, Any]:
    """Register everything with Sphinx."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    app.add_post_transform(RuleLinks)
    app.connect("doctree-read", name_rules)
    app.connect("env-check-consistency", check_public_names)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


# Equations ---------------------------------------------------------------------------------------


def visit_inline(translator: Any, node: nodes.Element) -> None:
    """Write an equation inside a line."""
    translator.body.append(tex2mathml(node.astext()))
    raise nodes.SkipNode


def visit_block(translator: Any, node: nodes.Element) -> None:
    """Write an equation of its own, which scrolls where it is wider than the page."""
    translator.body.append(
        f'<div class="equation" tabindex="0">{tex2mathml(node.astext(), as_block=True)}</div>'
    )
    raise nodes.SkipNode


# Rules -------------------------------------------------------------------------------------------


def name_rules(app: Sphinx, tree: nodes.document) -> None:
    """Give the section of each rule the rule's own name as an anchor: spec.html#MOM.4."""
    if app.env.docname == SPEC:
        for section in tree.findall(nodes.section):
            title = section.next_node(nodes.title)
            rule = "" if title is None else title.astext().split()[0]
            if RULE.fullmatch(rule):
                section["ids"].append(rule)


class RuleLinks(SphinxPostTransform):
    """Make a link to its clause of each rule that a text names."""

    default_priority = 900

    def run(self, **_: Any) -> None:
        """Replace each text that names rules by links and the text between them."""
        document = self.env.docname
        if document.startswith(("source/", "project/changelog")):
            return
        for text in list(self.document.findall(nodes.Text)):
            if RULE.search(text) and not inside_link(text):
                parts = list(self.linked(text.astext(), document))
                text.parent.replace(text, parts)

    def linked(self, text: str, document: str) -> Iterator[nodes.Node]:
        """Yield the text with the rules in it as links."""
        end = 0
        page = "" if document == SPEC else self.app.builder.get_relative_uri(document, SPEC)
        for match in RULE.finditer(text):
            yield nodes.Text(text[end : match.start()])
            link = nodes.reference("", match[0], refuri=f"{page}#{match[0]}", internal=True, classes=["rule"])
            yield link
            end = match.end()
        yield nodes.Text(text[end:])


def inside_link(text: nodes.Node) -> bool:
    """True if a text is code, a title or a link already."""
    node = text.parent
    while node is not None:
        if isinstance(node, nodes.reference | nodes.title | nodes.literal_block | nodes.raw):
            return True
        node = node.parent
    return False


# Public names ------------------------------------------------------------------------------------


def public_names() -> set[str]:
    """Return the full name of each name in an ``__all__`` that users are told of."""
    found = set()
    for folder, package in (("adamcore", "adamcore"), ("backends", "adamcore.backends"),
                            ("conformance", "adamcore.conformance")):  # fmt: skip
        for path in sorted((ROOT / folder).rglob("*.py")):
            relative = path.relative_to(ROOT / folder).with_suffix("")
            if "backends" in relative.parts[:1] or "conformance" in relative.parts[:1]:
                continue  # the links in adamcore/ to the other two folders
            module = ".".join([package, *relative.parts]).removesuffix(".__init__")
            if module not in INTERNAL:
                found |= {f"{module}.{name}" for name in exported(path)}
    return found


def exported(path: Path) -> list[str]:
    """Return the ``__all__`` of a module, or [] if it has none."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    return []


def check_public_names(app: Sphinx, env: Any) -> None:
    """Warn, which fails the build, of a public name that the reference does not have."""
    documented = set(env.get_domain("py").objects)
    missing = []
    for name in sorted(public_names()):
        module, _, attribute = name.rpartition(".")
        value = getattr(importlib.import_module(module), attribute)
        home = f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', '')}"
        if name not in documented and home not in documented:
            missing.append(name)
    for name in missing:
        logger.warning("%s is public and not in docs/site/api", name)
