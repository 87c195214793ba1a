import struct
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.build import BuildOptions, build_bundle
from indexer.bundle import KIND, RECOMMEND_INDEX, SIMILAR_INDEX, Bundle, open_bundle
from indexer.choice.decide import Limits
from indexer.errors import BundleError, IndexGateError
from indexer.index_file import map_index
from indexer.keys import parse_key
from indexer.vectors import augment, query, unit_rows
from tests.indexer.small import Change, resealed
from tests.world import checker_board, fit_to_rank, random_embeddings, with_zeros
from training.artefact import MANIFEST, _canonical, _content_hash, read_manifest
from training.embeddings import Embeddings, write_embeddings


def made(folder: Path, embeddings: Embeddings) -> Bundle:
    folder.mkdir()
    build_bundle(embeddings, folder)
    return open_bundle(folder)


@pytest.fixture
def embeddings() -> Embeddings:
    return random_embeddings(n_users=9, n_items=40, dim=6)


@pytest.fixture
def bundle(tmp_path: Path, embeddings: Embeddings) -> Bundle:
    return made(tmp_path / "bundle", embeddings)


def test_what_is_opened_is_what_was_built(bundle: Bundle, embeddings: Embeddings) -> None:
    np.testing.assert_array_equal(bundle.user_embeddings, embeddings.user_embeddings)
    np.testing.assert_array_equal(bundle.user_biases, embeddings.user_biases)
    np.testing.assert_array_equal(bundle.item_vectors, augment(embeddings.item_embeddings, embeddings.item_biases))
    assert bundle.global_bias == embeddings.global_bias
    assert (bundle.n_users, bundle.n_items, bundle.dim, bundle.width) == (9, 40, 6, 8)
    before, after = embeddings.catalogue.to_arrays(), bundle.catalogue.to_arrays()
    assert before.keys() == after.keys()
    for name, array in before.items():
        np.testing.assert_array_equal(after[name], array)


def test_both_indexes_hold_their_vectors_row_by_row(bundle: Bundle, embeddings: Embeddings) -> None:
    np.testing.assert_array_equal(bundle.recommend_index.faiss.reconstruct_n(0, 40), bundle.item_vectors)
    units = unit_rows(embeddings.item_embeddings, 8)
    np.testing.assert_array_equal(bundle.similar_index.faiss.reconstruct_n(0, 40), units)


def test_the_arrays_are_read_only(bundle: Bundle) -> None:
    arrays = [bundle.user_embeddings, bundle.user_biases, bundle.item_vectors, *bundle.catalogue.to_arrays().values()]
    assert [array for array in arrays if array.flags.writeable] == []


def test_searching_twice_and_after_opening_again_answers_the_same(bundle: Bundle, tmp_path: Path) -> None:
    queries = query(bundle.user_embeddings, bundle.width)
    first, second = (bundle.recommend_index.faiss.search(queries, 5) for _ in range(2))
    again = open_bundle(tmp_path / "bundle").recommend_index.faiss.search(queries, 5)
    for scores, rows in (second, again):
        np.testing.assert_array_equal(scores, first[0])
        np.testing.assert_array_equal(rows, first[1])


def test_the_manifest_says_how_it_was_proved_and_where_it_comes_from(tmp_path: Path) -> None:
    described = Embeddings(
        **{**vars(checker_board()), "description": {"rating_scale": [0.5, 5], "libraries": {"a": "1"}}}
    )
    write_embeddings(described, tmp_path / "embeddings")
    manifest = made(tmp_path / "bundle", described).manifest
    assert manifest["recall"] == {"recall@10": 1.0, "similar_recall@10": 1.0}
    assert manifest["rating_scale"] == [0.5, 5]
    assert manifest["index_key"] == "Flat"
    assert {"a", "faiss-cpu", "numpy"} <= manifest["libraries"].keys()
    assert manifest["bytes"] == sum(file["bytes"] for file in manifest["files"].values())


def test_an_index_that_finds_too_little_is_refused(tmp_path: Path) -> None:
    # Four bits for eight columns tell few of these apart.
    coarse = BuildOptions("PQ3x4fs")
    embeddings = random_embeddings(n_users=50, n_items=4000, dim=22)
    with pytest.raises(
        IndexGateError, match=r"recall@10 is 0\.\d+ with PQ3x4fs, the target 0\.99; nothing was published"
    ):
        build_bundle(embeddings, tmp_path, coarse)
    assert not (tmp_path / MANIFEST).exists()
    allowed = build_bundle(embeddings, tmp_path, replace(coarse, limits=Limits(allow_low_recall=True)))
    assert 0 < min(allowed["recall"].values()) < 0.99
    open_bundle(tmp_path)


def test_embeddings_are_no_bundle_and_a_bundle_is_no_embeddings(tmp_path: Path, bundle: Bundle) -> None:
    write_embeddings(checker_board(), tmp_path / "embeddings")
    with pytest.raises(BundleError, match="describes 'matinee-embeddings', not 'matinee-bundle'"):
        open_bundle(tmp_path / "embeddings")


def wrong_index(index: Any, name: str = RECOMMEND_INDEX) -> Change:
    def change(folder: Path, _: dict[str, Any]) -> None:
        faiss.write_index(index, str(folder / name))

    return change


def raw_index(raw: bytes) -> Change:
    def change(folder: Path, _: dict[str, Any]) -> None:
        (folder / SIMILAR_INDEX).write_bytes(raw)

    return change


def saying(**facts: Any) -> Change:
    def change(_: Path, description: dict[str, Any]) -> None:
        description.update(facts)

    return change


def array_of(name: str, array: Any) -> Change:
    def change(folder: Path, _: dict[str, Any]) -> None:
        np.save(folder / name, array)

    return change


def header(shape: str) -> Change:
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".ljust(117).encode() + b"\n"

    def change(folder: Path, _: dict[str, Any]) -> None:
        (folder / "user_biases.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text)

    return change


def without(name: str) -> Change:
    def change(folder: Path, _: dict[str, Any]) -> None:
        (folder / name).unlink()

    return change


def flat(n_items: int, width: int, metric: int = faiss.METRIC_INNER_PRODUCT) -> Any:
    index = faiss.IndexFlat(width, metric)
    index.add(np.zeros((n_items, width), np.float32))
    return index


def flat_file(**changed: int) -> bytes:
    """A file of a flat index of 40 × 8 vectors, of which the header says something else."""
    fields = {"d": 8, "ntotal": 40, "is_trained": 1, "metric": 0, "n_floats": 320} | changed
    return struct.pack("<4siq16xBiq", b"IxFI", *fields.values()) + bytes(4 * 320)


SETTINGS = {"efSearch": 8, "k_factor": 2}


def saying_of_index(**facts: Any) -> Change:
    return saying(indexes={RECOMMEND_INDEX: facts, SIMILAR_INDEX: {"index_key": "Flat"}})


SPOILT = {
    "too few vectors": (wrong_index(flat(39, 8)), r"no Flat index of 40 × 8 vectors: the shape is \(39, 8\)"),
    "too wide": (wrong_index(flat(40, 16), SIMILAR_INDEX), r"the shape is \(40, 16\), not \(40, 8\)"),
    "by distance": (wrong_index(flat(40, 8, faiss.METRIC_L2)), "the kind is b'IxF2', not b'IxFI'"),
    "another kind": (wrong_index(faiss.index_factory(8, "HNSW8")), "the kind is b'IHNf', not b'IxFI'"),
    "a header of another shape": (raw_index(flat_file(ntotal=1 << 60)), r"the shape is \(1152921504606846976, 8\)"),
    "fewer floats": (raw_index(flat_file(n_floats=8)), "a length is 8, not 320"),
    "more floats": (raw_index(flat_file(n_floats=1 << 60)), "a length is 1152921504606846976, not 320"),
    "cut off": (raw_index(flat_file()[:-1]), "it ends at byte 1324"),
    "too long": (raw_index(flat_file() + b"\0"), "1 bytes follow its end"),
    "untrained": (raw_index(flat_file(is_trained=0)), "is_trained is 0, not 1"),
    "another metric": (raw_index(flat_file(metric=1)), "the metric is 1, not 0"),
    "empty index": (raw_index(b""), "it ends at byte 0"),
    "no index": (without(RECOMMEND_INDEX), "recommend.faiss: missing from the manifest"),
    "no array": (without("user_biases.npy"), "user_biases.npy: missing from the manifest"),
    "no catalogue": (without("seen_rows.npy"), "missing from the manifest"),
    "unknown index": (saying_of_index(index_key="LSH"), "index_key is 'LSH'; this program builds and reads Flat"),
    "another index": (
        saying_of_index(index_key="SQ8", k_factor=2, at_other_weights=SETTINGS),
        "no SQ8 index of 40 × 8 vectors: the kind is b'IxFI'",
    ),
    "no index key": (saying(indexes={RECOMMEND_INDEX: {}}), "recommend.faiss is not described in the manifest"),
    "indexes are a list": (saying(indexes=[]), "recommend.faiss is not described in the manifest"),
    "no settings": (saying_of_index(index_key="HNSW32"), "efSearch is None in the manifest"),
    "endless search": (saying_of_index(index_key="HNSW32", efSearch=1 << 40), "it can be at most 1048576"),
    "no equaliser": (
        saying_of_index(index_key="Equalised,HNSW8", efSearch=8, k_factor=2, at_other_weights=SETTINGS),
        "recommend_equaliser.npy: missing from the manifest",
    ),
    "no lists": (saying_of_index(index_key="IVF41,Flat"), "there are only 40 items to make 41 lists of"),
    "other counts": (saying(n_items=41), "the manifest says float32"),
    "count is no number": (saying(n_users="9"), "n_users is '9' in the manifest"),
    "narrow": (saying(width=4), "width is 4 in the manifest; it must be a multiple of 8 above dim 6"),
    "bias is no number": (saying(global_bias="NaN"), "global_bias is 'NaN' in the manifest"),
    "NaN": (array_of("user_biases.npy", np.full(9, np.nan, np.float32)), "user_biases.npy: holds NaN or infinity"),
    "infinity": (array_of("item_vectors.npy", np.full((40, 8), np.inf, np.float32)), "holds NaN or infinity"),
    "scores of a newer release": (
        saying(scores="stars"),
        "scores are 'stars' in the manifest; this program knows ratings",
    ),
    "scores are null": (saying(scores=None), "scores are None in the manifest"),
    "scores are a list": (saying(scores=[]), r"scores are \[\] in the manifest"),
    "scores are a dict": (saying(scores={"ratings": 1}), "scores are {'ratings': 1} in the manifest"),
    "global bias beyond float": (saying(global_bias=10**400), "it must be a number"),
    "a header of 36 TiB": (header("(10000000000000,)"), "that can be read safely"),
    "a header that does not end": (header("((((((("), "that can be read safely"),
    "a header beyond int64": (header("(99999999999999999999999,)"), "that can be read safely"),
    "float64": (array_of("user_biases.npy", np.zeros(9)), "the manifest says float32"),
    "objects": (array_of("user_biases.npy", np.array([{}] * 9)), "that can be read safely"),
}


@pytest.mark.parametrize("what", SPOILT)
def test_a_bundle_that_does_not_fit_together_is_refused_though_its_checksums_fit(
    what: str, bundle: Bundle, tmp_path: Path
) -> None:
    change, message = SPOILT[what]
    resealed(tmp_path / "bundle", change)
    with pytest.raises(BundleError, match=message) as refusal:
        open_bundle(tmp_path / "bundle")
    assert "\n" not in str(refusal.value)
    assert str(tmp_path / "bundle") in str(refusal.value)


@given(st.integers(4, 44), st.integers(0, 255))
def test_a_header_of_an_index_with_any_other_byte_is_refused_or_searched_without_a_crash(at: int, byte: int) -> None:
    raw = bytearray(flat_file())
    raw[at] = byte
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / RECOMMEND_INDEX
        path.write_bytes(raw)
        try:
            index = map_index(path, parse_key("Flat"), 40, 8)
        except BundleError:
            return
        assert index.search(np.ones((1, 8), np.float32), 3)[1].shape == (1, 3)


@pytest.mark.parametrize("files", [None, [], "x", {"a.npy": None}, {"a.npy": {}}, {"a.npy": {"bytes": "1"}}])
def test_a_manifest_that_lists_its_files_in_another_way_is_refused(files: Any, bundle: Bundle, tmp_path: Path) -> None:
    manifest = {**read_manifest(tmp_path / "bundle", KIND, 1), "files": files}
    manifest["content_sha256"] = _content_hash(manifest)
    (tmp_path / "bundle" / MANIFEST).write_bytes(_canonical(manifest))
    with pytest.raises(BundleError, match="does not list its files"):
        open_bundle(tmp_path / "bundle")


def test_resealing_alone_changes_nothing(bundle: Bundle, tmp_path: Path) -> None:
    resealed(tmp_path / "bundle", saying())
    open_bundle(tmp_path / "bundle")


def test_the_bundle_says_whether_scores_are_ratings(bundle: Bundle, embeddings: Embeddings, tmp_path: Path) -> None:
    assert (bundle.manifest["scores"], bundle.scores_are_ratings) == ("ratings", True)
    ranking = made(tmp_path / "ranking", fit_to_rank(embeddings))
    assert (ranking.manifest["scores"], ranking.scores_are_ratings) == ("preferences", False)


def test_a_bundle_from_before_there_were_preferences_has_ratings(bundle: Bundle, tmp_path: Path) -> None:
    resealed(tmp_path / "bundle", lambda _, description: description.pop("scores"))
    assert open_bundle(tmp_path / "bundle").scores_are_ratings


def test_vectors_of_zeros_are_indexed_and_pass_the_gate(tmp_path: Path, embeddings: Embeddings) -> None:
    some = fit_to_rank(with_zeros(embeddings))
    nothing = replace(
        some,
        user_embeddings=np.zeros_like(some.user_embeddings),
        item_embeddings=np.zeros_like(some.item_embeddings),
    )
    for name, world in (("some", some), ("nothing", nothing)):
        assert made(tmp_path / name, world).manifest["recall"] == {"recall@10": 1.0, "similar_recall@10": 1.0}


def test_a_bundle_from_before_there_were_other_indexes_is_flat(bundle: Bundle, tmp_path: Path) -> None:
    resealed(tmp_path / "bundle", lambda _, description: description.pop("indexes"))
    assert open_bundle(tmp_path / "bundle").recommend_index.key.text == "Flat"
