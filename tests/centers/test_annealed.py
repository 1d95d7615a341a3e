import numpy as np
import pytest

from skhash.centers._annealed import found_codes, golay_code
from skhash.centers._linear_code import all_words, basis, min_weight, weights


@pytest.mark.parametrize("code", found_codes(), ids=lambda code: f"{code.bits}-{code.dimension}-{code.distance}")
def test_codes_are_what_the_table_says(code):
    generator = code.make()
    assert generator.shape == (code.dimension, code.bits)
    assert len(basis(generator)) == code.dimension
    assert min_weight(generator) == code.distance
    assert len(np.unique(generator, axis=1).T) == code.bits


def test_golays_code_has_its_weights():
    found, counts = np.unique(weights(all_words(golay_code())), return_counts=True)
    assert dict(zip(found.tolist(), counts.tolist(), strict=True)) == {0: 1, 8: 759, 12: 2576, 16: 759, 24: 1}
