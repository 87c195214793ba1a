"""What is counted, and where in a page of counts each count stands: the one list of the server's counters.

A counter has a cell for each combination of its labels. A histogram has one for each bucket, the last without bound,
and one for the sum of what was observed.
"""

from dataclasses import dataclass
from itertools import accumulate

import grpc

from matinee.v1 import recommender_pb2

METHODS = tuple(method.name for method in recommender_pb2.DESCRIPTOR.services_by_name["Recommender"].methods)
CODES = {code: place for place, code in enumerate(grpc.StatusCode)}
"""Where each status code stands among the codes."""

_CODE_NAMES = tuple(code.name for code in CODES)
_REQUEST_BOUNDS_S = (
    50e-6, 75e-6, 100e-6, 150e-6, 200e-6, 250e-6, 300e-6, 400e-6, 500e-6, 600e-6, 750e-6,
    1e-3, 1.5e-3, 2e-3, 3e-3, 5e-3, 7.5e-3, 10e-3, 15e-3, 25e-3, 50e-3, 0.1, 0.25, 1.0,
)  # fmt: skip
_SWAP_BOUNDS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


@dataclass(frozen=True)
class Family:
    """A counter, or a histogram where it has bounds, for each combination of labels."""

    name: str
    """As Prometheus knows it; the `_total` of a counter comes by itself."""
    text: str
    """What it counts."""
    labels: tuple[str, ...] = ()
    """The names of its labels."""
    children: tuple[tuple[str, ...], ...] = ((),)
    """Their values, a combination each."""
    bounds: tuple[float, ...] = ()
    """The upper bounds of all buckets but the last, ascending, each inclusive."""

    @property
    def n_cells(self) -> int:
        """How many cells one combination takes."""
        return len(self.bounds) + 2 if self.bounds else 1


def _each(values: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    return tuple((value,) for value in values)


REQUESTS = Family(
    "matinee_requests",
    "Calls that ended, by method and status code, with those that were shed",
    ("method", "code"),
    tuple((method, code) for method in METHODS for code in _CODE_NAMES),
)
REQUEST_SECONDS = Family(
    "matinee_request_seconds",
    "How long calls were worked on, from the request's bytes to the answer's; without those that were shed",
    ("method",),
    _each(METHODS),
    _REQUEST_BOUNDS_S,
)
SHED = Family(
    "matinee_shed",
    "Calls that were refused unread because there was no room for them",
    ("method",),
    _each(METHODS),
)
SWAPS = Family(
    "matinee_swaps",
    "Attempts to load a new version, by how they ended",
    ("result",),
    _each(("loaded", "refused")),
)
SWAP_SECONDS = Family(
    "matinee_swap_seconds", "How long it took to open, verify and warm up a version", bounds=_SWAP_BOUNDS_S
)

_COMPARED = ("Recommend", "SimilarItems", "RecommendFromRatings")

SHADOW_ANSWERS = Family(
    "matinee_shadow_answers",
    "Sampled answers, by whether they were compared with exact search or dropped for want of time",
    ("method", "result"),
    tuple((method, result) for method in _COMPARED for result in ("compared", "dropped")),
)
SHADOW_EXPECTED = Family(
    "matinee_shadow_expected", "Items that exact search found for the compared answers", ("method",), _each(_COMPARED)
)
SHADOW_FOUND = Family(
    "matinee_shadow_found",
    "Items of the compared answers that score as high as those; found / expected is the live recall",
    ("method",),
    _each(_COMPARED),
)

FAMILIES = (
    REQUESTS, REQUEST_SECONDS, SHED, SWAPS, SWAP_SECONDS, SHADOW_ANSWERS, SHADOW_EXPECTED, SHADOW_FOUND,
)  # fmt: skip

_SIZES = [family.n_cells * len(family.children) for family in FAMILIES]
_STARTS = {family.name: start for family, start in zip(FAMILIES, accumulate(_SIZES, initial=0), strict=False)}
N_CELLS = sum(_SIZES)


def cell(family: Family, *labels: str) -> int:
    """Where the cells of one combination of labels begin. Raises ValueError where there is no such combination."""
    return _STARTS[family.name] + family.children.index(labels) * family.n_cells
