import numpy as np
import pytest
import torch
from torch import nn

from skhash.codes import binarize
from skhash.losses import ortho_loss
from skhash.nn import (
    MLP,
    BiHalf,
    DeepHead,
    HashHead,
    HashNetwork,
    SmallCNN,
    Standardize,
    build,
    dropout,
    make_backbone,
    sign,
    sign_ste,
)
from skhash.training import make_optimizer, make_schedule


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_two_sign_conventions_are_one():
    z = torch.tensor([-1.0, -0.0, 0.0, 1e-30, -1e-30, 3.0])
    np.testing.assert_array_equal((sign(z) > 0).numpy(), binarize(z.numpy()).astype(bool))
    assert set(sign(z).tolist()) == {-1.0, 1.0}
    assert binarize(z).tolist() == [0, 1, 1, 1, 0, 1]


def test_straight_through_passes_the_gradient_unchanged():
    z = torch.randn(3, 4, requires_grad=True, generator=generator())
    weight = torch.randn(3, 4, generator=generator(1))
    (sign_ste(z) * weight).sum().backward()
    torch.testing.assert_close(z.grad, weight)
    torch.testing.assert_close(sign_ste(z).detach(), sign(z))


@pytest.mark.parametrize("n", [2, 7, 8])
def test_bihalf_gives_exactly_half_and_the_gradient_of_the_paper(n):
    z = torch.randn(n, 5, dtype=torch.float64, generator=generator()).requires_grad_()
    codes = BiHalf(gamma=6.0)(z)
    assert ((codes > 0).sum(dim=0) == n // 2).all()
    for column in range(5):
        threshold = sorted(z[:, column].tolist(), reverse=True)[n // 2 - 1]
        assert ((z[:, column] >= threshold) == (codes[:, column] > 0)).all()
    weight = torch.randn(n, 5, dtype=torch.float64, generator=generator(1))
    (codes * weight).sum().backward()
    torch.testing.assert_close(z.grad, weight + 6.0 * (z.detach() - codes.detach()) / (n * 5))


def test_bihalf_golden_column_sums(golden):
    assert BiHalf()(golden.U8).sum(dim=0).tolist() == [0.0] * 8


def test_bihalf_is_the_identity_in_evaluation():
    z = torch.randn(4, 2)
    assert BiHalf().eval()(z) is z


def test_bihalf_centers_by_a_running_mean_in_evaluation():
    layer = build(BiHalf, center=2, generator=generator())
    batches = torch.randn(40, 6, 2, generator=generator()) + torch.tensor([3.0, -5.0])
    means = batches.mean(dim=1)
    for batch in batches[:10]:
        layer(batch)
    torch.testing.assert_close(layer.mean, means[:10].mean(dim=0))
    expected = layer.mean.clone()
    for batch, mean in zip(batches[10:], means[10:], strict=True):
        layer(batch)
        expected = 0.9 * expected + 0.1 * mean
    torch.testing.assert_close(layer.eval()(batches[0]), batches[0] - expected)


@pytest.mark.parametrize(
    ("balance", "layer"), [(None, nn.Identity), ("batch_norm", nn.BatchNorm1d), ("bihalf", BiHalf)]
)
def test_head(balance, layer):
    head = build(HashHead, 200, 16, balance, generator=generator())
    assert isinstance(head.balance, layer)
    assert head.linear.bias is None
    assert head.linear.weight.std().item() == pytest.approx(0.01, rel=0.1)


def test_a_bias_begins_at_zero():
    head = build(HashHead, 200, 16, bias=True, generator=generator())
    assert head.linear.bias.tolist() == [0.0] * 16
    assert head.linear.weight.std().item() == pytest.approx(0.01, rel=0.1)


def test_dropout_keeps_a_share_and_the_expectation():
    x = torch.randn(200, 300, generator=generator())
    out = dropout(x, 0.25, generator(1))
    kept = out != 0
    assert kept.float().mean().item() == pytest.approx(0.75, abs=0.01)
    torch.testing.assert_close(out[kept], x[kept] / 0.75)
    assert torch.equal(out, dropout(x, 0.25, generator(1)))
    assert dropout(x, 0.25, None) is x
    assert dropout(x, 0.0, generator(1)) is x


def test_deep_head_drops_in_training_from_the_networks_generator():
    head = build(DeepHead, 20, 8, generator=generator())
    assert [tuple(weight.shape) for weight in head.parameters() if weight.ndim == 2] == [(20, 20), (20, 20), (8, 20)]
    x = torch.randn(5, 20, generator=generator())
    network = HashNetwork(nn.Identity(), head, nn.Identity())
    plain = head.linear(head.second(head.first(x).relu()).relu())
    assert torch.equal(network(x), plain)
    dropped = network(x, generator(1))
    assert not torch.allclose(dropped, plain)
    assert torch.equal(dropped, network(x, generator(1)))
    torch.testing.assert_close(network.eval()(x, generator(1)), plain)


def test_build_draws_from_its_generator_only():
    torch.manual_seed(7)
    before = torch.get_rng_state()
    first = build(SmallCNN, 1, generator=generator(5))
    second = build(SmallCNN, 1, generator=generator(5))
    assert torch.equal(before, torch.get_rng_state())
    for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    other = build(SmallCNN, 1, generator=generator(6))
    assert not torch.equal(first[0][0][0].weight, other[0][0][0].weight)


def test_build_refuses_layers_that_nobody_initializes():
    with pytest.raises(TypeError, match=r"weight of LayerNorm was not initialized: .* needs a method `initialize"):
        build(nn.LayerNorm, 64, generator=generator())


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda: HashHead(3, 4, "batchnorm"), "balance must be one of .* got 'batchnorm'"),
        (lambda: make_schedule("cosine", None, epochs=1, steps_per_epoch=1), "name must be one of .* got 'cosine'"),
        (lambda: make_optimizer("lion", None, learning_rate=1), "name must be one of .* got 'lion'"),
        (
            lambda: ortho_loss(torch.ones(1, 2), torch.tensor([0]), torch.ones(1, 2), margin_type="cosine"),
            "margin_type must be one of .* got 'cosine'",
        ),
        (
            lambda: ortho_loss(torch.ones(1, 2), torch.tensor([0]), torch.ones(1, 2), multilabel_loss="softmx"),
            "multilabel_loss must be one of .* got 'softmx'",
        ),
    ],
)
def test_unknown_options(function, message):
    with pytest.raises(ValueError, match=message):
        function()


def test_build_has_torchs_own_distribution():
    ours = build(MLP, 300, generator=generator())
    torch.manual_seed(0)
    torchs = MLP(300)
    for a, b in zip(ours.state_dict().values(), torchs.state_dict().values(), strict=True):
        assert a.shape == b.shape
        if a.ndim == 2:
            assert a.std().item() == pytest.approx(b.std().item(), rel=0.05)
            assert a.abs().max().item() == pytest.approx(b.abs().max().item(), rel=0.01)
        else:
            assert torch.equal(a, b)  # batch normalization: nothing drawn


@pytest.mark.parametrize("size", [(28, 28), (8, 8), (7, 9), (1, 1)])
def test_small_cnn_takes_any_size(size):
    backbone, out_features = make_backbone("auto", (3, *size), generator())
    assert isinstance(backbone, SmallCNN)
    assert backbone(torch.zeros(2, 3, *size)).shape == (2, out_features)


def test_backbones_for_features():
    backbone, out_features = make_backbone("auto", (10,), generator())
    assert isinstance(backbone, nn.Identity)
    assert out_features == 10
    backbone, out_features = make_backbone("mlp", (10,), generator())
    assert backbone(torch.zeros(2, 10)).shape == (2, out_features)


def test_foreign_backbones_as_module_or_class():
    class Pool(nn.Module):
        def forward(self, x):
            return x.mean(dim=(2, 3))

    module = Pool()
    assert make_backbone(module, (3, 8, 8), generator()) == (module, 3)
    backbone, out_features = make_backbone(Pool, (4, 8, 8), generator())
    assert isinstance(backbone, Pool)
    assert out_features == 4
    assert backbone.training


@pytest.mark.parametrize(
    ("backbone", "shape", "message"),
    [
        (None, (3, 8, 8), r"backbone=None takes features .* got images of shape \(3, 8, 8\); use 'auto'"),
        ("mlp", (3, 8, 8), r"backbone='mlp' takes features .* got inputs of shape \(3, 8, 8\)"),
        ("small_cnn", (10,), r"backbone='small_cnn' takes images, got inputs of shape \(10,\)"),
        (nn.Linear(4, 2), (10,), r"backbone does not take inputs of shape \(10,\)"),
        (nn.Identity(), (3, 8, 8), r"one vector per sample, of shape \(n, d\), got \(2, 3, 8, 8\) for n = 2 samples"),
    ],
)
def test_backbones_that_do_not_fit(backbone, shape, message):
    with pytest.raises(ValueError, match=message):
        make_backbone(backbone, shape, generator())


def test_standardize():
    images = torch.rand(50, 2, 4, 4, generator=generator()) * torch.tensor([1.0, 5.0])[:, None, None] + 3
    images[:, 1] = 7.0  # a constant channel has no standard deviation to divide by
    out = Standardize((2, 4, 4)).fit(images)(images)
    assert out[:, 0].mean().abs() < 1e-5
    assert out[:, 0].std(correction=0).item() == pytest.approx(1, abs=1e-5)
    assert (out[:, 1] == 0).all()


def test_a_feature_that_is_always_zero_stays_zero():
    features = torch.stack([torch.zeros(20), torch.arange(20.0)], dim=1)
    out = Standardize((2,)).fit(features)(features)
    assert (out[:, 0] == 0).all()
    assert out[:, 1].std(correction=0).item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("layer", [(nn.Linear, 400, 300), (nn.Conv2d, 16, 300, 5)], ids=["linear", "convolution"])
def test_biases_are_uniform_within_the_inverse_root_of_the_fan_in(layer):
    bias = build(*layer, generator=generator()).bias
    assert bias.min().item() == pytest.approx(-1 / 20, rel=0.05)
    assert bias.max().item() == pytest.approx(1 / 20, rel=0.05)
    assert bias.abs().max() <= 1 / 20


@pytest.mark.parametrize("frozen", [False, True])
def test_a_frozen_backbone_computes_no_gradient(frozen):
    network = HashNetwork(nn.Linear(3, 4), nn.Linear(4, 2), nn.Identity(), frozen=frozen)
    network(torch.ones(5, 3)).sum().backward()
    assert network.head.weight.grad is not None
    assert (network.backbone.weight.grad is None) == frozen


def far_features():
    rng = np.random.default_rng(0)
    near = rng.normal(size=(400, 3))
    far = 1.7e9 + 1000 * rng.normal(size=400)
    return near, np.column_stack([near, far, 1e5 + 3 * rng.normal(size=400), np.full(400, 0.1), np.full(400, 1e8)])


def test_features_far_from_0_are_standardized_in_double_precision():
    near, X = far_features()
    samples = torch.from_numpy(X)
    layer = Standardize((7,)).fit(samples)
    assert layer.input_dtype == torch.float64
    out = layer(samples)
    assert out.dtype == torch.float32
    expected = (X - X.mean(axis=0)) / np.where([1, 1, 1, 1, 1, 0, 0], X.std(axis=0), 1)
    np.testing.assert_allclose(out.numpy(), expected, atol=1e-5)
    # In inference, the whole network is in double precision.
    np.testing.assert_allclose(layer.double()(samples).numpy(), expected, atol=1e-6)
    ordinary = Standardize((3,)).fit(torch.from_numpy(near))
    assert ordinary.input_dtype == torch.float32
    assert set(ordinary.state_dict()) == {"mean", "std"}
    assert torch.equal(ordinary.mean, Standardize((3,)).fit(torch.from_numpy(near).float()).mean)


def test_features_with_the_rounding_of_single_precision_are_constant():
    values = np.nextafter(np.float32(1e6), np.float32(np.inf))
    X = np.where(np.arange(100) % 2, np.float32(1e6), values)[:, None]
    layer = Standardize((1,)).fit(torch.from_numpy(X.astype(np.float64)))
    assert layer.std.item() == 1


def test_a_common_scale_keeps_directions():
    X = far_features()[1]
    X = X[:, [0, 1, 2, 4, 5]] * [1, 2, 3, 1, 1]  # the last is constant
    layer = Standardize((5,), common_scale=True).fit(torch.from_numpy(X))
    scale = np.sqrt(X[:, :4].var(axis=0).sum() / 5)
    np.testing.assert_allclose(layer(torch.from_numpy(X)).numpy(), (X - X.mean(axis=0)) / scale, atol=1e-4)
    assert Standardize((2,), common_scale=True).fit(torch.ones(3, 2)).std.tolist() == [1, 1]


@pytest.mark.parametrize("scale", [1e-30, 1e-20, 1e25])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_squares_beyond_single_precision_do_not_hide_the_spread(scale, dtype):
    near, _ = far_features()
    X = torch.from_numpy(near * scale).to(dtype)
    np.testing.assert_allclose(
        Standardize((3,)).fit(X)(X).numpy(), Standardize((3,)).fit(X / scale)(X / scale).numpy(), atol=1e-4
    )


@pytest.mark.parametrize(
    ("mean", "std"), [(0.0, 1.0), (1800.0, 1.0), (2300.0, 1.0), (1e7, 0.1), (3.0, 0.0), (1e-9, 1e-12)]
)
def test_statistics_in_double_precision_are_only_skipped_where_they_change_nothing(mean, std, monkeypatch):
    x = torch.tensor(mean + std * np.random.default_rng(0).normal(size=(300, 2)))
    calls = []
    original = Standardize._fit_far_from_zero

    def count(self, *args):
        calls.append(1)
        return original(self, *args)

    monkeypatch.setattr(Standardize, "_fit_far_from_zero", count)
    fitted = Standardize((2,)).fit(x)
    assert len(calls) == (abs(mean) > 2**11 * std)
    if not calls:
        assert not original(Standardize((2,)), x, x.float(), 300**0.5 * 2**-23 * x.float().mean(dim=0).abs()).any()
        np.testing.assert_allclose(fitted.mean.numpy(), x.numpy().mean(axis=0), rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(fitted.std.numpy(), x.numpy().std(axis=0), rtol=1e-3)
