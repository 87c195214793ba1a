"""Faults that were seen in others' recommenders, each as a test that it is not ours.

Elsewhere: an index type that ignores selectors without a word (test_search.py); searches refused while a new index is
made, answers of two generations (test_swap.py); a model served that was loaded in part (test_broken_versions.py).
"""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from indexer.errors import BundleError
from indexer.store import Store
from server.filters import Filters
from server.retriever import Options, Retriever
from tests.server.running import opened, publish
from tests.world import oracle, random_embeddings
from training.columns import Ragged


def test_seen_items_are_left_out_by_their_id_and_not_by_their_rank(tmp_path: Path) -> None:
    # Cornac's ANN wrapper dropped the ranks 3 and 4 of the result where the rows 3 and 4 had been seen.
    world = random_embeddings(n_users=1, n_items=100, seen=0)
    best = oracle(world, 0, 100, [])
    seen = sorted([best[0], best[99]])
    world = replace(world, catalogue=replace(world.catalogue, seen=Ragged.of([seen])))
    found = Retriever(opened(tmp_path, world)).recommend("1").items
    assert [item.item_id for item in found] == [world.catalogue.item_ids[row] for row in best[1:11]]


def test_no_answer_comes_from_row_minus_one(tmp_path: Path) -> None:
    # Merlin's FAISS operator passed on the −1 that FAISS fills up with, which NumPy reads as the last item.
    world = random_embeddings(n_users=1, n_items=100, seen=0)
    almost_all = [row for row in range(100) if row not in (10, 20, 30)]
    world = replace(world, catalogue=replace(world.catalogue, seen=Ragged.of([almost_all])))
    retriever = Retriever(opened(tmp_path, world))
    ids = world.catalogue.item_ids
    assert {item.item_id for item in retriever.recommend("1", Options(k=50)).items} == {ids[10], ids[20], ids[30]}
    assert retriever.recommend("1", Options(50, filters=Filters([ids[10], ids[20], ids[30]]))).items == []
    others = [ids[row] for row in range(99)]
    assert [item.item_id for item in retriever.similar(ids[0], 50, Filters(others))] == [ids[99]]


def test_asking_rewrites_no_row_of_the_model(tmp_path: Path) -> None:
    # implicit's FAISS wrapper normalised the query in place, and so the model's own row.
    bundle = opened(tmp_path, random_embeddings())
    retriever = Retriever(bundle)

    def everything() -> list[bytes]:
        indexes = (bundle.recommend_index, bundle.similar_index)
        vectors = [index.faiss.reconstruct_n(0, bundle.n_items) for index in indexes]
        arrays = (bundle.user_embeddings, bundle.user_biases, bundle.item_vectors, *vectors)
        return [array.tobytes() for array in arrays]

    before = everything()
    for user in range(1, 31):
        retriever.recommend(str(user), Options(k=20))
        retriever.similar(f"i{user}", 20)
        retriever.predict(str(user), ["i1"])
    assert everything() == before
    arrays = (bundle.user_embeddings, bundle.user_biases, bundle.item_vectors)
    assert not any(array.flags.writeable for array in arrays)


@pytest.mark.parametrize("name", ["recommend.faiss", "user_embeddings.npy"])
def test_vectors_and_index_can_not_be_of_two_generations(tmp_path: Path, name: str) -> None:
    # LibRecommender kept user vectors in one place and the index in another, each replaced at its own time.
    first, second = (publish(tmp_path, random_embeddings(seed=seed)) for seed in (1, 2))
    versions = tmp_path / "versions"
    shutil.copy(versions / first / name, versions / second / name)
    with pytest.raises(BundleError, match=name.split(".")[0]):
        Store(tmp_path).open(second)
