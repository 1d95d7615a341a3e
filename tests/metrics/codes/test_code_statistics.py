import dataclasses

import numpy as np
import pytest

from skhash.codes import pack_codes
from skhash.metrics import (
    CodeStatistics,
    bit_balance,
    bit_correlation,
    bit_entropy,
    center_orthogonality,
    code_entropy,
    code_statistics,
    collision_rate,
    lower_bound_ratio,
    quantization_error,
)

RNG = np.random.default_rng(0)
Z = RNG.standard_normal((60, 20))
CODES = (Z >= 0).astype(np.uint8)
Y = np.array(["ant", "bee", "cow"])[RNG.integers(0, 3, 60)]


def test_every_statistic_is_its_function():
    found = code_statistics(CODES, Y, Z, percentile=90)
    assert isinstance(found, CodeStatistics)
    pairs = [(i, j) for i in range(60) for j in range(i)]
    distances = {
        same: np.mean([(CODES[i] != CODES[j]).sum() for i, j in pairs if (Y[i] == Y[j]) == same])
        for same in (True, False)
    }
    assert found.separability == pytest.approx(distances[False] - distances[True])
    assert dataclasses.asdict(dataclasses.replace(found, separability=None)) == {
        "n_codes": 60,
        "bits": 20,
        "bit_balance": bit_balance(CODES),
        "bit_correlation": bit_correlation(CODES),
        "bit_entropy": bit_entropy(CODES),
        "code_entropy": code_entropy(CODES),
        "collision_rate": collision_rate(CODES),
        "different_class_collision_rate": collision_rate(CODES, Y),
        "lower_bound_ratio": lower_bound_ratio(CODES, Y, percentile=90),
        "separability": None,
        "center_orthogonality": center_orthogonality(CODES, Y),
        "quantization_error": quantization_error(Z),
    }


def test_packed_codes_and_one_hot_labels_say_the_same():
    one_hot = (Y[:, None] == np.unique(Y)).astype(int)
    expected = code_statistics(CODES, Y)
    for codes, y in ((pack_codes(CODES), Y), (CODES, one_hot)):
        got = code_statistics(codes, y, bits=20)
        assert dataclasses.astuple(got)[:-1] == pytest.approx(dataclasses.astuple(expected)[:-1])


def test_without_labels_and_continuous_codes():
    found = code_statistics(CODES)
    missing = {name for name, value in vars(found).items() if value is None}
    assert missing == {
        "different_class_collision_rate",
        "lower_bound_ratio",
        "separability",
        "center_orthogonality",
        "quantization_error",
    }
    assert set(found.definitions) == set(vars(found)) - missing - {"n_codes", "bits"}


def test_the_table_shows_every_figure_with_its_definition():
    found = code_statistics(CODES, Y, Z)
    head, *lines = repr(found).splitlines()
    assert head == "Statistics of 60 codes of 20 bits"
    assert len(lines) == len(found.definitions) == 10
    for line, (name, definition) in zip(lines, found.definitions.items(), strict=True):
        assert line.split(maxsplit=2) == [name, f"{getattr(found, name):.4g}", definition]


def test_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        code_statistics(CODES).bits = 3


def test_errors():
    with pytest.raises(ValueError, match="codes are continuous"):
        code_statistics(Z)
    with pytest.raises(ValueError, match="codes must have at least 2 rows, got 1"):
        code_statistics(CODES[:1])
    with pytest.raises(ValueError, match="y must have one row per code, 60, got 59"):
        code_statistics(CODES, Y[1:])
    with pytest.raises(ValueError, match="at least 2 classes with samples, got 1"):
        code_statistics(CODES, np.zeros(60, dtype=int))
    with pytest.raises(ValueError, match=r"z must have the shape of the codes, \(60, 20\), got \(60, 19\)"):
        code_statistics(CODES, z=Z[:, 1:])
    with pytest.raises(ValueError, match=r"z must have the shape of the codes, \(60, 20\), got \(59, 20\)"):
        code_statistics(CODES, z=Z[1:].tolist())
