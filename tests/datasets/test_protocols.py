import pytest

from skhash.datasets import PROTOCOLS, RetrievalProtocol


def test_the_table_is_read_only_and_keyed_by_name():
    assert all(name == protocol.name for name, protocol in PROTOCOLS.items())
    with pytest.raises(TypeError):
        PROTOCOLS["mine"] = None


def test_every_protocol_says_who_uses_it():
    assert all(protocol.used_by for protocol in PROTOCOLS.values())


@pytest.mark.parametrize("name", ["sdc", "cibhash"])
def test_map_at_1000(name):
    assert PROTOCOLS[name].R == 1000


def test_depth_of_the_others():
    depths = {name: protocol.R for name, protocol in PROTOCOLS.items() if name not in ("sdc", "cibhash")}
    assert depths.pop("odh-cifar100") == 500
    assert set(depths.values()) == {None}


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"n_query": 0, "n_train": 1}, "n_query must be an integer >= 1 or 'test', got 0"),
        ({"n_query": "all", "n_train": 1}, "n_query must be an integer >= 1 or 'test', got 'all'"),
        ({"n_query": 1, "n_train": 0.5}, "n_train must be an integer >= 1 or 'all', got 0.5"),
        ({"n_query": 1, "n_train": 1, "n_validation": -1}, "n_validation must be an integer >= 0, got -1"),
        ({"n_query": 1, "n_train": 1, "n_validation": "all"}, "n_validation must be an integer >= 0, got 'all'"),
    ],
)
def test_own_protocols_are_checked(counts, message):
    with pytest.raises(ValueError, match=message):
        RetrievalProtocol("mine", **counts)
