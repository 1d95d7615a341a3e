import numpy as np
import pytest

from skhash.runtime import compare_codes


def test_counts_against_loops():
    rng = np.random.default_rng(0)
    expected = rng.normal(size=(30, 7)).astype(np.float32)
    found = expected.copy()
    found[3, 2:5] *= -1
    found[9, 0] *= -1
    found[11] += 1e-5
    expected[0, 0] = found[0, 0] = 5e-5
    c = compare_codes(expected, found)
    pairs = [(float(a), float(b)) for a, b in zip(expected.ravel(), found.ravel(), strict=True)]
    wrong = [(a, b) for a, b in pairs if (a >= 0) != (b >= 0)]
    assert (c.n_samples, c.bits) == (30, 7)
    assert c.n_differing_bits == len(wrong) >= 4
    assert c.n_differing_codes == sum(
        any((a >= 0) != (b >= 0) for a, b in zip(*rows, strict=True)) for rows in zip(expected, found, strict=True)
    )
    assert c.n_differing_values == sum(a != b for a, b in pairs)
    assert c.largest_difference == max(abs(a - b) for a, b in pairs)
    assert c.largest_differing == max(max(abs(a), abs(b)) for a, b in wrong)
    assert c.smallest_margin == min(abs(a) for a, _ in pairs)
    assert c.n_near == sum(abs(a) < 1e-4 for a, _ in pairs) >= 1
    assert not c.equal
    assert f"{len(wrong)} of 210 bits differ" in repr(c)


def test_equal_codes():
    z = np.array([[0.0, -1.0]])
    comparison = compare_codes(z, np.array([[-0.0, -2.0]]))
    assert comparison.equal
    assert comparison.n_differing_values == 1
    assert "all with" not in repr(comparison)


@pytest.mark.parametrize(
    ("expected", "found", "message"),
    [
        ([[1.0, 2.0]], [[1.0]], r"one shape.*\(1, 2\) and \(1, 1\)"),
        ([1.0], [1.0], "one shape"),
        (np.empty((0, 4)), np.empty((0, 4)), "not empty"),
        ([[np.nan]], [[1.0]], "NaN"),
    ],
)
def test_bad_input(expected, found, message):
    with pytest.raises(ValueError, match=message):
        compare_codes(expected, found)
