"""The explanation of a plan agrees with the plan that runs."""

import numpy as np
import pytest

from skhash import runtime as rt
from skhash.runtime.codegen._targets import list_targets
from skhash.runtime.compile._plan import Plan


def small_network(*tail):
    weight = np.random.default_rng(0).choice([-1, 1], size=(40, 3, 3, 32))
    operations = (
        rt.Int8Conv(0, np.ones((32, 3, 3, 3)), 1, 1),
        rt.Affine(1, np.ones(32)),
        rt.Sign(2),
        rt.BinaryConv.from_signs(3, weight, padding=1),
        rt.Affine(4, np.ones(40), np.ones(40)),
        rt.GlobalAvgPool(5),
        *tail,
    )
    return rt.Network((6, 5, 3), operations)


@pytest.mark.parametrize("target", list_targets(), ids=lambda target: target.name)
@pytest.mark.parametrize("seed", range(6))
def test_rows_are_the_jobs_and_buffers_those_of_the_plan(seed, target, make_network):
    network = make_network(seed, 4, None if seed % 2 else 40)
    plan = Plan(network, target)
    explanation = plan.explain()
    assert [job.name for job in explanation.jobs] == plan.names
    assert len(explanation.jobs) == len(plan._table)
    assert explanation.buffer_bytes == plan.buffer_bytes > 0
    assert explanation.target == target.name
    computed = [number for job in explanation.jobs for number in job.operations]
    assert set(computed) == set(range(len(network.operations)))
    assert str(explanation).count("\n") == len(explanation.jobs) + len(explanation.buffers) + 6


@pytest.mark.parametrize("seed", range(6))
def test_every_value_is_written_before_it_is_read(seed, make_network):
    explanation = rt.PackedHasher(make_network(seed, 4)).explain()
    written = set()
    for job in explanation.jobs:
        assert set(job.reads) <= written
        written |= set(job.writes)
    assert written == set(range(len(explanation.buffers)))
    assert not explanation.jobs[0].reads
    assert not explanation.jobs[-1].writes


@pytest.mark.parametrize("target", list_targets(), ids=lambda target: target.name)
def test_work_is_counted_by_kernel(target):
    network = small_network(rt.RealConv(6, np.ones((16, 1, 1, 40))))
    explanation = rt.PackedHasher(network, target=target.name).explain()
    first = 30 * 32 * 27
    head = 16 * 40
    expected = {"int8": first, "binary": 30 * 40 * 9 * 32, "real": head}
    if not target.multiplies_bytes:
        expected = {"binary": expected["binary"], "real": first + head}
    assert explanation.multiply_adds == expected


def test_streaming_does_not_change_the_work():
    stem = (rt.Int8Conv(0, np.ones((32, 3, 3, 3)), 1, 1), rt.Affine(1, np.ones(32)))
    explanation = rt.PackedHasher(rt.Network((8, 8, 3), (*stem, rt.MaxPool(2, (3, 3), 2, 1)))).explain()
    assert sum(explanation.multiply_adds.values()) == 64 * 32 * 27
    assert any("ring of 3 rows" in value for buffer in explanation.buffers for value in buffer.values)


def test_fused_operations_and_shared_buffers_are_named():
    explanation = rt.PackedHasher(small_network(), target="generic").explain()
    by_name = {job.name: job for job in explanation.jobs}
    assert by_name["0 Int8Conv"].operations == (0, 1, 2)
    assert by_name["0 Int8Conv"].steps == ("scale", "sign")
    assert by_name["0 Int8Conv"].kernel == "real"  # in floats, which hold the integers exactly
    assert by_name["3 BinaryConv"].operations == (3, 4)
    [buffer] = [buffer for buffer in explanation.buffers if "5: real 6 x 5 x 40" in buffer.values]
    assert buffer.nbytes == 30 * 64 * 4
    text = str(explanation)
    assert text.startswith("Compiled for generic, 1 sample at a time\njob ")
    assert "3: sign 6 x 5 x 32" in text
    assert f"{buffer.nbytes:,}" in text


def test_signs_that_pack_the_codes_belong_to_the_plan():
    network = small_network(rt.RealConv(6, np.ones((16, 1, 1, 40))))
    operations = [number for job in rt.PackedHasher(network).explain().jobs for number in job.operations]
    assert max(operations) == len(network.operations)


def test_explaining_changes_nothing(make_network, make_input):
    hasher = rt.PackedHasher(make_network(3))
    X = make_input(hasher.network, 3)
    codes = hasher.codes(X)
    assert hasher.explain() == hasher.explain()
    np.testing.assert_array_equal(hasher.codes(X), codes)


def test_feature_vectors_side_by_side():
    network = rt.Network((11,), (rt.RealConv(0, np.ones((8, 1, 1, 11))),))
    explanation = Plan(network, list_targets()[0], 8).explain()
    assert explanation.n_rows == 8
    assert "8 samples at a time" in str(explanation)
    assert explanation.multiply_adds == {"real": 8 * 8 * 11}
