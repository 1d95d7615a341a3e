"""Compiled scores of records against numpy, and numpy against what the words mean."""

import platform

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llvmlite import binding

from skhash.bitops import (
    N_CONSTANTS,
    BitRun,
    Field,
    RecordForm,
    append_scored,
    kernel,
    score_code,
    score_distances,
)

CPUS = [""]  # this machine, and older ones whose code it can run
if platform.machine().lower() in ("x86_64", "amd64"):
    CPUS += ["x86-64"] + ["haswell"] * binding.get_host_cpu_features().get("avx2", False)
on_cpus = pytest.mark.parametrize("cpu", CPUS)
ALL = 2**64 - 1
SHIFT, ROW = 40, 7_000_000


@kernel
def call_append_scored(address, found, count, tile, size, queries, q, limit):
    return append_scored(address, found, count, tile, size, queries, q, limit, 7_000_000, 40)


@st.composite
def forms(draw, max_words=20):
    """Forms of several levels, of whole words and parts of words, with factor and offset or without."""
    n_words, runs = draw(st.integers(1, max_words)), []
    for level in sorted(draw(st.sets(st.integers(0, 3), min_size=1)), reverse=True):
        for _ in range(draw(st.integers(1, 2))):
            first = draw(st.integers(0, n_words - 1))
            mask = draw(st.one_of(st.just(ALL), st.integers(1, ALL)))
            runs.append(BitRun(level, first, draw(st.integers(1, n_words - first)) if mask == ALL else 1, mask))
    if draw(st.booleans()):
        return RecordForm(n_words, tuple(runs))
    return RecordForm(n_words, tuple(runs), *(draw_field(draw, n_words) for _ in range(2)))


def draw_field(draw, n_words):
    bits = draw(st.integers(1, 20))
    return Field(draw(st.integers(0, n_words - 1)), draw(st.integers(0, 64 - bits)), bits)


def most_weighted(form, n_planes):
    """Return the weighted Hamming distance of a record that differs from a query in each bit."""
    return sum(run.mask.bit_count() * run.n_words * 2**run.level for run in form.runs) * (2**n_planes - 1)


def random_words(rng, *shape):
    return rng.integers(0, 2**64, shape, dtype=np.uint64)


def random_queries(rng, form, n_planes, n):
    """Draw planes, and constants for which distances are neither negative nor too large."""
    queries = random_words(rng, n, form.n_words * n_planes + N_CONSTANTS)
    most, weight = most_weighted(form, n_planes), rng.integers(0, 1000, n, dtype=np.uint64)
    reach = most
    if form.factor is not None:
        factor, offset = 2**form.factor.bits - 1, 2**form.offset.bits - 1
        largest = factor * most + offset * 1000
        queries[:, -4:-1] = np.column_stack([np.full(n, most, np.uint64), weight, np.full(n, largest, np.uint64)])
        reach = largest + factor * most
    queries[:, -1] = max(0, reach.bit_length() - 23)
    return queries


@on_cpus
@settings(max_examples=30, deadline=None)
@given(forms(), st.integers(1, 8), st.integers(1, 100), st.integers(0, 2**32))
def test_compiled_scores_equal_numpy(cpu, form, n_planes, n, seed):
    rng = np.random.default_rng(seed)
    records, queries = random_words(rng, n, form.n_words), random_queries(rng, form, n_planes, 3)
    tile = random_words(rng, form.n_words, -(-n // 8) * 8 + 8)
    tile[:, :n] = records.T
    address = score_code(form, n_planes, cpu)
    expected = score_distances(records, queries, form, n_planes)
    assert expected.min() >= 0
    for q, distances in enumerate(expected):
        for limit in (0, int(distances.min()) + 1, int(np.median(distances)), int(distances.max()) + 1):
            found = np.full(n + 20, -1, np.int64)
            n_found = call_append_scored(address, found, 5, tile, n, queries, q, np.uint64(limit))
            hits = np.flatnonzero(distances < limit)
            assert found[5 : 5 + n_found].tolist() == ((distances[hits] << SHIFT) | (ROW + hits)).tolist()
            assert (found[:5] == -1).all()
            assert (found[5 + n_found + 8 :] == -1).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 3), st.integers(1, 8), st.integers(1, 70), st.booleans(), st.integers(0, 2**32))
def test_scores_are_inner_products(n_levels, n_planes, n_dims, scaled, seed):
    """Records of `n_dims` numbers of `n_levels` bits, one level after the other, against queries of as many numbers."""
    rng = np.random.default_rng(seed)
    n, per_level = 9, -(-n_dims // 64)
    x = rng.integers(0, 2**n_levels, (n, n_dims))
    z = rng.integers(0, 2**n_planes, (4, n_dims))
    runs, n_words = [], per_level * n_levels + scaled
    records, queries = np.zeros((n, n_words), np.uint64), np.zeros((4, n_words * n_planes + N_CONSTANTS), np.uint64)
    for i, level in enumerate(reversed(range(n_levels))):
        words = slice(i * per_level, (i + 1) * per_level)
        records[:, words] = pack((x >> level) & 1)
        for p in range(n_planes):
            queries[:, words.start * n_planes + p : words.stop * n_planes : n_planes] = pack((z >> p) & 1)
        runs.append(BitRun(level, i * per_level, per_level, ALL))
    factor = offset = np.ones(n, np.int64)
    fields = ()
    if scaled:
        factor, offset = rng.integers(0, 2**16, (2, n))
        records[:, -1] = factor + (offset << 16)
        fields = Field(n_words - 1, 0, 16), Field(n_words - 1, 16, 16)
    form = RecordForm(n_words, tuple(runs), *fields)
    half_x, half_z = 2**n_levels - 1, 2**n_planes - 1
    products = (2 * z - half_z) @ (2 * x - half_x).T
    total, weight = n_dims * half_x * half_z, 3
    if not scaled:
        np.testing.assert_array_equal(2 * score_distances(records, queries, form, n_planes), total - products)
        return
    largest = 2**16 * (total + weight)
    queries[:, -4:] = total, weight, largest, 0
    expected = largest - (factor * products + offset * weight)
    np.testing.assert_array_equal(score_distances(records, queries, form, n_planes), expected)


def pack(bits):
    n_words = -(-bits.shape[1] // 64)
    bytes_ = np.packbits(bits.astype(np.uint8), axis=1, bitorder="little")
    return np.pad(bytes_, [(0, 0), (0, 8 * n_words - bytes_.shape[1])]).view("<u8")


def test_functions_of_other_forms_have_other_names():
    """Their addresses differ: a factor alone in the name could be an offset or a run of another form."""
    runs = BitRun(0, 0, 2, ALL), BitRun(0, 0, 1, 3)
    fields = Field(1, 0, 5), Field(1, 5, 5)
    forms = [RecordForm(2, runs[:1]), RecordForm(2, runs), RecordForm(2, runs[:1], *fields), RecordForm(3, runs[:1])]
    addresses = {score_code(form, n_planes) for form in forms for n_planes in (1, 2)}
    assert len(addresses) == 8
    assert score_code(forms[0], 1) == score_code(RecordForm(2, (BitRun(0, 0, 2, ALL),)), 1)
