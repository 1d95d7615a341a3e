"""Tests of the check that parameters have not changed."""

import numpy as np
import pytest

from skhash.utils import check_unchanged


def test_equal_arrays_and_the_same_object_are_unchanged():
    module = object()
    before = {"centers": np.ones(3), "module": module, "bits": 8}
    check_unchanged(before, {"centers": np.ones(3), "module": module, "bits": 8}, when="then", advice="Stop.")


@pytest.mark.parametrize("value", [9, None, "auto", np.ones(3)])
def test_a_change_is_named(value):
    with pytest.raises(ValueError, match=r"bits was 8 then and is .* now: Stop."):
        check_unchanged({"bits": 8}, {"bits": value}, when="then", advice="Stop.")
