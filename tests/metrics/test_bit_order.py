"""Every metric, statistic and Display reads packed bytes in either order of bits."""

import dataclasses
import inspect
from functools import partial

import numpy as np
import pytest

from skhash import metrics

BITS = 20
RNG = np.random.default_rng(0)
CODES = RNG.integers(0, 2, (40, BITS), dtype=np.uint8)
QUERIES = RNG.integers(0, 2, (8, BITS), dtype=np.uint8)
LISTS = [RNG.permutation(40) for _ in QUERIES]
# The arguments of all doors, by name; codes are packed in the tests.
ARGUMENTS = {
    "y": RNG.integers(0, 3, 40),
    "query_labels": RNG.integers(0, 3, 8),
    "database_labels": RNG.integers(0, 3, 40),
    "query_images": RNG.random((8, 4, 4)),
    "database_images": RNG.random((40, 4, 4)),
    "random_state": 0,
    "perplexity": 5,
    "k": 10,
    "metrics": ["map", "precision@10", "precision_within@9", "ndcg@10", "knn_accuracy@5"],
}
TRUTHS = {
    "gldv2_map": [ranks[:9] for ranks in LISTS],
    "revisited_map": [{"easy": ranks[:6], "hard": ranks[6:9], "junk": ranks[9:12]} for ranks in LISTS],
}


@pytest.fixture(autouse=True)
def _close_figures():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    yield
    pyplot.close("all")


def doors():
    """List the public callables that take packed codes: functions, and `from_predictions` of Displays."""
    for name in metrics.__all__:
        thing = getattr(metrics, name)
        call = getattr(thing, "from_predictions", None) if inspect.isclass(thing) else thing
        if callable(call) and "bits" in inspect.signature(call).parameters:
            yield name, call


DOORS = dict(doors())
each_door = pytest.mark.parametrize("name", DOORS)


def call_with(name, convert, **options):
    """Call a door with converted codes and as many other arguments as it takes."""
    one_setting = (lambda codes: [convert(codes)]) if name == "MapAgainstLowerBoundDisplay" else convert
    known = {
        **ARGUMENTS,
        "codes": convert(CODES),
        "query_codes": one_setting(QUERIES),
        "database_codes": one_setting(CODES),
        "ground_truth": TRUTHS.get(name),
    }
    taken = inspect.signature(DOORS[name]).parameters
    return DOORS[name](**{key: value for key, value in known.items() if key in taken}, **options)


def contents(value):
    """Return the arrays and numbers of a result, by name."""
    if isinstance(value, dict):
        return value
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if hasattr(value, "__getstate__") and hasattr(value, "plot"):
        return value.__getstate__()
    return {"value": value}


def test_the_doors_are_found():
    assert len(DOORS) >= 26
    assert {"mean_average_precision", "bit_balance", "code_statistics", "RetrievedImagesDisplay"} <= set(DOORS)


@each_door
def test_the_order_follows_the_code_length(name):
    parameters = inspect.signature(DOORS[name]).parameters
    names = list(parameters)
    assert names.index("bitorder") == names.index("bits") + 1
    assert parameters["bitorder"].kind is inspect.Parameter.KEYWORD_ONLY
    assert parameters["bitorder"].default == "little"


@each_door
def test_packed_bytes_of_both_orders(name):
    expected = contents(call_with(name, lambda codes: codes))
    for order in ("little", "big"):
        pack = partial(np.packbits, axis=1, bitorder=order)
        found = contents(call_with(name, pack, bits=BITS, bitorder=order))
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            if value is None or isinstance(value, (str, dict)):
                assert found[key] == value, (order, key)
            else:
                np.testing.assert_array_equal(found[key], value, err_msg=f"{order} {key}")
    # Padding bits that are set tell of the other order.
    with pytest.raises(ValueError, match=r'bytes from np\.packbits need bitorder="big"'):
        call_with(name, lambda codes: np.packbits(codes, axis=1), bits=BITS)


@each_door
def test_an_unknown_order(name):
    with pytest.raises(ValueError, match="bitorder must be 'little' or 'big', got 'middle'"):
        call_with(name, lambda codes: codes, bitorder="middle")
