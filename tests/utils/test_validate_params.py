"""The decorator that checks parameters is scikit-learn's, but for the time of a valid call."""

import inspect
from numbers import Integral

import pytest
import sklearn
from sklearn.utils._param_validation import validate_params as original

from skhash.utils import Interval, StrOptions, validate_params

CONSTRAINTS = {
    "n": [Interval(Integral, 1, None, closed="left"), None],
    "kind": [StrOptions({"a", "b"})],
    "free": "no_validation",
}


def brew(n, *, kind="a", free=None):
    """Return the arguments and whether nested validation is skipped."""
    return n, kind, free, sklearn.get_config()["skip_parameter_validation"]


@pytest.fixture(params=[True, False])
def both(request):
    return [
        make(CONSTRAINTS, prefer_skip_nested_validation=request.param)(brew) for make in (validate_params, original)
    ]


@pytest.mark.parametrize(
    "arguments", [((1,), {}), ((None,), {"kind": "b", "free": object}), ((3,), {"free": "x"}), ((), {"n": 2})]
)
def test_valid_values_reach_the_function(both, arguments):
    ours, theirs = both
    assert ours(*arguments[0], **arguments[1]) == theirs(*arguments[0], **arguments[1])


@pytest.mark.parametrize(
    "arguments", [((0,), {}), ((1.5,), {}), ((1,), {"kind": "c"}), ((1,), {"tea": 1}), ((), {}), ((1, "a"), {})]
)
def test_errors_are_those_of_scikit_learn(both, arguments):
    messages = []
    for function in both:
        with pytest.raises((TypeError, ValueError)) as raised:
            function(*arguments[0], **arguments[1])
        messages.append((type(raised.value), str(raised.value)))
    assert messages[0] == messages[1]


def test_it_can_be_skipped_and_inspected(both):
    ours, theirs = both
    with sklearn.config_context(skip_parameter_validation=True):
        assert ours(0) == theirs(0)
    assert inspect.signature(ours) == inspect.signature(theirs)
    assert ours._skl_parameter_constraints is CONSTRAINTS
    assert ours.__doc__ == brew.__doc__


def test_a_valid_call_does_not_read_the_signature(monkeypatch):
    function = validate_params(CONSTRAINTS, prefer_skip_nested_validation=True)(brew)
    for module in ("inspect", "sklearn.utils._param_validation"):
        monkeypatch.setattr(f"{module}.signature", None)
    assert function(1)[0] == 1
    with pytest.raises(TypeError):  # an invalid one does
        function(0)
