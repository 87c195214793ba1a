from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.versions import content_prefix, is_version, next_version, published_at

SHA = "3f2a9c1b" + "0" * 56
times = st.datetimes(datetime(2000, 1, 1), datetime(2900, 1, 1), timezones=st.just(UTC))


def test_a_version_tells_when_it_was_published_and_what_its_content_is() -> None:
    version = next_version(None, SHA, datetime(2026, 11, 23, 21, 45, 0, 999999, UTC))
    assert version == "20261123T214500Z-3f2a9c1b"
    assert published_at(version) == datetime(2026, 11, 23, 21, 45, tzinfo=UTC)
    assert content_prefix(version) == "3f2a9c1b"


def test_the_time_is_in_utc_wherever_it_is_published() -> None:
    there = datetime(2026, 11, 24, 3, 15, 0, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert next_version(None, SHA, there) == "20261123T214500Z-3f2a9c1b"


@given(st.lists(times, min_size=2, max_size=8), st.lists(st.text("0123456789abcdef", min_size=64, max_size=64)))
def test_versions_sort_by_publishing_whatever_the_clock_does(clock: list[datetime], hashes: list[str]) -> None:
    versions: list[str] = []
    for position, now in enumerate(clock):
        sha = hashes[position] if position < len(hashes) else SHA
        versions.append(next_version(versions[-1] if versions else None, sha, now))
    assert versions == sorted(set(versions))
    assert all(map(is_version, versions))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "20261123T214500Z",
        "20261123T214500Z-3F2A9C1B",
        "20261123T214500Z-3f2a9c1b\n",
        " 20261123T214500Z-3f2a9c1b",
        "20261323T214500Z-3f2a9c1b",
        "20260230T214500Z-3f2a9c1b",
        "20261123T216000Z-3f2a9c1b",
        "00001123T214500Z-3f2a9c1b",
        "99991231T235959Z-3f2a9c1b",
        "२०२६११२३T214500Z-3f2a9c1b",
        "../../../../etc/passwd",
        ".20261123T214500Z-3f2a9c1b.removed",
    ],
)
def test_nothing_else_is_a_version(text: str) -> None:
    assert not is_version(text)
