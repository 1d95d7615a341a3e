"""Hits within the first ranks against the definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhash.metrics.ranking._average_precision import TIES
from skhash.metrics.ranking._hits import hits_within
from skhash.metrics.ranking._retrieval import read_retrieval


@given(
    data=st.data(),
    ties=st.sampled_from(sorted(TIES)),
    cutoffs=st.lists(st.integers(1, 20), min_size=1, max_size=4),
    n_jobs=st.sampled_from([1, 2]),
)
@settings(max_examples=120, deadline=None)
def test_equals_brute_force(brute, data, ties, cutoffs, n_jobs):
    case = data.draw(brute.cases(max_items=6 if ties == "expected" else 15))
    retrieval = read_retrieval(*case.sides, exclude_self=case.exclude_self, n_jobs=n_jobs)
    hits = hits_within(retrieval, np.array(cutoffs), ties, random_state=7)
    for q in range(len(case.queries)):
        expected = [brute.mean_hits(case, q, k, ties=ties, seed=7) for k in cutoffs]
        assert hits[q].tolist() == pytest.approx(expected, abs=1e-12)
        assert retrieval.totals()[q] == brute.n_relevant(case, q)
