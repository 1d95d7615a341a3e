import math

import pytest
import torch

from skhash.losses import SDHCLoss, sdhc_loss, soft_cross_entropy
from skhash.nn import build

OFF = {"quantization_weight": 0.0, "variance_weight": 0.0, "projection_weight": 0.0}


def nothing(u):
    """A classifier whose cross-entropy is log 3 whatever the code."""
    return 0 * u[:, :3]


def test_golden_values(golden):
    quantization = sdhc_loss(golden.U, golden.y, nothing, **{**OFF, "quantization_weight": 1.0})
    assert quantization.item() - math.log(3) == pytest.approx(0.188570, abs=1e-5)
    total = sdhc_loss(golden.U, golden.y, nothing, **{**OFF, "variance_weight": 1.0}, variance="sum")
    assert math.log(3) - total.item() == pytest.approx(1.046855, abs=1e-5)
    mean = sdhc_loss(golden.U, golden.y, nothing, **{**OFF, "variance_weight": 1.0})
    assert math.log(3) - mean.item() == pytest.approx(1.046855 / 4, abs=1e-5)


def test_projections_are_compared_with_the_identity(golden):
    rows = [[1.0, 2.0, 0.5], [0.0, -1.0, 1.0]]
    entries = [
        (sum(a * b for a, b in zip(rows[i], rows[j], strict=True)) - (i == j)) ** 2 for i in range(2) for j in range(2)
    ]
    projection = torch.tensor(rows, dtype=torch.float64, requires_grad=True)
    loss = sdhc_loss(golden.U, golden.y, nothing, projection, **{**OFF, "projection_weight": 0.5})
    assert loss.item() - math.log(3) == pytest.approx(0.5 * sum(entries) / 4, abs=1e-12)
    loss.backward()
    assert projection.grad.any()


def test_the_module_classifies_the_tanh(golden):
    module = build(SDHCLoss, 8, 3, **OFF, generator=torch.Generator().manual_seed(0)).double()
    logits = torch.tanh(golden.U) @ module.classifier.weight.T + module.classifier.bias
    torch.testing.assert_close(module.class_scores(golden.U), logits)
    loss = module(golden.U, golden.multi_hot)
    assert loss.item() == pytest.approx(soft_cross_entropy(logits, golden.multi_hot).item(), abs=1e-12)


def test_the_module_hands_the_projection_on(golden):
    module = SDHCLoss(8, 3, projection_weight=2.0).double()
    projection = torch.full((8, 5), 0.3, dtype=torch.float64)
    expected = sdhc_loss(golden.U, golden.y, module.classifier, projection, projection_weight=2.0)
    assert module(golden.U, golden.y, projection=projection).item() == expected.item()


def test_unknown_options_are_refused(golden):
    with pytest.raises(ValueError, match=r"variance must be one of \['mean', 'sum'\], got 'trace'"):
        sdhc_loss(golden.U, golden.y, nothing, variance="trace")
