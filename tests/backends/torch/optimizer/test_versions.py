"""Whether dictionaries were changed: each way to change one is seen."""

from __future__ import annotations

import sys
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("llvmlite")

from adamcore.backends.torch.optimizer import versions

CHANGES: list[Callable[[dict[Any, Any]], Any]] = [
    lambda d: d.__setitem__("a", 5), lambda d: d.__delitem__("a"), lambda d: d.update(b=1),
    lambda d: d.setdefault("z"), lambda d: d.pop("a"), lambda d: d.popitem(), lambda d: d.clear(),
    lambda d: d.__ior__({"a": 7}), lambda d: d.__init__(a=8),  # type: ignore[misc]
]  # fmt: skip

seen = pytest.mark.skipif(not versions.known(), reason="this interpreter's dictionaries have no version")


def test_versions_are_known_where_there_are_some() -> None:
    assert versions.known() is (sys.implementation.name == "cpython" and sys.version_info < (3, 14))


@seen
@pytest.mark.parametrize("count", [1, 3, 40])
@pytest.mark.parametrize("kind", [dict, lambda items: defaultdict(dict, items)])
def test_each_change_is_seen(kind: Any, count: int) -> None:
    for change in CHANGES:
        dicts = [kind({"a": k, "c": 3}) for k in range(count)]
        watched = versions.DictVersions(dicts)
        stamp = watched.stamp()
        assert stamp is not None
        assert [dict(d) for d in dicts]
        assert watched.stamp() == stamp
        change(dicts[-1])
        assert watched.stamp() not in (stamp, None)


def test_of_other_mappings_nothing_is_known() -> None:
    class Own(dict[Any, Any]):
        pass

    assert versions.DictVersions([{}, OrderedDict(a=1)]).stamp() is None
    assert versions.DictVersions([Own()]).stamp() is None


def test_an_interpreter_without_versions_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    for place in (versions.VERSION - 8, versions.VERSION + 8):  # the number of items, the keys
        monkeypatch.setattr(versions, "VERSION", place)
        assert not versions.known.__wrapped__()
    monkeypatch.setattr(versions, "known", lambda: False)
    assert versions.DictVersions([{}]).stamp() is None
