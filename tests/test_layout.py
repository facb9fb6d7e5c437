"""Where things lie: small folders."""

from __future__ import annotations

from collections import Counter

from import_graph import DOORS, modules


def test_no_folder_holds_more_than_20_modules() -> None:
    folders = Counter(path.parent for module, path in modules().items() if module not in DOORS)
    assert {str(folder): number for folder, number in folders.items() if number > 20 + 1} == {}  # __init__.py
