"""What a request's fields may hold. Every function raises OutOfRangeError naming field, value and range."""

from collections.abc import Sequence

from server.errors import OutOfRangeError, shown

DEFAULT_K = 10
MAX_K = 1_000
MAX_ID_BYTES = 1_024
MAX_IDS = 10_000


def checked_k(k: int | None) -> int:
    """`k`, or the default where it is None."""
    if k is None:
        return DEFAULT_K
    if not 1 <= k <= MAX_K:
        raise OutOfRangeError("k", str(k), f"1 to {MAX_K}")
    return k


def checked_id(field: str, value: str) -> str:
    """`value`, which is one id."""
    if not value:
        raise OutOfRangeError(field, "empty", "an id")
    # A character has at most four bytes, so most ids need not be encoded to be counted.
    if len(value) * 4 > MAX_ID_BYTES and len(value.encode()) > MAX_ID_BYTES:
        raise OutOfRangeError(field, shown(value), f"at most {MAX_ID_BYTES} bytes")
    return value


def checked_ids(field: str, values: Sequence[str], least: int) -> Sequence[str]:
    """`values`, which are at least `least` ids."""
    if not least <= len(values) <= MAX_IDS:
        raise OutOfRangeError(field, f"a list of {len(values)}", f"{least} to {MAX_IDS} ids")
    for position, value in enumerate(values):
        # The name of the entry is made only where it is wrong: a list may be long.
        if not value or len(value) * 4 > MAX_ID_BYTES:
            checked_id(f"{field}[{position}]", value)
    return values
