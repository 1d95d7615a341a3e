import numpy as np
import pytest

from skhash.centers._galois import galois_field, prime_power


def test_prime_powers():
    found = {q for q in range(70) if prime_power(q)}
    primes = {q for q in range(2, 70) if all(q % d for d in range(2, q))}
    assert found == primes | {4, 8, 9, 16, 25, 27, 32, 49, 64}
    assert prime_power(3**5) == (3, 5)


def test_gf16_is_that_of_the_specification():
    # x^4 + x + 1: the fourth power of the primitive element is itself plus one.
    assert galois_field(16).powers[:6].tolist() == [1, 2, 4, 8, 3, 6]


@pytest.mark.parametrize("q", [2, 3, 4, 7, 9, 16, 25, 27])
def test_fields_obey_their_laws(q):
    field, x = galois_field(q), np.arange(q)
    assert sorted(field.powers) == list(range(1, q))
    products = field.multiply(x[:, None], x)
    np.testing.assert_array_equal(products, products.T)
    np.testing.assert_array_equal(products[1], x)
    assert not products[0].any()
    assert all(len(set(row)) == q for row in products[1:])  # no divisors of zero
    differences = field.subtract(x[:, None], x)
    assert not np.diag(differences).any()
    assert all(len(set(row)) == q for row in differences)
    for factor in x:  # a (b - c) = a b - a c
        np.testing.assert_array_equal(
            field.multiply(factor, differences), field.subtract(products[factor][:, None], products[factor])
        )


@pytest.mark.parametrize("q", [5, 9, 27])
def test_the_quadratic_character_knows_the_squares(q):
    field, x = galois_field(q), np.arange(q)
    squares = set(field.multiply(x[1:], x[1:]).tolist())
    expected = [0] + [1 if element in squares else -1 for element in range(1, q)]
    assert field.quadratic_character().tolist() == expected
