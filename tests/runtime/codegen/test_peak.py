"""The peak popcount throughput is plausible."""

import pytest

from skhash.runtime import popcount_roof
from skhash.runtime.codegen._targets import list_targets


@pytest.mark.parametrize("target", [target.name for target in list_targets()])
def test_rate(target):
    assert 1e9 < popcount_roof(target, n_rounds=2) < 1e14
