import numpy as np
import pytest

from skhash.centers import bch_centers, bernoulli_centers, min_distance


def by_products(centers):
    signed = centers.astype(np.float32)
    products = signed @ signed.T
    np.fill_diagonal(products, -np.inf)
    return (centers.shape[1] - products.max()) / 2


@pytest.mark.parametrize("n", [2, 7, 4096])
def test_few_centers(n):
    centers = bernoulli_centers(n, 24, random_state=n)
    assert min_distance(centers) == by_products(centers)


@pytest.mark.parametrize("bits", [24, 64, 100, 600])
def test_thousands_of_random_centers(bits):
    centers = bernoulli_centers(5000, bits, random_state=bits)
    assert min_distance(centers) == by_products(centers)


def test_thousands_of_words_of_a_linear_code():
    centers = bch_centers(5000, 64, random_state=0)
    assert min_distance(centers) == by_products(centers) == 24


def test_one_center_has_no_other():
    assert min_distance(bernoulli_centers(1, 24, random_state=0)) == 24


def test_equal_centers():
    assert min_distance(np.ones((3, 8))) == 0
    assert min_distance(np.ones((5000, 8))) == 0
