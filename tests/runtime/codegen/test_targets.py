"""Targets that this machine can run."""

import pytest

from skhash.runtime.codegen._targets import find_target, list_targets


def test_generic_runs_everywhere_and_the_fastest_comes_first():
    names = [target.name for target in list_targets()]
    assert names[-1] == "generic"
    assert find_target().name == names[0]
    assert [find_target(name).name for name in names] == names


def test_unknown_targets_are_refused():
    with pytest.raises(
        ValueError, match=r"target must be None or one of \[.*'generic'\], which this machine can run; got 'z80'"
    ):
        find_target("z80")


@pytest.mark.parametrize("target", list_targets(), ids=lambda target: target.name)
def test_machines_are_what_they_are_called(target):
    assert target.machine().triple
    assert target.lanes in (8, 16)
