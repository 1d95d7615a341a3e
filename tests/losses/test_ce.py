import pytest
import torch

from skhash.losses import CELoss, soft_cross_entropy
from skhash.nn import build


def test_classifies_continuous_codes_linearly(golden):
    module = build(CELoss, 8, 3, generator=torch.Generator().manual_seed(0)).double()
    logits = golden.U @ module.classifier.weight.T + module.classifier.bias
    torch.testing.assert_close(module.class_scores(golden.U), logits)
    for targets in (golden.y, golden.multi_hot):
        assert module(golden.U, targets).item() == pytest.approx(soft_cross_entropy(logits, targets).item(), abs=1e-12)


def test_weights_come_from_the_generator_and_learn(golden):
    twins = [build(CELoss, 8, 3, generator=torch.Generator().manual_seed(4)) for _ in range(2)]
    assert torch.equal(twins[0].classifier.weight, twins[1].classifier.weight)
    twins[0](golden.U.float(), golden.y).backward()
    assert twins[0].classifier.weight.grad.any()
