import pytest
import torch

from skhash.losses import SemanticCenters
from skhash.nn import build

N_CLASSES, DIM, BITS = 5, 8, 12


def make(**options):
    generator = torch.Generator().manual_seed(0)
    module = build(SemanticCenters, DIM, BITS, **{"hidden": 16, "generator": generator, **options})
    return module, torch.randn(N_CLASSES, DIM, generator=generator)


def test_centers_are_the_signs_of_the_network():
    module, embeddings = make()
    hidden = (embeddings @ module.hidden.weight.T + module.hidden.bias).clamp(min=0)
    logits = hidden @ module.out.weight.T + module.out.bias
    assert torch.equal(module(embeddings), torch.where(logits >= 0, 1.0, -1.0))
    torch.testing.assert_close(module.probabilities(embeddings), logits.sigmoid())


def test_the_gradient_is_that_of_the_probabilities():
    module, embeddings = make()
    weights = torch.randn(N_CLASSES, BITS, generator=torch.Generator().manual_seed(1))
    embeddings.requires_grad_()
    (module(embeddings) * weights).sum().backward()
    got, embeddings.grad = embeddings.grad, None
    (module.probabilities(embeddings) * weights).sum().backward()
    torch.testing.assert_close(got, embeddings.grad)
    assert got.abs().max() > 0


@pytest.mark.parametrize("normalize", [False, True])
def test_it_starts_where_it_is_told_to(normalize):
    module, embeddings = make(normalize=normalize)
    wanted = torch.where(torch.rand(N_CLASSES, BITS, generator=torch.Generator().manual_seed(2)) < 0.5, -1.0, 1.0)
    assert torch.equal(module.start_at(embeddings, wanted, scale=2.0)(embeddings), wanted)
    torch.testing.assert_close(module.probabilities(embeddings), (2 * wanted).sigmoid(), rtol=1e-4, atol=1e-4)


def test_normalised_embeddings_count_by_their_direction():
    module, embeddings = make(normalize=True)
    torch.testing.assert_close(module.probabilities(3 * embeddings + 7), module.probabilities(embeddings))


def test_bernoulli_draws_in_training_only():
    module, embeddings = make(sampling="bernoulli")
    generator = torch.Generator().manual_seed(3)
    mean = torch.stack([module(embeddings, generator) for _ in range(4000)]).mean(dim=0)
    torch.testing.assert_close((mean + 1) / 2, module.probabilities(embeddings), atol=0.04, rtol=0)
    module.eval()
    assert torch.equal(module(embeddings), module.threshold(embeddings))


def test_unknown_sampling():
    with pytest.raises(ValueError, match=r"sampling must be one of .* got 'coin'"):
        SemanticCenters(DIM, BITS, sampling="coin")
