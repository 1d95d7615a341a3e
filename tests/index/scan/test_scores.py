"""The search by score, and the queries for it, against numpy."""

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhash.bitops import N_CONSTANTS, BitRun, Field, RecordForm, score_distances
from skhash.codes import pack_codes
from skhash.index.scan import _scan, _score_queries
from skhash.index.scan._score_queries import code_queries, nearest_codes, pack_planes, quantize
from skhash.index.scan._scores import MAX_DISTANCE, ScoreQueries, nearest_by_score

ALL = 2**64 - 1
FORMS = (
    RecordForm(1, (BitRun(0, 0, 1, ALL),)),
    RecordForm(12, (BitRun(0, 0, 12, ALL),)),
    RecordForm(5, (BitRun(2, 0, 2, ALL), BitRun(1, 2, 2, ALL), BitRun(0, 4, 1, ALL))),
    RecordForm(1, (BitRun(2, 0, 1, 2**30 - 1), BitRun(1, 0, 1, 2**50 - 2**30)), Field(0, 50, 7), Field(0, 57, 7)),
    RecordForm(3, (BitRun(0, 0, 2, ALL), BitRun(0, 2, 1, 2**32 - 1)), Field(2, 32, 16), Field(2, 48, 16)),
)


def random_queries(rng, form, n_planes, n):
    words = rng.integers(0, 2**64, (n, form.n_words * n_planes + N_CONSTANTS), dtype=np.uint64)
    most = sum(run.mask.bit_count() * run.n_words * 2**run.level for run in form.runs) * (2**n_planes - 1)
    reach = most
    if form.factor is not None:
        largest = 2**form.factor.bits * most + 2**form.offset.bits * 50
        words[:, -4], words[:, -3], words[:, -2] = most, rng.integers(0, 50, n), largest
        reach = largest + 2**form.factor.bits * most
    words[:, -1] = max(0, reach.bit_length() - MAX_DISTANCE.bit_length() + 1)
    return ScoreQueries(words, form, n_planes)


@st.composite
def plans(draw):
    """Limits at which the search takes another way, so small that little data goes all the ways."""
    return {
        "_MAX_QUERIES": draw(st.sampled_from([1, 3, 256])),
        "_FEW_QUERIES": draw(st.sampled_from([0, 2, 8])),
        "_MIN_WORK": draw(st.sampled_from([1, 500])),
        "_MAX_CANDIDATES": draw(st.sampled_from([1, 2**10, 2**17])),
        "_PICK": draw(st.sampled_from([-1e9, 2.0, 1e9])),  # gathers allowed records always, where it pays, or never
        "_rank_in_sample": draw(st.sampled_from([_scan._rank_in_sample, lambda expected: 1])),  # guesses that fail, too
    }


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(FORMS), plans(), st.data())
def test_the_best_records_equal_numpy(form, plan, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    n = data.draw(st.sampled_from([1, 5, 63, 64, 65, 700, 3000, 9000]))
    n_planes = data.draw(st.sampled_from([1, 2, 4, 5]))
    queries = random_queries(rng, form, n_planes, data.draw(st.sampled_from([1, 2, 5, 40])))
    distinct = rng.integers(0, 2**64, (data.draw(st.sampled_from([1, 3, n])), form.n_words), dtype=np.uint64)
    records = distinct[rng.integers(0, len(distinct), n)]
    distances = score_distances(records, queries.words, form, n_planes)
    assert 0 <= distances.min() <= distances.max() < MAX_DISTANCE
    allowed, n_allowed = None, n
    if data.draw(st.booleans()):
        allowed = rng.random(n) < data.draw(st.sampled_from([0.01, 0.5, 0.95]))
        allowed[rng.integers(n)] = True
        distances[:, ~allowed], n_allowed = MAX_DISTANCE, np.count_nonzero(allowed)
    k = data.draw(st.one_of(st.just(n_allowed), st.integers(1, min(n_allowed, 200))))
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    with patch.multiple(_scan, **plan):
        found = nearest_by_score(records, queries, k, data.draw(st.sampled_from([None, 2, 3])), allowed=allowed)
    np.testing.assert_array_equal(found[1], order)
    np.testing.assert_array_equal(found[0], np.take_along_axis(distances, order, axis=1))
    assert (found[0].dtype, found[1].dtype) == (np.int32, np.int64)


@settings(deadline=None)
@given(st.integers(1, 8), st.integers(1, 90), st.integers(1, 20), st.floats(-200, 200), st.integers(0, 2**32))
def test_rounded_queries(n_planes, n_dims, n, exponent, seed):
    rng = np.random.default_rng(seed)
    Z = rng.standard_normal((n, n_dims)) * 10.0**exponent
    Z[rng.random(Z.shape) < 0.1] = 0.0
    Z[rng.integers(n)] = 0.0
    levels, steps = quantize(Z, n_planes)
    assert (levels.dtype, steps.dtype) == (np.int32, np.float64)
    assert (levels % 2 == 1).all()
    assert np.abs(levels).max() <= 2**n_planes - 1
    np.testing.assert_array_equal(levels > 0, Z >= 0)
    zeros = ~Z.any(axis=1)
    np.testing.assert_array_equal(steps == 0, zeros)
    assert (levels[zeros] == 1).all()
    # The step is the best one for these levels: what is left is orthogonal to them.
    left = Z - levels * steps[:, None]
    product = (left * levels).sum(axis=1)
    np.testing.assert_allclose(product / 10.0**exponent, 0, atol=1e-9 * n_dims * 4**n_planes)
    for row in range(n):
        alone = quantize(Z[row : row + 1], n_planes)
        np.testing.assert_array_equal(alone[0][0], levels[row])
        assert alone[1][0] == steps[row]
    with patch.object(_score_queries, "_ELEMENTS", 1):
        for whole, block in zip((levels, steps), quantize(Z, n_planes), strict=True):
            np.testing.assert_array_equal(whole, block)


def test_more_planes_leave_smaller_errors():
    Z = np.random.default_rng(0).standard_normal((50, 384))
    errors = []
    for n_planes in range(1, 9):
        levels, steps = quantize(Z, n_planes)
        errors.append(np.square(Z - levels * steps[:, None]).mean())
    # Of a Gaussian, scalar quantizers with equal steps can leave .3634, .1188, .0374, .0115, .0035 ... at best.
    best = [0.3634, 0.1188, 0.03744, 0.01154, 0.003495, 0.00104, 0.000304, 0.0000869]
    assert (np.array(errors) < 1.1 * np.array(best)).all()


def test_signs_survive_and_zeros_count_as_positive():
    Z = np.array([[1e300, -1e-300, 0.0, -0.0], [5e-324, -5e-324, 0.0, 0.0]])
    for n_planes in (1, 4):
        assert (quantize(Z, n_planes)[0] > 0).tolist() == [[True, False, True, True]] * 2
    assert quantize(Z[:0], 4)[0].shape == (0, 4)
    levels, steps = quantize(np.full((1, 3), -2.0, np.float32), 4)
    assert (levels * steps[:, None]).tolist() == [[-2.0] * 3]


def test_planes_are_the_digits_of_levels_at_the_bits_of_a_record():
    levels = np.array([[-7, -5, 7]], np.int32)  # of 3 bits: 0, 1 and 7
    elements = np.full(128, -1)
    elements[[0, 65, 127]] = [1, 2, 1]  # elements may have several bits, or none
    words = pack_planes(levels, 3, elements, 2)
    assert words.shape == (1, 2 * 3 + N_CONSTANTS)
    assert words[0, :3].tolist() == [1, 0, 0]
    assert words[0, 3:6].tolist() == [2 + 2**63, 2, 2]
    assert not words[0, 6:].any()


@settings(deadline=None, max_examples=40)
@given(st.sampled_from([1, 16, 64, 100, 384]), st.sampled_from([1, 2, 4, 8]), st.integers(0, 2**32))
def test_distances_from_codes_are_sums_over_differing_bits(bits, n_planes, seed):
    rng = np.random.default_rng(seed)
    codes, Z = rng.integers(0, 2, (200, bits), dtype=np.uint8), rng.standard_normal((7, bits))
    Z[0] = 0
    queries, steps, least = code_queries(Z, n_planes)
    levels, _ = quantize(Z, n_planes)
    differing = codes != (Z >= 0)[:, None]
    expected = (np.abs(levels)[:, None] * differing).sum(axis=2)
    expected[0] = 0
    distances = score_distances(pack_codes(codes), queries.words, queries.form, n_planes)
    np.testing.assert_array_equal((distances - least[:, None])[1:], expected[1:])
    found, rows = nearest_codes(pack_codes(codes), Z, n_planes, 20)
    order = np.argsort(expected, axis=1, kind="stable")[:, :20]
    np.testing.assert_array_equal(rows, order)
    np.testing.assert_array_equal(found, np.take_along_axis(expected, order, axis=1) * steps[:, None])
    with patch.object(_score_queries, "_QUERIES", 2):
        for whole, blocks in zip((found, rows), nearest_codes(pack_codes(codes), Z, n_planes, 20), strict=True):
            np.testing.assert_array_equal(whole, blocks)


@pytest.mark.parametrize("n_planes", [4, 8])
def test_enormous_codes(n_planes):
    """At 8 planes distances are rounded down to even ones, so that they fit; zeros stay at 0."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2, (20, 40_000), dtype=np.uint8)
    Z = rng.standard_normal((3, 40_000))
    Z[0] = 2.0 * codes[5] - 1
    found, rows = nearest_codes(pack_codes(codes), Z, n_planes, 20)
    levels, steps = quantize(Z, n_planes)
    expected = (np.abs(levels)[:, None] * (codes != (Z >= 0)[:, None])).sum(axis=2) * steps[:, None]
    assert found[0, 0] == 0
    assert rows[0, 0] == 5
    near = np.take_along_axis(expected, rows, axis=1)
    assert (np.abs(found - near) <= (steps[:, None] if n_planes == 8 else 0) * 1.001).all()
    assert (np.diff(found, axis=1) >= 0).all()
