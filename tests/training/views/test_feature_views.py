import pickle

import pytest
import torch

from skhash.training import FeatureViews


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def make_features():
    """4,000 samples of five features of quite different scales, the last one constant."""
    scale = torch.tensor([1.0, 0.01, 300.0, 5.0, 0.0], dtype=torch.float64)
    features = torch.randn(4000, 5, generator=seeded(), dtype=torch.float64) * scale
    return features.add_(torch.tensor([0.0, 7.0, -20.0, 1000.0, 3.0])), scale


def test_forgotten_values_are_the_mean_and_the_others_stay():
    features, _ = make_features()
    views = FeatureViews(dropout=0.3, noise=0)(features, seeded())
    forgotten = views != features
    assert torch.allclose(views[forgotten], features.mean(0).expand_as(views)[forgotten], rtol=1e-12)
    assert forgotten[:, :4].double().mean(0).tolist() == pytest.approx([0.3] * 4, abs=0.03)
    together = (forgotten[:, 0] & forgotten[:, 1]).double().mean().item()
    assert together == pytest.approx(0.09, abs=0.02)  # independent of each other


def test_noise_is_a_share_of_the_features_deviation():
    features, scale = make_features()
    noise = FeatureViews(dropout=0, noise=0.5)(features, seeded()) - features
    assert noise.mean(0).abs().le(0.03 * scale + 1e-9).all()
    assert noise.std(0)[:4].tolist() == pytest.approx((0.5 * scale[:4]).tolist(), rel=0.05)
    assert (noise[:, 4] == 0).all()
    assert noise[:, :4].div(0.5 * scale[:4]).abs().le(1).double().mean().item() == pytest.approx(0.683, abs=0.02)


def test_views_know_no_units():
    features, _ = make_features()
    factor, shift = torch.tensor([2.0, 3.0, 0.1, 50.0, 1.0]), torch.tensor([5.0, 0.0, -9.0, 1e4, 2.0])
    changed = FeatureViews()(features * factor + shift, seeded())
    torch.testing.assert_close(changed, FeatureViews()(features, seeded()) * factor + shift)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_generator_decides_all(dtype):
    features = torch.rand(32, 8, generator=seeded(5), dtype=dtype)
    before, state = features.clone(), torch.get_rng_state()
    views = FeatureViews()(features, seeded())
    assert views.dtype == dtype
    assert torch.equal(views, FeatureViews()(features, seeded()))
    assert not torch.equal(views, FeatureViews()(features, seeded(1)))
    assert torch.equal(features, before)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(FeatureViews(dropout=0, noise=0)(features, seeded()), features)


def test_views_are_values():
    views = FeatureViews(dropout=0.4, noise=0.3)
    assert pickle.loads(pickle.dumps(views)) == views
    assert views.weaker() == FeatureViews(dropout=0.2, noise=0.15)
    assert repr(views) == "FeatureViews(dropout=0.4, noise=0.3)"


def test_what_is_not_accepted():
    with pytest.raises(ValueError, match=r"'dropout' parameter of FeatureViews must be .* \[0.0, 1.0\]"):
        FeatureViews(dropout=1.1)
    with pytest.raises(ValueError, match=r"'noise' parameter of FeatureViews must be .* \[0.0, inf\)"):
        FeatureViews(noise=-1)
    with pytest.raises(ValueError, match=r"views: FeatureViews takes features .* got a batch of shape \(2, 3, 4, 4\)"):
        FeatureViews()(torch.zeros(2, 3, 4, 4), seeded())
