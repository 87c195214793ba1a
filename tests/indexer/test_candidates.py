import pytest

from indexer.choice.candidates import candidate_keys, predicted_bytes
from indexer.index_file import write_index
from indexer.keys import Family, parse_key
from tests.indexer.small import index_over
from tests.indexer.test_faiss_layout import KEYS, N_ROWS, VECTORS, WIDTH


def families(n_items: int) -> set[Family]:
    return {key.family for key in candidate_keys(n_items, 72)}


def test_of_few_items_all_are_looked_at() -> None:
    assert [key.text for key in candidate_keys(1_999, 72)] == ["Flat"]
    assert families(2_000) == {Family.SCAN, Family.LISTS, Family.GRAPH}


def test_of_many_items_no_graph_is_built() -> None:
    assert Family.GRAPH in families(199_999)
    assert Family.GRAPH not in families(200_000)


def test_of_very_many_items_only_shortened_vectors_are_kept_in_lists() -> None:
    assert "Flat" in {key.quantiser for key in candidate_keys(1_999_999, 72) if key.nlist}
    assert "Flat" not in {key.quantiser for key in candidate_keys(2_000_000, 72) if key.nlist}


@pytest.mark.parametrize("n_items", [1, 10, 2_000, 27_000, 200_000, 1_000_000, 10_000_000])
@pytest.mark.parametrize("width", [8, 16, 72, 136, 520])
def test_every_candidate_suits_the_vectors_and_flat_comes_first(n_items: int, width: int) -> None:
    keys = candidate_keys(n_items, width)
    assert keys[0].is_exact
    assert len({key.text for key in keys}) == len(keys)
    for key in keys:
        assert key.nlist <= n_items
        # FAISS trains a centroid with no fewer than 39 vectors.
        assert key.nlist * 39 <= n_items


@pytest.mark.parametrize("key", KEYS)
def test_the_predicted_size_is_about_the_size(key: str, tmp_path: object) -> None:
    from pathlib import Path

    path = Path(str(tmp_path)) / "index"
    write_index(index_over(VECTORS, key).faiss, path)
    predicted = predicted_bytes(parse_key(key), N_ROWS, WIDTH)
    # Of so few vectors, what an index has once weighs much.
    assert predicted <= path.stat().st_size <= 1.3 * predicted + 8_000
