import inspect
import pickle

import pytest
from sklearn.base import BaseEstimator, clone

from skhash import CSQHasher
from skhash.utils import inherit_parameters


class Base(BaseEstimator):
    def __init__(self, bits=64, *, rate=0.1, seed=None):
        self.bits, self.rate, self.seed = bits, rate, seed


class Child(Base):
    def __init__(self, bits=64, *, weight=1.0, rate=0.5, **others):
        """Make one."""
        super().__init__(bits, rate=rate, **others)
        self.weight = weight

    __init__ = inherit_parameters(__init__, Base.__init__)


def test_the_signature_names_own_parameters_first_and_the_rest_of_the_bases():
    assert str(inspect.signature(Child)) == "(bits=64, *, weight=1.0, rate=0.5, seed=None)"
    assert next(iter(inspect.signature(Child.__init__).parameters)) == "self"
    assert (Child.__init__.__name__, Child.__init__.__doc__) == ("__init__", "Make one.")


def test_scikit_learn_reads_and_sets_all_of_them():
    child = Child(16, weight=2.0, seed=3)
    assert child.get_params() == {"bits": 16, "weight": 2.0, "rate": 0.5, "seed": 3}
    assert clone(child).set_params(seed=4, weight=5.0).get_params() == {**child.get_params(), "seed": 4, "weight": 5.0}
    assert pickle.loads(pickle.dumps(child)).get_params() == child.get_params()


def test_unknown_and_repeated_arguments_are_refused():
    with pytest.raises(
        TypeError, match=r"Child got an unknown parameter 'wait'; expected one of bits, weight, rate, seed\."
    ):
        Child(wait=1.0)
    with pytest.raises(TypeError, match="multiple values for argument 'bits'"):
        Child(16, bits=16)
    with pytest.raises(TypeError, match="takes from 1 to 2 positional arguments but 3 were given"):
        Child(16, 2.0)


def test_what_collects_nothing_stays_as_it_is():
    assert inherit_parameters(Base.__init__, object.__init__) is Base.__init__


def test_a_method_of_ones_own_inherits_what_a_method_inherited():
    class Mine(CSQHasher):
        def __init__(self, bits=64, *, mine=1, **others):
            super().__init__(bits, **others)
            self.mine = mine

    names = list(inspect.signature(Mine).parameters)
    assert names[:3] == ["bits", "mine", "centers"]
    assert set(names) == {*inspect.signature(CSQHasher).parameters, "mine"}
    hasher = clone(Mine(8, mine=2, max_epochs=3, head="csq"))
    assert (hasher.bits, hasher.mine, hasher.max_epochs, hasher.head) == (8, 2, 3, "csq")
    assert repr(hasher) == "Mine(bits=8, head='csq', max_epochs=3, mine=2)"
