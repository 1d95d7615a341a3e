from types import SimpleNamespace

import pytest

from skhash.utils import restore_on_error


def change(thing):
    thing.a, thing.new = 2, 3
    del thing.b
    raise KeyboardInterrupt


def test_everything_comes_back():
    thing = SimpleNamespace(a=1, b=1)
    with pytest.raises(KeyboardInterrupt), restore_on_error(thing):
        change(thing)
    assert vars(thing) == {"a": 1, "b": 1}


def test_only_the_named_attributes_come_back():
    thing = SimpleNamespace(a=1, b=1)
    with pytest.raises(KeyboardInterrupt), restore_on_error(thing, ["a", "new"]):
        change(thing)
    assert vars(thing) == {"a": 1}


def test_without_an_error_changes_stay():
    thing = SimpleNamespace(a=1)
    with restore_on_error(thing):
        thing.a = 2
    assert thing.a == 2
