import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skhash.losses import SSDHLoss, _ssdh, ssdh_loss, ssdh_similarity, ssdh_thresholds


def features(n, n_features=6, seed=0, shift=0.0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(n, n_features)) + shift)


def whole_matrix(x):
    """Cosine distances, all of them at once, in a way of their own."""
    x = x.numpy()
    norms = np.sqrt((x**2).sum(axis=1))
    return 1 - x @ x.T / np.outer(norms, norms)


def thresholds_by_definition(distances, alpha, beta):
    counts, edges = np.histogram(distances, bins=200, range=(0, 2))
    mode = edges[counts.argmax()]
    left, right = distances[distances <= mode], distances[distances > mode]
    left, right = np.concatenate([left, 2 * mode - left]), np.concatenate([right, 2 * mode - right])
    left = (left.mean(), left.std()) if len(left) else (mode, 0)
    right = (right.mean(), right.std()) if len(right) else (mode, 0)
    return left[0] - alpha * left[1], right[0] + beta * right[1]


def test_golden_value(golden):
    i = torch.arange(8)
    gap = (i[:, None] - i).abs()
    similarity = torch.where(gap % 3 == 0, 1.0, torch.where(gap == 1, 0.0, -1.0)).double()
    assert ssdh_loss(golden.U8, similarity).item() == pytest.approx(0.686523, abs=1e-5)


def test_equals_an_explicit_loop(golden):
    similarity = ssdh_similarity(features(8), 0.6, 1.3)
    assert set(similarity.flatten().tolist()) == {-1.0, 0.0, 1.0}
    h, total = golden.U8.tanh().tolist(), 0.0
    for i in range(8):
        for j in range(8):
            product = sum(a * b for a, b in zip(h[i], h[j], strict=True)) / 8
            total += abs(similarity[i, j].item()) * (product - similarity[i, j].item()) ** 2
    assert ssdh_loss(golden.U8, similarity).item() == pytest.approx(total / 64, abs=1e-12)


def test_gradient_by_finite_differences(golden):
    similarity = ssdh_similarity(features(8), 0.6, 1.3)
    z = golden.U8.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda z: ssdh_loss(z, similarity), (z,))


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 60), st.integers(0, 10_000), st.floats(0, 3), st.sampled_from([0.0, 1.0, 3.0]))
def test_thresholds_are_those_of_the_definition(n, seed, alpha, shift):
    x = features(n, seed=seed, shift=shift)
    distances = whole_matrix(x)[np.triu_indices(n, 1)]
    expected = thresholds_by_definition(distances, alpha, 2.0)
    assert ssdh_thresholds(x, alpha=alpha) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("shift", [0.0, 2.0])
def test_the_whole_matrix_as_in_the_authors_code(shift):
    x = features(40, seed=3, shift=shift)
    distances = whole_matrix(x)
    np.fill_diagonal(distances, 0.0)  # which rounding would put on either side of it
    expected = thresholds_by_definition(distances.ravel(), 2.0, 1.5)
    assert ssdh_thresholds(x, beta=1.5, self_pairs=True) == pytest.approx(expected, abs=1e-9)
    assert ssdh_thresholds(x, beta=1.5) != pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("block", [1, 7, 100])
def test_blocks_are_put_together(monkeypatch, block):
    x = features(30)
    expected = ssdh_thresholds(x)
    monkeypatch.setattr(_ssdh, "_BLOCK_DISTANCES", block)
    assert ssdh_thresholds(x) == pytest.approx(expected, abs=1e-12)
    monkeypatch.setattr(_ssdh, "_KEPT_DISTANCES", 0)
    assert ssdh_thresholds(x) == pytest.approx(expected, abs=1e-12)


def test_distances_of_a_moderate_number_of_pairs_are_computed_once(monkeypatch):
    passes = []

    def count(x):
        passes.append(len(x))
        return pair_distances(x)

    pair_distances = _ssdh._pair_distances
    monkeypatch.setattr(_ssdh, "_pair_distances", count)
    monkeypatch.setattr(_ssdh, "_KEPT_DISTANCES", 30 * 29 // 2)
    ssdh_thresholds(features(30))
    assert passes == [30]
    ssdh_thresholds(features(31))
    assert passes == [30, 31, 31]


def test_memory_does_not_grow_with_the_pairs(monkeypatch):
    monkeypatch.setattr(_ssdh, "_BLOCK_DISTANCES", 3000)
    sizes = [len(block) for block in _ssdh._pair_distances(features(500))]
    assert max(sizes) <= 3000
    assert sum(sizes) == 500 * 499 // 2


def test_signed_features_reach_beyond_one():
    x = torch.cat([features(20, shift=4.0), -features(20, seed=1, shift=4.0)])
    alike_below, unlike_above = ssdh_thresholds(x, alpha=1.0, beta=1.0)
    assert alike_below < 1 < unlike_above < 3
    similarity = ssdh_similarity(x, 0.5, 1.5)
    assert similarity[:20, :20].min() == 1
    assert similarity[:20, 20:].max() == -1


def test_length_of_features_does_not_matter():
    x = features(20)
    longer = x * torch.linspace(0.1, 90, 20)[:, None].double()
    assert ssdh_thresholds(longer) == pytest.approx(ssdh_thresholds(x), abs=1e-9)
    torch.testing.assert_close(ssdh_similarity(longer, 0.6, 1.3), ssdh_similarity(x, 0.6, 1.3))


@pytest.mark.parametrize("x", [torch.ones(5, 3), torch.zeros(5, 3)], ids=["ones", "zeros"])
def test_features_that_are_all_alike_choose_no_pair(x):
    thresholds = ssdh_thresholds(x)
    z = torch.randn(5, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    loss = SSDHLoss(thresholds)(z, x)
    loss.backward()
    assert loss.item() == 0
    assert not z.grad.any()


def test_the_module_chooses_pairs_by_its_thresholds(golden):
    x = features(8)
    module = SSDHLoss()
    assert module(golden.U8, x).item() == 0
    module.thresholds.copy_(torch.tensor([0.6, 1.3]))
    assert module(golden.U8, x).item() == ssdh_loss(golden.U8, ssdh_similarity(x, 0.6, 1.3)).item()
    assert list(module.state_dict()) == ["thresholds"]


def test_one_vector_is_refused():
    with pytest.raises(ValueError, match="features must have at least 2 rows, got 1"):
        ssdh_thresholds(torch.ones(1, 3))


@pytest.mark.parametrize("self_pairs", [False, True])
def test_distances_equal_to_the_mode_are_on_the_left(self_pairs):
    x = torch.eye(2).double()[[0, 0, 0, 0, 1]]  # distances are exactly 0, six times, and 1, four times
    distances = []
    for i in range(5):
        for j in range(5) if self_pairs else range(i + 1, 5):
            distances.append(0.0 if x[i].equal(x[j]) else 1.0)
    n_right = sum(d > 0 for d in distances)
    right_deviation = (sum(d**2 for d in distances if d > 0) / n_right) ** 0.5
    expected = (0.0, 2.0 * right_deviation)
    assert ssdh_thresholds(x, self_pairs=self_pairs) == pytest.approx(expected, abs=1e-12)


def test_equal_distances_lie_between_the_edge_of_their_bin_and_the_upper_threshold():
    x = torch.zeros(3, 7).double()
    for i, ones in enumerate([(0, 1, 2), (0, 3, 4), (0, 5, 6)]):  # cosines of 1 / 3
        x[i, list(ones)] = 1.0
    edge, distance = 0.66, 2 / 3
    assert ssdh_thresholds(x) == pytest.approx((edge, edge + 2 * (distance - edge)), abs=1e-12)
    assert (ssdh_similarity(x, *ssdh_thresholds(x)) == torch.eye(3)).all()
    assert (ssdh_similarity(x, *ssdh_thresholds(x, beta=0.5)) == 2 * torch.eye(3) - 1).all()
