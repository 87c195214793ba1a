"""Index keys: which kinds of FAISS index there are here, and how their keys are spelt.

A key is FAISS's factory string. `Equalised,` before it is ours: the vectors are brought into a form in which the
nearest by Euclidean distance are those with the largest inner product (see indexer.equalise).
"""

import re
from dataclasses import dataclass
from enum import Enum

from indexer.errors import IndexKeyError

FLAT = "Flat"
_EQUALISED = "Equalised,"
_QUANTISER = r"Flat|SQfp16|SQ8|PQ(?P<m>[1-9][0-9]{0,3})x4fs"
SPELLINGS = "Flat, SQfp16, SQ8, PQ<m>x4fs, IVF<nlist>,<one of these> and HNSW<M>, the last two also after Equalised,"


class Family(Enum):
    """How an index finds its candidates."""

    SCAN = "scan"
    """It looks at every vector, whole or shortened."""
    LISTS = "lists"
    """IVF: it looks into the `nprobe` lists whose centroids are nearest."""
    GRAPH = "graph"
    """HNSW: it walks from neighbour to neighbour and keeps the `efSearch` best."""


_FORMS = {
    Family.SCAN: re.compile(_QUANTISER),
    Family.LISTS: re.compile(rf"(?:{_EQUALISED})?IVF(?P<nlist>[1-9][0-9]{{0,6}}),(?:{_QUANTISER})"),
    Family.GRAPH: re.compile(rf"(?:{_EQUALISED})?HNSW(?P<links>[1-9][0-9]{{0,2}})"),
}


@dataclass(frozen=True)
class IndexKey:
    """A key that was understood."""

    text: str
    """As it was given."""
    family: Family
    """How it finds its candidates."""
    m: int
    """Into how many parts a product quantiser cuts a vector; 0 where there is none."""
    nlist: int
    """How many inverted lists; 0 where there are none."""
    links: int
    """FAISS's M of a graph: links a vector, twice that on the ground level; 0 where it is none."""

    @property
    def equalised(self) -> bool:
        """Whether it is made over equalised vectors, by Euclidean distance."""
        return self.text.startswith(_EQUALISED)

    @property
    def factory(self) -> str:
        """What FAISS's index_factory takes."""
        return self.text.removeprefix(_EQUALISED)

    @property
    def quantiser(self) -> str:
        """How the vectors are kept: Flat, or shortened."""
        return FLAT if self.links else self.factory.rpartition(",")[2]

    @property
    def is_exact(self) -> bool:
        """Whether it looks at every vector, whole: nothing is missed but by float32's rounding."""
        return self.text == FLAT

    @property
    def effort_name(self) -> str | None:
        """FAISS's name for how far it looks; None where there is nothing to set."""
        return {Family.SCAN: None, Family.LISTS: "nprobe", Family.GRAPH: "efSearch"}[self.family]


def parse_key(text: str) -> IndexKey:
    """The key that `text` spells. Raises IndexKeyError where it is none of this program's."""
    for family, form in _FORMS.items():
        if match := form.fullmatch(text):
            found = {name: int(value or 0) for name, value in match.groupdict().items()}
            return IndexKey(text, family, found.get("m", 0), found.get("nlist", 0), found.get("links", 0))
    raise IndexKeyError(f"is {text!r}; this program builds and reads {SPELLINGS}")


def checked_key(text: str, n_items: int, width: int) -> IndexKey:
    """The same, proved to suit vectors of (n_items, width). Raises IndexKeyError."""
    key = parse_key(text)
    if key.m and width % key.m:
        raise IndexKeyError(f"is {text!r}, but {key.m} does not divide the {width} columns of these vectors")
    if key.nlist > n_items:
        raise IndexKeyError(f"is {text!r}, but there are only {n_items} items to make {key.nlist} lists of")
    return key
