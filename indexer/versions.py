"""Names of versions, such as 20261123T214500Z-3f2a9c1b: the time of publishing in UTC, the start of the content hash.

Their order as text is the order of publishing.
"""

import re
from datetime import UTC, datetime, timedelta

_FORM = re.compile(r"[12][0-9]{7}T[0-9]{6}Z-[0-9a-f]{8}")
_TIME = "%Y%m%dT%H%M%SZ"


def is_version(text: str) -> bool:
    """Whether `text` is a version's name."""
    if not _FORM.fullmatch(text):
        return False
    try:
        published_at(text)
    except ValueError:
        return False
    return True


def published_at(version: str) -> datetime:
    """When `version` was published, to the second. Raises ValueError where the name holds no date."""
    return datetime.strptime(version.partition("-")[0], _TIME).replace(tzinfo=UTC)


def content_prefix(version: str) -> str:
    """What the content hash of `version` starts with."""
    return version.partition("-")[2]


def next_version(newest: str | None, content_sha256: str, now: datetime) -> str:
    """The name for content published `now`, sorting after `newest`.

    Where the second is taken, or the clock has gone back, it is the second after that of `newest`.
    """
    when = now.astimezone(UTC).replace(microsecond=0)
    if newest is not None:
        when = max(when, published_at(newest) + timedelta(seconds=1))
    return f"{when.strftime(_TIME)}-{content_sha256[:8]}"
