import pytest
import torch
from torch import nn

from skhash.nn import HashHead, MeasuredTime, efficiency_report
from skhash.nn._measured_time import measure_time
from skhash.nn.binary import binary_mlp, bireal_tiny


def networks():
    torch.manual_seed(0)
    return [
        (nn.Sequential(bireal_tiny(), HashHead(128, 16)), "resnet18_32", (1, 16, 16)),
        (nn.Sequential(binary_mlp(256, width=512), HashHead(512, 16)), "twin", (256,)),
    ]


@pytest.mark.parametrize(("network", "reference", "shape"), networks())
def test_report_with_times(network, reference, shape):
    report = efficiency_report(network, reference, input_size=shape, measure=True)
    measured = report.measured
    assert isinstance(measured, MeasuredTime)
    assert measured.comparison.equal
    assert measured.comparison.bits == 16
    assert 0 < measured.roof_share < 1.5
    assert set(measured.packed) == set(measured.reference) == {1, 32}
    for batch in (1, 32):
        assert measured.speedup[batch] == measured.reference[batch] / measured.packed[batch]
        assert measured.speedup[batch] > 1  # far more on an idle machine
    figures = measured.to_dict()
    assert figures["codes_equal"] is True
    assert figures["speedup_32"] == measured.speedup[32]
    text = repr(report)
    assert "codes equal to torch's: yes (0 of 512 bits differ)" in text
    assert f"(by the formula {report.compute_ratio:.1f})" in text
    assert "Measured" not in repr(efficiency_report(network, reference, input_size=shape))


def test_threads_of_torch_and_modes_stay():
    before = torch.get_num_threads()
    network = nn.Sequential(binary_mlp(32, width=32), HashHead(32, 8)).train()
    measure_time(network, nn.Linear(32, 8), (32,), (32,), 1024)
    assert torch.get_num_threads() == before
    assert network.training


def test_a_network_that_cannot_be_packed_is_named():
    with pytest.raises(ValueError, match=r"^0 \(SmallCNN\) cannot be exported"):
        efficiency_report("small_cnn", "resnet18_32", input_size=(1, 16, 16), measure=True)
