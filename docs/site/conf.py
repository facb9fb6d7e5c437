"""The settings of Sphinx for the site; docs/generate/build_site.py calls it."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

project = PROJECT["name"]
author = "the adamcore authors"
copyright = author  # noqa: A001 - Sphinx' name
version = release = PROJECT["version"]

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "site_extension",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
nitpicky = True
# What is not ours has no page here: the site needs no network, so no inventory of another project either.
nitpick_ignore_regex = [
    ("py:.*", r"(?!adamcore\b).*"),
    ("py:mod", r"adamcore\..*"),  # a module that a sentence of the source refers its readers to
    # Types of the project's own modules in signatures, which users pass on and do not make.
    (
        "py:(class|obj)",
        r"adamcore\.(storage|backends\.io|backends\.states\.(maps|named))\..*|adamcore\.protocol\.Row",
    ),
    ("py:func", r"adamcore\.conformance\.candidates\.base\.cast"),
]
suppress_warnings = ["ref.python"]  # a name such as `m` that several classes have

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_fence_as_directive = ["math"]
myst_heading_anchors = 4
myst_dmath_allow_digits = False
myst_dmath_allow_space = False

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True}
python_use_unqualified_type_names = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = f"adamcore {version}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_math_renderer = "mathml"
highlight_language = "text"
pygments_style = "a11y-high-contrast-light"  # of accessible-pygments, which furo brings
pygments_dark_style = "github-dark-high-contrast"
