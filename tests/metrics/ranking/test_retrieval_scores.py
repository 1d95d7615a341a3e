"""Several metrics at once: each equals the result of its own function, for any form of codes and number of threads."""

import numpy as np
import pytest
import sklearn
from bitarray import bitarray

from skhash.codes import pack_codes
from skhash.metrics import (
    RankingProtocol,
    Score,
    knn_accuracy,
    mean_average_precision,
    ndcg,
    precision_at_k,
    precision_within_radius,
    recall_at_k,
    recall_within_radius,
    retrieval_scores,
)
from skhash.metrics.ranking._average_precision import TIES
from skhash.metrics.ranking._retrieval_scores import DEFAULT_NUMBERS, read_metric_names

EVERY = ["map", "map@9", "precision@7", "recall@7", "precision_within@3", "recall_within@0", "ndcg@9", "knn_accuracy@5"]


def one_by_one(sides, *, ties="stable", n_jobs=None, **shared):
    """Return the scores that `EVERY` names."""
    shared["n_jobs"] = n_jobs
    ranking = {**shared, "ties": ties, "random_state": 2}
    scores = {
        "map": mean_average_precision(*sides, **ranking),
        "map@9": mean_average_precision(*sides, R=9, **ranking),
        "precision@7": precision_at_k(*sides, 7, **ranking),
        "recall@7": recall_at_k(*sides, 7, **ranking),
        "precision_within@3": precision_within_radius(*sides, 3, **shared),
        "recall_within@0": recall_within_radius(*sides, 0, **shared),
    }
    if ties in ("stable", "expected"):
        scores["ndcg@9"] = ndcg(*sides, R=9, ties=ties, **shared)
    scores["knn_accuracy@5"] = knn_accuracy(*sides, n_neighbors=5, **shared)
    return scores


def check(got, expected):
    assert list(got) == list(expected)
    for name, score in expected.items():
        assert isinstance(got[name], Score)
        assert got[name] == score
        assert got[name].definition == score.definition
        np.testing.assert_array_equal(got[name].per_query, score.per_query)


@pytest.mark.parametrize("multi_hot", [False, True])
@pytest.mark.parametrize("exclude_self", [False, True])
@pytest.mark.parametrize("ties", sorted(TIES))
def test_every_metric(make_sides, multi_hot, exclude_self, ties):
    sides = make_sides(n=90, bits=7, multi_hot=multi_hot)
    sides = (*sides[1:2] * 2, *sides[3:] * 2) if exclude_self else sides
    expected = one_by_one(sides, ties=ties, exclude_self=exclude_self)
    got = retrieval_scores(*sides, list(expected), ties=ties, exclude_self=exclude_self, random_state=2)
    check(got, expected)


@pytest.mark.parametrize(
    "form",
    [
        pack_codes,
        lambda codes: codes.astype(bool),
        lambda codes: 2 * codes.astype(np.int8) - 1,
        lambda codes: np.packbits(codes, axis=1, bitorder="little"),
        lambda codes: [bitarray(row.tolist()) for row in codes],
    ],
    ids=["words", "bool", "signs", "bytes", "bitarrays"],
)
@pytest.mark.parametrize("bits", [6, 64, 71])
def test_every_form_of_codes(make_sides, form, bits):
    queries, database, *labels = make_sides(n=90, bits=bits)
    got = retrieval_scores(form(queries), form(database), *labels, EVERY, bits=bits)
    check(got, one_by_one((queries, database, *labels)))


@pytest.mark.parametrize(
    "labels_as", [list, lambda y: np.array(["ant", "bee", "cow"])[y], lambda y: np.eye(3, dtype=int)[y]]
)
def test_every_kind_of_labels(make_sides, labels_as):
    queries, database, *labels = make_sides(n=90)
    names = EVERY[:-1]  # the vote of multi-hot labels is another one
    expected = retrieval_scores(queries, database, *labels, names)
    assert retrieval_scores(queries, database, *map(labels_as, labels), names) == expected


@pytest.mark.parametrize("multi_hot", [False, True])
def test_threads_and_little_memory(make_sides, multi_hot):
    sides = make_sides(n_queries=300, n=900, multi_hot=multi_hot)
    expected = one_by_one(sides, n_jobs=1)
    with sklearn.config_context(working_memory=0.01):
        for n_jobs in (1, 2):
            check(retrieval_scores(*sides, EVERY, n_jobs=n_jobs), expected)


def test_options_reach_their_metric(make_sides):
    sides = make_sides(n=200, bits=9)
    plan = RankingProtocol("mine", R=4, denominator="min", ties="expected")
    got = retrieval_scores(
        *sides, ["map", "map@50", "precision@5", "precision_within@1"], protocol=plan, empty_ball="skip"
    )
    assert got["map"] == mean_average_precision(*sides, protocol=plan)
    assert got["map@50"] == mean_average_precision(*sides, protocol=plan, R=50) != got["map"]
    assert got["precision@5"] == precision_at_k(*sides, 5, ties="expected") != precision_at_k(*sides, 5)
    assert got["precision_within@1"] == precision_within_radius(*sides, 1, empty_ball="skip")
    again = retrieval_scores(*sides, "map", protocol=plan, ties="pessimistic")
    assert again == {"map": mean_average_precision(*sides, protocol=plan, ties="pessimistic")}


def test_default_metrics_and_numbers(make_sides):
    sides = make_sides(n=150)
    assert list(retrieval_scores(*sides)) == ["map", "precision@10", "recall@10", "precision_within@2"]
    numbered = [name if number is None else f"{name}@{number}" for name, number in DEFAULT_NUMBERS.items()]
    plain, explicit = retrieval_scores(*sides, list(DEFAULT_NUMBERS)), retrieval_scores(*sides, numbered)
    assert list(plain.values()) == list(explicit.values())


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        ("map", {"map": ("map", None)}),
        (["map@5", "precision_within@0"], {"map@5": ("map", 5), "precision_within@0": ("precision_within", 0)}),
        (("ndcg", "recall"), {"ndcg": ("ndcg", 100), "recall": ("recall", 100)}),
        (["map", "map"], {"map": ("map", None)}),
    ],
)
def test_names(metrics, expected):
    assert read_metric_names(metrics) == expected


@pytest.mark.parametrize(
    "name", ["mAP", "precision@0", "map@0", "map@", "ndcg@-1", "recall@ten", "recall@1.5", "precision_within@x", "", 7]
)
def test_unknown_names(make_sides, name):
    with pytest.raises(
        ValueError, match=f"metrics must contain names among knn_accuracy, map, ndcg, precision, .*'@'.*got {name!r}"
    ):
        retrieval_scores(*make_sides(), ["map", name])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"metrics": []}, "metrics must contain at least one name, got an empty sequence"),
        ({"metrics": ["precision@401"]}, "k must be <= n_ranked = 400, got 401"),
        ({"protocol": "cifar"}, "The 'protocol' parameter of retrieval_scores must be a str among"),
        ({"ties": "fair"}, "The 'ties' parameter of retrieval_scores must be a str among"),
        ({"empty_ball": "nan"}, "The 'empty_ball' parameter of retrieval_scores must be a str among"),
        *(
            ({"metrics": "ndcg", "ties": ties}, rf"ties must be one of \['expected', 'stable'\] for ndcg, got '{ties}'")
            for ties in ("random", "optimistic", "pessimistic")
        ),
    ],
)
def test_errors(make_sides, arguments, message):
    with pytest.raises(ValueError, match=message):
        retrieval_scores(*make_sides(), **arguments)


def test_one_order_of_random_ties_for_all_metrics(make_sides):
    sides = make_sides(n=90, bits=3)
    for random_state in (None, np.random.RandomState(0)):
        scores = retrieval_scores(*sides, ["map", "map@90"], ties="random", random_state=random_state)
        assert scores["map"] == scores["map@90"]
