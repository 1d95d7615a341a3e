import pytest

from skhash.datasets import PROTOCOLS, RetrievalProtocol


def test_the_table_is_read_only_and_keyed_by_name():
    assert all(name == protocol.name for name, protocol in PROTOCOLS.items())
    with pytest.raises(TypeError):
        PROTOCOLS["mine"] = None


def test_every_protocol_says_who_uses_it():
    assert all(protocol.used_by for protocol in PROTOCOLS.values())


@pytest.mark.parametrize(
    ("R", "names"),
    [
        (None, {"lbhash", "cifar10-1", "bihalf-2", "cifar10-2", "modfire"}),
        (500, {"odh-cifar100"}),
        (1000, {"sdc", "cibhash", "imagenet100", "imagenet100-lbhash"}),
        (5000, {"nuswide21", "mscoco"}),
    ],
)
def test_depths(R, names):
    assert {name for name, protocol in PROTOCOLS.items() if protocol.R == R} == names


def test_what_counts_are_of():
    others = {name: protocol.per for name, protocol in PROTOCOLS.items() if protocol.per != "class"}
    assert others == {"nuswide21": "label", "mscoco": "data set"}


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"n_query": 0, "n_train": 1}, "n_query must be an integer >= 1 or 'test', got 0"),
        ({"n_query": "all", "n_train": 1}, "n_query must be an integer >= 1 or 'test', got 'all'"),
        ({"n_query": 1, "n_train": 0.5}, "n_train must be an integer >= 1 or 'all', got 0.5"),
        ({"n_query": 1, "n_train": 1, "n_validation": -1}, "n_validation must be an integer >= 0, got -1"),
        ({"n_query": 1, "n_train": 1, "n_validation": "all"}, "n_validation must be an integer >= 0, got 'all'"),
        (
            {"n_query": 1, "n_train": 1, "per": "image"},
            r"per must be one of \['class', 'label', 'data set'\], got 'image'",
        ),
    ],
)
def test_own_protocols_are_checked(counts, message):
    with pytest.raises(ValueError, match=message):
        RetrievalProtocol("mine", **counts)
