"""Prometheus' text format, read: as much of it as `matinee serve` writes. Needs the base install alone."""

import re
import urllib.request
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence

from matinee.errors import MatineeError

Labels = frozenset[tuple[str, str]]
Samples = Mapping[str, Mapping[Labels, float]]
"""By the name of the metric and its labels."""

_LINE = re.compile(r"(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)(?: -?\d+)?")
_LABEL = re.compile(r'(?P<name>[a-zA-Z_]\w*)="(?P<value>(?:[^"\\]|\\.)*)",?')
# A server's metrics are not asked for through a proxy.
_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
_ESCAPES = {r"\\": "\\", r"\"": '"', r"\n": "\n"}


class ExpositionError(MatineeError):
    """What was read is no metrics."""


def fetch(address: str, timeout_s: float) -> Samples:
    """The metrics at `address`, HOST:PORT. Raises ExpositionError, also where nobody answers."""
    try:
        with _open(f"http://{address}/metrics", timeout=timeout_s) as response:
            return parse(response.read().decode())
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        hint = f"is a server running there? matinee serve STORE --metrics-address {address}"
        raise ExpositionError(f"no metrics at {address}: {reason}; {hint}") from error


def parse(text: str) -> Samples:
    """What `text` says. Raises ExpositionError, naming the line that says nothing."""
    samples: dict[str, dict[Labels, float]] = defaultdict(dict)
    for number, line in enumerate(text.splitlines(), start=1):
        if not line or line.startswith("#"):
            continue
        found = _LINE.fullmatch(line)
        if not found:
            raise ExpositionError(
                f"line {number} of the metrics is {line[:80]!r}; it must be a name, labels and a value"
            )
        labels = ((label["name"], _unescaped(label["value"])) for label in _LABEL.finditer(found["labels"] or ""))
        samples[found["name"]][frozenset(labels)] = float(found["value"])
    return samples


def _unescaped(value: str) -> str:
    return re.sub(r"\\.", lambda match: _ESCAPES.get(match[0], match[0]), value)


def total(samples: Samples, name: str, **labels: str) -> float:
    """The sum of all samples of the metric that have these labels; 0 where there are none."""
    wanted = set(labels.items())
    return sum(value for found, value in samples.get(name, {}).items() if wanted <= found)


def values_of(samples: Samples, name: str, label: str) -> list[str]:
    """All values of a label, in their order."""
    return sorted({value for found in samples.get(name, {}) for key, value in found if key == label})


def quantile(buckets: Sequence[tuple[float, float]], share: float) -> float | None:
    """Below which value this share of the observations lies; None where there are none.

    `buckets`: the upper bound of each, ascending, the last infinite, and how many observations were at or below it.
    Within a bucket they are taken to lie evenly; in the last, at its lower bound.
    """
    if not buckets or buckets[-1][1] <= 0:
        return None
    rank = share * buckets[-1][1]
    place = bisect_left([count for _, count in buckets], rank)
    bound, count = buckets[place]
    lower, before = buckets[place - 1] if place else (0.0, 0.0)
    if bound == float("inf"):
        return lower
    return lower + (bound - lower) * (rank - before) / (count - before)


def buckets_of(samples: Samples, name: str, **labels: str) -> list[tuple[float, float]]:
    """A histogram's buckets, summed over all that have these labels: upper bound and cumulative count, ascending."""
    bounds = values_of(samples, f"{name}_bucket", "le")
    return sorted((float(bound), total(samples, f"{name}_bucket", le=bound, **labels)) for bound in bounds)


def less(later: Sequence[tuple[float, float]], earlier: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """What came into the buckets between two readings; all of `later` where the server began anew between them."""
    before = dict(earlier)
    if not before or later[-1][1] < earlier[-1][1]:
        return list(later)
    return [(bound, count - before.get(bound, 0.0)) for bound, count in later]
