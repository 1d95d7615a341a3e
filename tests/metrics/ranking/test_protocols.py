"""The table of protocols, and changes of one by a user."""

import dataclasses

import numpy as np
import pytest

from skhash.metrics import RANKING_PROTOCOLS, RankingProtocol, mean_average_precision
from skhash.metrics.ranking._protocols import TIE_WORDS, resolve_protocol


def test_every_protocol_can_be_computed():
    for name, plan in RANKING_PROTOCOLS.items():
        assert plan.name == name
        assert plan.ties == "stable"
        assert plan.used_by
        assert mean_average_precision([[0]], [[1], [0]], [1], [0, 1], protocol=name) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"R": 0}, "R must be an integer >= 1 or None, got 0"),
        ({"R": 5.0}, "R must be an integer >= 1 or None, got 5.0"),
        ({"denominator": "all"}, r"denominator must be one of \['top', 'total', 'min'\], got 'all'"),
        ({"zero_hit": "drop"}, r"zero_hit must be one of \['zero', 'skip'\], got 'drop'"),
        ({"unlabeled": None}, r"unlabeled must be one of \['zero', 'skip'\], got None"),
        ({"ties": "fair"}, r"ties must be one of \['stable', 'expected', .*\], got 'fair'"),
    ],
)
def test_errors(changes, message):
    with pytest.raises(ValueError, match=message):
        RankingProtocol("mine", **changes)


@pytest.mark.parametrize(
    ("name", "R", "denominator", "zero_hit", "unlabeled"),
    [
        # methods.md 11.1 and 11.3.
        ("skhash", None, "top", "zero", "zero"),
        ("hashnet", None, "top", "skip", "zero"),
        ("orthohash", None, "top", "zero", "zero"),
        ("csq", None, "top", "zero", "skip"),
        ("deephash-pytorch", None, "top", "zero", "zero"),
        ("dch", None, "top", "skip", "zero"),
        ("tbh", None, "top", "skip", "zero"),
        ("ssdh", None, "top", "zero", "zero"),
        ("gldv2", 100, "min", "zero", "zero"),
        ("gldv2-orthohash", 100, "total", "zero", "zero"),
    ],
)
def test_definitions(name, R, denominator, zero_hit, unlabeled):
    plan = RANKING_PROTOCOLS[name]
    assert (plan.R, plan.denominator, plan.zero_hit, plan.unlabeled) == (R, denominator, zero_hit, unlabeled)


def test_the_table_cannot_be_changed():
    with pytest.raises(TypeError):
        RANKING_PROTOCOLS["skhash"] = None
    with pytest.raises(dataclasses.FrozenInstanceError):
        RANKING_PROTOCOLS["skhash"].R = 5


@pytest.mark.parametrize(
    ("protocol", "wanted", "expected"),
    [
        ("skhash", {}, RANKING_PROTOCOLS["skhash"]),
        ("skhash", {"R": None, "ties": None}, RANKING_PROTOCOLS["skhash"]),
        ("hashnet", {"zero_hit": "skip"}, RANKING_PROTOCOLS["hashnet"]),
        ("gldv2", {"R": 10}, dataclasses.replace(RANKING_PROTOCOLS["gldv2"], R=10)),
        (
            "hashnet",
            {"zero_hit": "zero", "ties": "expected", "R": 7},
            dataclasses.replace(
                RANKING_PROTOCOLS["hashnet"],
                **{"R": 7, "zero_hit": "zero", "ties": "expected"},
                name="hashnet, zero_hit='zero', ties='expected'",
            ),
        ),
        (RankingProtocol("mine", R=3), {"denominator": "min"}, RankingProtocol("mine, denominator='min'", 3, "min")),
    ],
)
def test_changes_go_into_the_name(protocol, wanted, expected):
    assert resolve_protocol(protocol, **wanted) == expected


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        (
            RANKING_PROTOCOLS["skhash"],
            "mAP@all (skhash): AP over relevant items in the top R; queries without a hit count 0; "
            "ties in database order",
        ),
        (
            RANKING_PROTOCOLS["csq"],
            "mAP@all (csq): AP over relevant items in the top R; queries without a hit count 0; "
            "queries without a label skipped; ties in database order",
        ),
        (
            RankingProtocol("mine", 5, "total", "skip", "skip", "expected"),
            "mAP@5 (mine): AP over all relevant items; queries without a hit skipped; averaged over all orders of ties",
        ),
        (
            RANKING_PROTOCOLS["gldv2"],
            "mAP@100 (gldv2): AP over min(R, relevant items); queries without a hit count 0; ties in database order",
        ),
    ],
)
def test_describe(plan, expected):
    assert plan.describe() == expected


@pytest.mark.parametrize("ties", sorted(TIE_WORDS))
def test_describe_says_the_ties(ties):
    assert TIE_WORDS[ties] in RankingProtocol("mine", ties=ties).describe()


def test_protocols_differ_where_they_say_so():
    # Relevant items at ranks 1 and 4 of 4; nothing relevant to the second query; the third has no label.
    database = np.array([[0, 0, 0], [0, 0, 1], [0, 1, 1], [1, 1, 1]])
    labels = np.array([[1, 0], [0, 0], [0, 0], [1, 0]])
    sides = np.zeros((3, 3), int), database, [[1, 0], [0, 1], [0, 0]], labels
    got = {name: mean_average_precision(*sides, protocol=name, R=2) for name in ("skhash", "hashnet", "csq", "gldv2")}
    assert got == {"skhash": pytest.approx(1 / 3), "hashnet": 1.0, "csq": 0.5, "gldv2": pytest.approx(1 / 6)}
    assert mean_average_precision(*sides, protocol="gldv2-orthohash", R=1) == pytest.approx(1 / 6)
    assert mean_average_precision(*sides, protocol="gldv2", R=1) == pytest.approx(1 / 3)
