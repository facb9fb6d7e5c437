"""Progress of long work: told to whoever watches, and to nobody else."""

from __future__ import annotations

from adamcore.conformance.progress import followed, watched


def test_a_watcher_is_told_the_share_that_is_done() -> None:
    seen: list[tuple[str, float]] = []
    with watched(lambda what, share: seen.append((what, share))):
        assert list(followed([1, 2, 3, 4], "counting")) == [1, 2, 3, 4]
    assert seen == [("counting", share) for share in (0.0, 0.25, 0.5, 0.75)]
    assert list(followed([1, 2], "counting")) == [1, 2]
    assert len(seen) == 4
