"""What the page "Coming from another library" says of the others, compared with those that are installed."""

import re
import textwrap
from pathlib import Path

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from skhash import EmbeddingIndex, HammingIndex
from skhash.codes import binarize, from_hex, unpack_codes

RNG = np.random.default_rng(0)
PACKED = RNG.integers(0, 256, (3000, 8), dtype=np.uint8)
FEW_BITS = RNG.integers(0, 256, (3000, 2), dtype=np.uint8)  # many ties
VECTORS = RNG.normal(size=(2000, 64)).astype(np.float32)


@pytest.fixture(scope="module")
def faiss():
    return pytest.importorskip("faiss")


@pytest.mark.parametrize("packed", [PACKED, FEW_BITS], ids=["64 bits", "16 bits, with ties"])
def test_faiss_finds_the_same(faiss, packed):
    bits = 8 * packed.shape[1]
    theirs = faiss.IndexBinaryFlat(bits)
    theirs.add(packed)
    D, I = theirs.search(packed[:50] ^ 1, 20)  # noqa: E741
    distances, ids = HammingIndex(bits=bits).fit(packed).kneighbors(packed[:50] ^ 1, 20)
    np.testing.assert_array_equal(distances, D)
    assert distances.dtype == D.dtype == np.int32
    np.testing.assert_array_equal(ids, I)


def test_the_radius_of_faiss_is_exclusive(faiss):
    theirs = faiss.IndexBinaryFlat(16)
    theirs.add(FEW_BITS)
    lims, D, I = theirs.range_search(FEW_BITS[:20], 4)  # noqa: E741
    assert D.max() == 3
    distances, ids = HammingIndex(bits=16).fit(FEW_BITS).radius_neighbors(FEW_BITS[:20], radius=3)
    for query in range(20):
        found = dict(zip(ids[query].tolist(), distances[query].tolist(), strict=True))
        part = slice(lims[query], lims[query + 1])
        assert found == dict(zip(I[part].tolist(), D[part].astype(int).tolist(), strict=True))


def test_files_of_faiss_are_read(faiss, tmp_path, monkeypatch):
    """The lines of the page are run as they are."""
    page = (Path(__file__).parents[1] / "doc" / "tutorials" / "coming_from.rst").read_text(encoding="utf-8")
    lines = re.search(r"^   stored = faiss(?:.*\n|\n)+?(?=^\S)", page, re.MULTILINE)[0]
    plain = faiss.IndexBinaryFlat(64)
    plain.add(PACKED)
    with_ids = faiss.IndexBinaryIDMap(faiss.IndexBinaryFlat(64))
    with_ids.add_with_ids(PACKED, np.arange(3000) + 7000)
    monkeypatch.chdir(tmp_path)
    faiss.write_index_binary(plain, "faiss.index")
    faiss.write_index_binary(with_ids, "with_ids.index")
    found = {"faiss": faiss}
    exec(textwrap.dedent(lines), found)
    np.testing.assert_array_equal(found["packed"], PACKED)
    ours = HammingIndex(n_neighbors=3, bits=64).fit(found["packed_with_ids"], ids=found["ids"])
    np.testing.assert_array_equal(ours.kneighbors(PACKED[:9])[1], with_ids.search(PACKED[:9], 3)[1])


def test_too_few_codes(faiss):
    theirs = faiss.IndexBinaryFlat(64)
    theirs.add(PACKED[:2])
    D, I = theirs.search(PACKED[:1], 3)  # noqa: E741
    assert (D[0, 2], I[0, 2]) == (2147483647, -1)
    distances, ids = HammingIndex(bits=64).fit(PACKED[:2]).kneighbors(PACKED[:1], 3, missing="pad")
    assert (distances[0, 2], ids[0, 2]) == (-1, -1)


@pytest.mark.parametrize(
    ("kind", "metric", "change"),
    [
        ("IndexFlatL2", "euclidean", np.square),
        ("IndexFlatIP", "inner_product", np.negative),
        ("normalized", "cosine", lambda distances: 1 - distances),
    ],
)
def test_float_indexes_of_faiss(faiss, kind, metric, change):
    queries = VECTORS[:50] + np.float32(0.1)
    theirs = getattr(faiss, "IndexFlatIP" if kind == "normalized" else kind)(64)
    norms = [np.linalg.norm(each, axis=1, keepdims=True) if kind == "normalized" else 1 for each in (VECTORS, queries)]
    theirs.add(VECTORS / norms[0])
    D, I = theirs.search(queries / norms[1], 1)  # noqa: E741
    ours = EmbeddingIndex(metric=metric, rescore="float32", oversampling=400, random_state=0).fit(VECTORS)
    distances, ids = ours.kneighbors(queries, 1)
    np.testing.assert_array_equal(ids, I)
    np.testing.assert_allclose(change(distances), D, rtol=1e-4)


def test_encodings_of_imagededup():
    """A hash is the hexadecimal form of np.packbits; with the package, its pairs are ours, the limit included."""
    hashes = RNG.random((60, 8, 8)) < 0.5
    hashes[30:] = hashes[:30] ^ (RNG.random((30, 8, 8)) < 0.15)
    encodings = {
        f"{i}.jpg": "".join(f"{byte:02x}" for byte in np.packbits(each).tolist()) for i, each in enumerate(hashes)
    }
    codes = from_hex(list(encodings.values()), 64, bitorder="big")
    np.testing.assert_array_equal(codes, hashes.reshape(60, 64))
    distances, names = HammingIndex(radius=10).fit(codes, ids=list(encodings)).radius_neighbors()
    assert max(map(max, filter(len, distances))) == 10
    methods = pytest.importorskip("imagededup.methods")
    theirs = methods.PHash(verbose=False).find_duplicates(
        encoding_map=encodings, max_distance_threshold=10, scores=True, num_dist_workers=0
    )
    for name, found, near in zip(encodings, names, distances, strict=True):
        assert dict(theirs[name]) == dict(zip(found.tolist(), near.tolist(), strict=True))


def test_forms_of_sentence_transformers():
    vectors = VECTORS.copy()
    vectors[0, 0] = 0
    ubinary = np.packbits(vectors > 0, axis=1)
    binary = (ubinary.astype(int) - 128).astype(np.int8)
    ours = HammingIndex(bits=64, bitorder="big").fit(ubinary)
    np.testing.assert_array_equal(unpack_codes(ours.codes_, 64), vectors > 0)
    assert binarize(vectors)[0, 0] == 1 != unpack_codes(ours.codes_, 64)[0, 0]  # what the page says of zero
    rows = ours.kneighbors_asymmetric(vectors[:20], 1)[1]
    scores = vectors[:20] @ np.where(vectors > 0, 1, -1).T  # their rescoring
    assert (np.take_along_axis(scores, rows, 1).ravel() >= 0.95 * scores.max(axis=1)).all()
    quantize = pytest.importorskip("sentence_transformers.quantization").quantize_embeddings
    np.testing.assert_array_equal(quantize(vectors, precision="ubinary"), ubinary)
    np.testing.assert_array_equal(quantize(vectors, precision="binary"), binary)


def test_usearch_finds_the_same_if_it_is_exact():
    usearch = pytest.importorskip("usearch.index")
    theirs = usearch.Index(ndim=64, metric=usearch.MetricKind.Hamming, dtype=usearch.ScalarKind.B1)
    theirs.add(np.arange(3000), PACKED)
    matches = theirs.search(PACKED[:50], 10, exact=True)
    distances = HammingIndex(bits=64, bitorder="big").fit(PACKED).kneighbors(PACKED[:50], 10)[0]
    np.testing.assert_array_equal(matches.distances, distances)


def test_scikit_learn_counts_shares_of_bits_and_takes_the_radius_in():
    codes = unpack_codes(HammingIndex(bits=64).fit(PACKED[:500]).codes_, 64)
    theirs = NearestNeighbors(n_neighbors=5, radius=22 / 64, metric="hamming", algorithm="brute").fit(codes)
    ours = HammingIndex(n_neighbors=5, radius=22).fit(codes)
    np.testing.assert_allclose(theirs.kneighbors(codes[:50])[0] * 64, ours.kneighbors(codes[:50])[0], atol=1e-9)
    theirs_found = theirs.radius_neighbors(codes[:50], return_distance=False)
    ours_distances, ours_found = ours.radius_neighbors(codes[:50])
    assert max(each.max() for each in ours_distances) == 22
    assert [sorted(each.tolist()) for each in theirs_found] == [sorted(each.tolist()) for each in ours_found]
