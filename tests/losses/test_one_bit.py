from types import SimpleNamespace

import pytest
import torch
from torch import nn

from skhash.losses import (
    ClassEmbeddings,
    OneBitLoss,
    SemanticCenters,
    aggregation_loss,
    class_aggregation_loss,
    hash_center_loss,
    soft_cross_entropy,
)
from skhash.nn import build

N, DIM, N_CLASSES, BITS = 8, 6, 3, 4


class Classifier(nn.Module):
    """Features as they are, and a head."""

    def __init__(self):
        super().__init__()
        self.head = build(ClassEmbeddings, DIM, N_CLASSES, generator=torch.Generator().manual_seed(0))

    def features(self, x):
        return x


def draw(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def batch(seed=5):
    return SimpleNamespace(generator=torch.Generator().manual_seed(seed))


CENTERS = torch.tensor([[1.0, 1, -1, -1], [1, -1, 1, -1], [-1, 1, 1, -1]])
TARGETS = torch.tensor([0, 0, 1, 1, 2, 2, 0, 0])


def test_logits_are_normalised_inner_products():
    head = Classifier().head
    features = draw(N, DIM)
    logits = features @ head.embeddings.T
    expected = (logits - logits.mean(dim=0)) / (logits.var(dim=0, correction=0) + head.norm.eps).sqrt()
    torch.testing.assert_close(head(features), expected)


def test_first_stage():
    classifier = Classifier()
    criterion = OneBitLoss(classifier, CENTERS, classifier_weight=0.5, temperature=0.3)
    z, inputs = draw(N, BITS), draw(N, DIM, seed=2)
    expected = hash_center_loss(z, TARGETS, CENTERS, temperature=0.3)
    expected = expected + 0.5 * soft_cross_entropy(classifier.head(inputs), TARGETS)
    torch.testing.assert_close(criterion(z, TARGETS, batch=batch(), inputs=inputs), expected)


def test_second_stage_in_groups():
    classifier = Classifier()
    criterion = OneBitLoss(classifier, CENTERS, classifier_weight=0.5, aggregation_weight=0.25)
    z, strong_z, inputs, strong = draw(N, BITS), draw(N, BITS, seed=3), draw(N, DIM, seed=2), draw(N, DIM, seed=4)
    expected = hash_center_loss(z, TARGETS, CENTERS) + 0.5 * soft_cross_entropy(classifier.head(strong), TARGETS)
    expected = expected + 0.25 * aggregation_loss(strong_z, z, 2, generator=batch().generator)
    got = criterion(z, TARGETS, batch=batch(), inputs=inputs, aggregates=True, strong=(strong, strong_z))
    torch.testing.assert_close(got, expected)


def test_second_stage_of_whole_classes():
    criterion = OneBitLoss(Classifier(), CENTERS, classifier_weight=0.0, aggregation_weight=0.25, group_size="class")
    z = draw(N, BITS)
    expected = hash_center_loss(z, TARGETS, CENTERS)
    expected = expected + 0.25 * class_aggregation_loss(z, TARGETS, generator=batch().generator)
    torch.testing.assert_close(criterion(z, TARGETS, batch=batch(), inputs=None, aggregates=True), expected)


def test_distillation_takes_what_the_classifier_said_after_the_warm_up():
    classifier = Classifier()
    classifier.head(draw(50, DIM, seed=6))  # running statistics that are not those of the batch
    criterion = OneBitLoss(classifier, CENTERS, classifier_weight=0.0, distillation_weight=0.75).train()
    z, inputs = draw(N, BITS), draw(N, DIM, seed=2)
    believed = classifier.head.eval()(inputs).detach().softmax(dim=1)
    expected = 0.25 * hash_center_loss(z, TARGETS, CENTERS) + 0.75 * hash_center_loss(z, believed, CENTERS)
    with torch.no_grad():
        classifier.head.embeddings.mul_(-1)  # it learns on
    torch.testing.assert_close(criterion(z, TARGETS, batch=batch(), inputs=inputs), expected)


@pytest.mark.parametrize("sampling", ["threshold", "bernoulli"])
def test_centers_and_embeddings_learn(sampling):
    classifier = Classifier()
    semantic = build(SemanticCenters, DIM, BITS, sampling=sampling, generator=torch.Generator().manual_seed(0))
    criterion = OneBitLoss(classifier, None, semantic, classifier_weight=0.0)
    criterion(draw(N, BITS), TARGETS, batch=batch(), inputs=None).backward()
    assert semantic.hidden.weight.grad.abs().max() > 0
    assert classifier.head.embeddings.grad.abs().max() > 0
    assert torch.equal(criterion.centers, semantic.threshold(classifier.head.embeddings))


def test_class_scores_are_cosines_to_the_centers():
    criterion = OneBitLoss(Classifier(), CENTERS)
    scores = criterion.class_scores(10 * CENTERS)
    torch.testing.assert_close(scores, CENTERS @ CENTERS.T / BITS, atol=1e-4, rtol=0)
