import numpy as np
import pytest

from skhash.centers._checks import NoCentersError, checked


@checked(factor=[None, int])
def power(n_classes, bits, factor=None):
    """Something that overflows in 64 bits."""
    return 2 ** (n_classes * bits) * (factor or 1)


def test_sizes_become_integers_that_do_not_overflow():
    assert power(np.int64(2), np.int32(50), factor=3) == 3 * 2**100
    assert power.__name__ == "power"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((0, 1), "'n_classes' parameter of power"), ((1, 2.5), "'bits' parameter of power"), ((1, 1, "x"), "'factor'")],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        power(*arguments)


def test_no_centers_is_a_value_error():
    assert issubclass(NoCentersError, ValueError)
