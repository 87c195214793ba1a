import pytest

from indexer.errors import IndexKeyError
from indexer.keys import Family, checked_key, parse_key

SCAN, LISTS, GRAPH = Family.SCAN, Family.LISTS, Family.GRAPH
# family, quantiser, m, nlist, links, equalised, effort
KNOWN = {
    "Flat": (SCAN, "Flat", 0, 0, 0, False, None),
    "SQfp16": (SCAN, "SQfp16", 0, 0, 0, False, None),
    "SQ8": (SCAN, "SQ8", 0, 0, 0, False, None),
    "PQ36x4fs": (SCAN, "PQ36x4fs", 36, 0, 0, False, None),
    "IVF64,Flat": (LISTS, "Flat", 0, 64, 0, False, "nprobe"),
    "IVF4096,PQ36x4fs": (LISTS, "PQ36x4fs", 36, 4096, 0, False, "nprobe"),
    "Equalised,IVF64,SQ8": (LISTS, "SQ8", 0, 64, 0, True, "nprobe"),
    "HNSW32": (GRAPH, "Flat", 0, 0, 32, False, "efSearch"),
    "Equalised,HNSW16": (GRAPH, "Flat", 0, 0, 16, True, "efSearch"),
}


@pytest.mark.parametrize("text", KNOWN)
def test_a_key_says_what_it_is(text: str) -> None:
    key = parse_key(text)
    found = (key.family, key.quantiser, key.m, key.nlist, key.links, key.equalised, key.effort_name)
    assert found == KNOWN[text]
    assert key.is_exact == (text == "Flat")
    assert f"{'Equalised,' if key.equalised else ''}{key.factory}" == key.text == text


@pytest.mark.parametrize(
    "text",
    ["", "flat", "LSH", "HNSW", "HNSW0", "HNSW32,PQ8", "IVF64", "IVF0,Flat", "PQ36", "PQ36x8", "Equalised,Flat",
     "Equalised,PQ36x4fs", "IVF64,IVF8,Flat", "PCA32,Flat", "Flat ", "IVF99999999,Flat", "Equalised,Equalised,HNSW8"],
)  # fmt: skip
def test_another_key_is_refused_with_those_that_there_are(text: str) -> None:
    with pytest.raises(IndexKeyError, match="this program builds and reads Flat, SQfp16") as refusal:
        parse_key(text)
    assert repr(text) in str(refusal.value)


def test_a_key_that_does_not_suit_the_vectors_is_refused() -> None:
    assert checked_key("PQ36x4fs", 10, 72).m == 36
    assert checked_key("IVF64,Flat", 64, 72).nlist == 64
    with pytest.raises(IndexKeyError, match="10 does not divide the 72 columns"):
        checked_key("PQ10x4fs", 10, 72)
    with pytest.raises(IndexKeyError, match="only 63 items to make 64 lists of"):
        checked_key("IVF64,Flat", 63, 72)
