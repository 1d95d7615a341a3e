"""Search by continuous queries, against numpy."""

import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from bitarray import bitarray
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skhash import HammingIndex, ITQHasher
from skhash.codes import unpack_codes
from skhash.index.scan._score_queries import quantize


def in_numpy(codes, z, query_bits):
    """Return all asymmetric distances from rounded queries: integers times the step of each query."""
    levels, steps = quantize(z, query_bits)
    signs = np.where(levels > 0, 1, 0)
    return (
        np.stack([(np.abs(q) * (codes != s)).sum(axis=1) for q, s in zip(levels, signs, strict=True)]) * steps[:, None]
    )


def check(found, codes, ids, z, k, query_bits):
    distances, found_ids = found
    expected = in_numpy(codes, z, query_bits)
    order = np.argsort(expected, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(found_ids, np.asarray(ids)[order])
    np.testing.assert_array_equal(distances, np.take_along_axis(expected, order, axis=1))
    assert distances.dtype == np.float64


def continuous(rng, n, bits):
    """Draw queries of several scales, with zeros, equal elements and a query of zeros only."""
    z = rng.standard_normal((n, bits)) * 10.0 ** rng.integers(-3, 4, (n, 1))
    z[rng.random((n, bits)) < 0.1] = 0.0
    z[-1] = rng.choice([-1, 1], bits)
    z[n // 2] *= rng.random() < 0.5
    return z


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_neighbors_equal_numpy(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    n, bits = (
        data.draw(st.sampled_from([1, 5, 63, 64, 200, 3000])),
        data.draw(st.sampled_from([1, 7, 64, 65, 130, 384])),
    )
    distinct = rng.integers(0, 2, (data.draw(st.sampled_from([1, 9, n])), bits), dtype=np.uint8)
    codes = distinct[rng.integers(0, len(distinct), n)]
    n_jobs = data.draw(st.sampled_from([None, 2]))
    index = HammingIndex(n_jobs=n_jobs, algorithm=data.draw(st.sampled_from(["brute", "mih", "auto"]))).fit(codes)
    ids = np.arange(n)
    if data.draw(st.booleans()):
        more = rng.integers(0, 2, (3, bits), dtype=np.uint8)
        codes, ids = np.concatenate([codes, more]), np.arange(n + 3)
        index.add(more)
    if data.draw(st.booleans()):
        removed = rng.choice(len(codes), len(codes) // 6, replace=False)
        index.remove(removed)
        codes, ids = np.delete(codes, removed, axis=0), np.delete(ids, removed)
    z = continuous(rng, data.draw(st.sampled_from([1, 3, 40])), bits)
    assume(not np.isin(z, [0, 1]).all())  # such values are refused
    query_bits = data.draw(st.integers(1, 8))
    where = None
    if data.draw(st.booleans()):
        where = rng.random(len(ids)) < data.draw(st.sampled_from([0.02, 0.5, 1.0]))
        where[rng.integers(len(ids))] = True
        codes, ids = codes[where], ids[where]
    k = data.draw(st.integers(1, len(ids)))
    check(index.kneighbors_asymmetric(z, k, query_bits=query_bits, where=where), codes, ids, z, k, query_bits)
    padded = index.kneighbors_asymmetric(z, len(ids) + 2, query_bits=query_bits, where=where, missing="pad")
    check((a[:, :-2] for a in padded), codes, ids, z, len(ids), query_bits)
    assert (padded[0][:, -2:] == -1).all()
    assert (padded[1][:, -2:] == -1).all()


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def index(rng):
    return HammingIndex(n_neighbors=6).fit(rng.integers(0, 2, (300, 70), dtype=np.uint8))


@pytest.mark.parametrize("query_bits", range(1, 9))
@pytest.mark.parametrize("scale", [1.0, 2.0**-9, 3.0])
def test_queries_of_ones_have_hamming_distances(index, rng, query_bits, scale):
    bits = rng.integers(0, 2, (5, 70), dtype=np.uint8)
    distances, ids = index.kneighbors_asymmetric((2.0 * bits - 1.0) * scale, 300, query_bits=query_bits)
    expected_distances, expected_ids = index.kneighbors(bits, 300)
    np.testing.assert_array_equal(ids, expected_ids)
    np.testing.assert_allclose(distances, expected_distances * scale, rtol=1e-15)
    if scale == 1.0:
        np.testing.assert_array_equal(distances, expected_distances)


def test_one_query_bit_gives_the_order_of_kneighbors(index, rng):
    z = rng.standard_normal((9, 70))
    ids = index.kneighbors_asymmetric(z, query_bits=1, return_distance=False)
    np.testing.assert_array_equal(ids, index.kneighbors((z >= 0).astype(np.uint8), return_distance=False))


def test_a_query_of_zeros_is_equally_far_from_all_codes(index):
    distances, ids = index.kneighbors_asymmetric(np.zeros((1, 70)), 300)
    assert not distances.any()
    assert ids[0].tolist() == list(range(300))


def test_distances_approach_those_of_rerank(index, rng):
    z = rng.standard_normal((9, 70))
    exact, _ = index.rerank(z, np.tile(np.arange(300), (9, 1)))
    errors = [
        np.abs(index.kneighbors_asymmetric(z, 300, query_bits=query_bits)[0] - exact).max() for query_bits in (2, 4, 8)
    ]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.3


def test_forms_of_queries_and_the_threshold(index, rng):
    z = rng.standard_normal((4, 70))
    expected = index.kneighbors_asymmetric(z)
    shifted = HammingIndex(n_neighbors=6, binarize=0.5).fit(unpack_codes(index.codes_, 70))
    forms = index.kneighbors_asymmetric(z.tolist()), index.kneighbors_asymmetric(torch.from_numpy(z))
    for found in (*forms, index.kneighbors_asymmetric(z, n_neighbors=np.int8(6), query_bits=np.uint8(4))):
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(shifted.kneighbors_asymmetric(z + 0.5)[1], expected[1])
    np.testing.assert_array_equal(index.kneighbors_asymmetric(z.astype(np.float32))[1], expected[1])


def test_an_index_on_disk_and_one_with_ids(index, rng, tmp_path):
    z = rng.standard_normal((4, 70))
    names = [f"code {i}" for i in range(300)]
    named = HammingIndex(n_neighbors=6, bits=70).fit(index.codes_, ids=names).remove(names[:20])
    named.save(tmp_path)
    for one in (named, HammingIndex.open(tmp_path), HammingIndex.open(tmp_path, mmap=False)):
        codes = unpack_codes(index.codes_, 70)[20:]
        check(one.kneighbors_asymmetric(z, 280), codes, names[20:], z, 280, 4)
        check(one.kneighbors_asymmetric(z, 2, where=names[30:40]), codes[10:20], names[30:40], z, 2, 4)


def test_an_empty_index_pads(index):
    index.remove(index.ids_)
    distances, ids = index.kneighbors_asymmetric(np.ones((2, 70)), 3, missing="pad")
    assert distances.tolist() == ids.tolist() == [[-1] * 3] * 2


def test_searches_during_changes_see_one_state(rng):
    codes = rng.integers(0, 2, (2000, 64), dtype=np.uint8)
    index, z = HammingIndex().fit(codes), 2.0 * codes[:1] - 1.0

    def search(_):
        distances, ids = index.kneighbors_asymmetric(z, 50)
        order = np.lexsort((ids[0], distances[0]))
        return order.tolist() == list(range(50)) and distances[0, 0] == 0

    with ThreadPoolExecutor(2) as pool:
        found = pool.map(search, range(200))
        for i in range(1, 100):
            index.remove([i]).add(codes[i : i + 1])
    assert all(found)


@pytest.mark.parametrize(
    ("X", "options", "error", "message"),
    [
        (np.ones((1, 70), np.uint8), {}, ValueError, "X must be continuous codes (floats), got dtype uint8. Pass what "
         "decision_function of the hasher returns; kneighbors takes codes."),
        (np.ones((1, 2), np.uint64), {}, ValueError, "(floats), got dtype uint64. Pass"),
        (np.ones((1, 70), bool), {}, ValueError, "(floats), got dtype bool. Pass"),
        ([[1] * 70], {}, ValueError, "(floats), got dtype int64. Pass"),
        ([bitarray(70)], {}, ValueError, "(floats), got bitarrays. Pass"),
        (np.eye(70), {}, ValueError, "X contains only 0 and 1, which are bits and not continuous codes. Pass what"),
        (np.ones((1, 69)), {}, ValueError, "X has 69 features, but HammingIndex is expecting 70 features"),
        (np.full((1, 70), np.nan), {}, ValueError, "Input X contains NaN"),
        (np.full((1, 70), np.inf), {}, ValueError, "Input X contains infinity"),
        (np.ones(70), {}, ValueError, "Expected 2D array, got 1D array"),
        (np.ones((0, 70)), {}, ValueError, "Found array with 0 sample(s)"),
        (np.ones((1, 70)), {"query_bits": 0}, ValueError, "query_bits == 0, must be >= 1"),
        (np.ones((1, 70)), {"query_bits": 9}, ValueError, "query_bits == 9, must be <= 8"),
        (np.ones((1, 70)), {"query_bits": 4.0}, TypeError, "query_bits must be an instance of int, not float"),
        (np.ones((1, 70)), {"query_bits": True}, TypeError, "query_bits must be an instance of int, not bool"),
        (np.ones((1, 70)), {"n_neighbors": 301}, ValueError, 'n_neighbors = 301, n_samples_fit = 300, n_samples = 1. '
         'missing="pad" returns those that there are.'),
        (np.ones((1, 70)), {"n_neighbors": 0}, ValueError, "n_neighbors == 0, must be >= 1"),
        (np.ones((1, 70)), {"where": [1, 2]}, ValueError, "of which where passes 2"),
        (np.ones((1, 70)), {"missing": "drop"}, ValueError, "missing must be 'raise' or 'pad'"),
    ],
)  # fmt: skip
def test_errors(index, X, options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        index.kneighbors_asymmetric(X, **options)


def test_an_index_that_is_not_fitted():
    with pytest.raises(NotFittedError):
        HammingIndex().kneighbors_asymmetric([[1.0]])


def test_after_a_pipeline_it_is_better_than_the_hamming_distance():
    X, y = load_digits(return_X_y=True)
    model = make_pipeline(
        StandardScaler(with_std=False), ITQHasher(bits=32, random_state=0), HammingIndex(n_neighbors=10)
    ).fit(X[400:], y[400:])
    hasher, index = model[:-1], model[-1]
    symmetric = index.kneighbors(hasher.transform(X[:400]), return_distance=False)
    asymmetric = index.kneighbors_asymmetric(hasher.decision_function(X[:400]), return_distance=False)
    nearest = np.argsort(((X[:400, None] - X[None, 400:]) ** 2).sum(axis=2), axis=1)[:, :10]
    recalls = [
        np.mean([len(set(a) & set(b)) for a, b in zip(ids.tolist(), nearest.tolist(), strict=True)])
        for ids in (symmetric, asymmetric)
    ]
    assert recalls[1] > recalls[0] + 0.5
