"""Chained with the transformer, scikit-learn's estimators give what they give alone, by its test_neighbors_pipeline.py.

Codes count levels: bit `j` of a feature says whether it exceeds the level `j`, so that the Hamming distance is the
Manhattan distance of the numbers of levels, which the estimators compute themselves when they are alone.
"""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.cluster import DBSCAN, SpectralClustering
from sklearn.manifold import TSNE, Isomap
from sklearn.metrics.pairwise import manhattan_distances
from sklearn.neighbors import (
    KNeighborsClassifier,
    KNeighborsTransformer,
    LocalOutlierFactor,
    NearestNeighbors,
    RadiusNeighborsClassifier,
    RadiusNeighborsTransformer,
)
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import (
    check_get_feature_names_out_error,
    check_transformer_get_feature_names_out,
    parametrize_with_checks,
)
from threadpoolctl import threadpool_limits

from skhash import HammingIndex, HammingNeighborsTransformer
from skhash.codes import pack_codes

LEVELS = 10_000


@pytest.mark.filterwarnings("ignore")  # as scikit-learn's own suite does: its checks provoke warnings
@parametrize_with_checks([HammingNeighborsTransformer(radius=1, binarize=0.0, mode="connectivity")])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("check", [check_transformer_get_feature_names_out, check_get_feature_names_out_error])
def test_names_of_columns(check):
    check("HammingNeighborsTransformer", HammingNeighborsTransformer(binarize=0.0))


def levels_and_codes(n, seed, n_features=3, levels=LEVELS):
    rng = np.random.default_rng(seed)
    centers = rng.uniform(0.2, 0.8, (3, n_features))
    X = np.clip(centers[rng.integers(0, 3, n)] + rng.normal(0, 0.06, (n, n_features)), 0, 1)
    X = np.rint(levels * X)
    return X, (X[:, :, None] > np.arange(levels)).reshape(n, -1)


def have_no_ties(Q, X):
    """Whether no two samples are equally far from one query: then the nearest are the same, whoever looks for them."""
    return (np.diff(np.sort(manhattan_distances(Q, X), axis=1)) > 0).all()


@pytest.fixture(scope="module")
def samples():
    X, codes = levels_and_codes(40, seed=99)
    assert have_no_ties(X, X)
    return X, codes


@pytest.fixture(scope="module")
def queries(samples):
    Q, queries = levels_and_codes(10, seed=0)
    assert have_no_ties(Q, samples[0])
    return Q, queries


def test_codes_without_ties_have_the_graph_of_scikit_learn(samples):
    X, codes = samples
    for mode in ("distance", "connectivity"):
        for transformer, reference in (
            (HammingNeighborsTransformer(mode, n_neighbors=6), KNeighborsTransformer(mode=mode, n_neighbors=6, p=1)),
            (HammingNeighborsTransformer(mode, radius=2000), RadiusNeighborsTransformer(mode=mode, radius=2000, p=1)),
        ):
            for Q, queries in ((X, codes), (X[::3], codes[::3])):
                graph, expected = transformer.fit(codes).transform(queries), reference.fit(X).transform(Q)
                expected.sort_indices()
                ours = graph.sorted_indices()
                np.testing.assert_array_equal(ours.indptr, expected.indptr)
                np.testing.assert_array_equal(ours.indices, expected.indices)
                np.testing.assert_allclose(ours.data, expected.data, atol=1e-9)


def test_rows_are_sorted_and_zeros_stored():
    codes = np.random.default_rng(0).integers(0, 2, (50, 4), dtype=np.uint8)  # 16 codes for 50 rows
    transformer = HammingNeighborsTransformer(n_neighbors=49)
    for X in (codes, pack_codes(codes)):
        graph = transformer.set_params(bits=4).fit_transform(X)
        assert graph.format == "csr"
        assert graph.nnz == 50 * 50
        for i in range(50):
            row = slice(graph.indptr[i], graph.indptr[i + 1])
            edges = list(zip(graph.data[row], graph.indices[row], strict=True))
            assert edges == sorted((float((codes[i] != code).sum()), j) for j, code in enumerate(codes))


def test_number_of_edges():
    codes = np.eye(6, dtype=np.uint8)
    assert (HammingNeighborsTransformer(n_neighbors=3).fit_transform(codes).getnnz(axis=1) == 4).all()
    connectivity = HammingNeighborsTransformer("connectivity", n_neighbors=3).fit_transform(codes)
    assert (connectivity.getnnz(axis=1) == 3).all()
    assert (connectivity.data == 1).all()
    assert (connectivity.diagonal() == 1).all()
    near = HammingNeighborsTransformer(radius=1, n_neighbors=99).fit_transform(codes)
    assert near.nnz == 6
    assert (near.data == 0).all()
    with pytest.raises(ValueError, match="Expected n_neighbors <= n_samples_fit, but n_neighbors = 7"):
        HammingNeighborsTransformer(n_neighbors=6).fit_transform(codes)


def test_a_code_may_give_its_place_to_an_equal_one():
    codes = np.zeros((4, 3), np.uint8)
    transformer = HammingNeighborsTransformer(n_neighbors=1)
    graph = transformer.fit_transform(codes)
    assert graph.indices.tolist() == [0, 1] * 4
    distances, ids = NearestNeighbors(n_neighbors=1, metric="precomputed").fit(graph).kneighbors()
    assert distances.ravel().tolist() == [0] * 4
    assert all(ids[i, 0] != i for i in range(4))
    assert HammingNeighborsTransformer(radius=0).fit_transform(codes).nnz == 16


def test_feature_names_and_index():
    transformer = HammingNeighborsTransformer().fit(np.eye(7, dtype=np.uint8))
    assert transformer.get_feature_names_out()[-1] == "hammingneighborstransformer6"
    assert isinstance(transformer.index_, HammingIndex)
    given = {"algorithm": "mih", "n_jobs": 2}
    assert given.items() <= transformer.set_params(**given).fit(np.eye(7)).index_.get_params().items()
    assert (transformer.n_samples_fit_, transformer.n_features_in_, transformer.bits_) == (7, 7, 7)


def assert_chained_is_compact(transformer, chained, compact, X, codes, method="fit_predict"):
    found = getattr(make_pipeline(transformer, chained), method)(codes)
    np.testing.assert_allclose(found, getattr(compact, method)(X), atol=1e-8)
    assert len(np.unique(found)) > 1


def test_dbscan(samples):
    X, codes = samples
    compact = DBSCAN(eps=1200, min_samples=4, metric="manhattan")
    chained = clone(compact).set_params(metric="precomputed")
    assert_chained_is_compact(HammingNeighborsTransformer(radius=1200), chained, compact, X, codes)


def test_dbscan_with_many_equal_codes(digits):
    X = (digits.X[:300] > 8).astype(np.uint8)[:, 20:32]
    compact = DBSCAN(eps=1, min_samples=4, metric="manhattan")
    chained = clone(compact).set_params(metric="precomputed")
    assert_chained_is_compact(HammingNeighborsTransformer(radius=1), chained, compact, X.astype(float), X)


def test_tsne(samples):
    X, codes = samples
    compact = TSNE(perplexity=5, metric="manhattan", init="random", max_iter=250, random_state=0)
    chained = clone(compact).set_params(metric="precomputed")
    transformer = HammingNeighborsTransformer(n_neighbors=16)
    with threadpool_limits(1):  # OpenMP's threads wait for each other where others work, too
        assert_chained_is_compact(transformer, chained, compact, X, codes, "fit_transform")


def test_isomap(samples, queries):
    (X, codes), (Q, queries) = samples, queries
    compact = Isomap(n_neighbors=15, p=1)
    chained = Isomap(n_neighbors=15, metric="precomputed")
    pipe = make_pipeline(HammingNeighborsTransformer(n_neighbors=15), chained).fit(codes)
    compact.fit(X)
    np.testing.assert_allclose(pipe[-1].embedding_, compact.embedding_, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(pipe.transform(queries), compact.transform(Q), rtol=1e-6, atol=1e-6)


def test_local_outlier_factor(samples):
    X, codes = samples
    compact = LocalOutlierFactor(n_neighbors=4, contamination=0.1, metric="manhattan")
    chained = clone(compact).set_params(metric="precomputed")
    assert_chained_is_compact(HammingNeighborsTransformer(n_neighbors=4), chained, compact, X, codes)


def test_spectral_clustering(samples):
    X, codes = samples
    nearest = NearestNeighbors(n_neighbors=12, metric="manhattan").fit(X)
    affinity = nearest.kneighbors_graph(X)
    compact = SpectralClustering(n_clusters=3, affinity="precomputed", random_state=0)
    expected = compact.fit_predict(0.5 * (affinity + affinity.T))
    chained = SpectralClustering(n_clusters=3, n_neighbors=12, affinity="precomputed_nearest_neighbors", random_state=0)
    found = make_pipeline(HammingNeighborsTransformer(n_neighbors=12), chained).fit_predict(codes)
    np.testing.assert_array_equal(found, expected)
    assert len(np.unique(found)) == 3


def test_classifiers(samples, queries):
    (X, codes), (Q, queries) = samples, queries
    y = np.arange(len(X)) % 3
    k_nearest, within = HammingNeighborsTransformer(n_neighbors=11), HammingNeighborsTransformer(radius=9000)
    by_k, by_radius = KNeighborsClassifier(n_neighbors=5, p=1), RadiusNeighborsClassifier(radius=9000, p=1)
    for transformer, compact in ((k_nearest, by_k), (within, by_radius), (within, by_k)):
        chained = make_pipeline(transformer, clone(compact).set_params(metric="precomputed")).fit(codes, y)
        np.testing.assert_allclose(chained.predict_proba(queries), compact.fit(X, y).predict_proba(Q))
