import pytest
import torch
import torch.nn.functional as F

from skhash.nn import sign
from skhash.nn.binary import RPReLU, RSign, Sign

SHAPES = [(5, 3), (5, 3, 4, 6)]


def draw(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def randomize(module, seed=1):
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.double().parameters():
        parameter.data = torch.randn(parameter.shape, dtype=torch.float64, generator=generator)
    return module


def test_ede_sharpens_from_a_tenth_to_ten():
    module = Sign("ede")
    sharpness = [module.t]
    for fraction in (0.0, 0.25, 0.5, 1.0):
        module.set_progress(fraction)
        sharpness.append(module.t)
    assert sharpness == pytest.approx([0.1, 0.1, 10**-0.5, 1.0, 10.0])


def test_a_normalized_gradient_divides_by_each_samples_deviation_in_training_only():
    x = draw(4, 3, 5, 5) * torch.tensor([0.1, 1.0, 5.0, 20.0])[:, None, None, None]
    x.requires_grad_()
    upstream = draw(4, 3, 5, 5, seed=1)
    module = Sign("identity", normalize_gradient=True)
    out = module(x)
    assert torch.equal(out, sign(x))
    (out * upstream).sum().backward()
    reference = x.detach().clone().requires_grad_()
    for i in range(4):
        (reference[i] / reference[i].std() * upstream[i]).sum().backward()
    torch.testing.assert_close(x.grad, reference.grad)
    x.grad = None
    (module.eval()(x) * upstream).sum().backward()
    torch.testing.assert_close(x.grad, upstream)


@pytest.mark.parametrize("features", [1, 3])
def test_equal_activations_have_finite_gradients(features):
    x = torch.zeros((2, features), requires_grad=True)
    out = Sign("approx", normalize_gradient=True)(x)
    out.sum().backward()
    assert out.eq(1).all()
    assert torch.isfinite(x.grad).all()


def test_a_constant_sample_has_signs_in_training():
    assert Sign("clip", normalize_gradient=True)(torch.full((2, 3), 0.5)).tolist() == [[1.0] * 3] * 2


@pytest.mark.parametrize("shape", SHAPES)
def test_rsign_has_a_threshold_for_each_channel(shape):
    module = randomize(RSign(3))
    x = draw(*shape).requires_grad_()
    upstream = draw(*shape, seed=2)
    out = module(x)
    (out * upstream).sum().backward()
    shift = torch.zeros(3, dtype=torch.float64)
    for c in range(3):
        z = x.detach()[:, c] + module.shift.detach()[c]
        assert torch.equal(out.detach()[:, c], sign(z))
        slope = (2 - 2 * z.abs()).clamp(min=0) * upstream[:, c]
        torch.testing.assert_close(x.grad[:, c], slope)
        shift[c] = slope.sum()
    torch.testing.assert_close(module.shift.grad, shift)


@pytest.mark.parametrize("shape", SHAPES)
def test_rprelu_and_its_gradient_are_those_of_torch(shape):
    module = randomize(RPReLU(3))
    x = draw(*shape).requires_grad_()
    upstream = draw(*shape, seed=2)
    inputs = [x, module.shift_in, module.slope, module.shift_out]
    out = module(x)
    gradients = torch.autograd.grad((out * upstream).sum(), inputs)
    a, w, b = (p.view(-1, *(1,) * (x.ndim - 2)) for p in inputs[1:])
    expected = F.prelu(x + a, w.flatten()) + b
    torch.testing.assert_close(out, expected)
    torch.testing.assert_close(gradients, torch.autograd.grad((expected * upstream).sum(), inputs))


def test_rprelu_passes_gradcheck():
    module = randomize(RPReLU(3))
    assert torch.autograd.gradcheck(module, draw(4, 3, 2, 2).requires_grad_())


def test_new_activations_are_neutral():
    x = draw(5, 3, 4, 4).float()
    assert torch.equal(RSign(3)(x), sign(x))
    torch.testing.assert_close(RPReLU(3)(x), F.leaky_relu(x, 0.25))


def test_unknown_gradient():
    with pytest.raises(ValueError, match=r"gradient must be one of .* got 'swish'"):
        Sign("swish")


def test_a_sample_of_zeros_has_positive_signs_and_a_gradient_in_training():
    x = torch.zeros((2, 3), requires_grad=True)
    out = Sign("approx", normalize_gradient=True)(x)
    assert out.tolist() == [[1.0] * 3] * 2
    out.sum().backward()
    assert not x.grad.isnan().any()


def test_rprelu_is_in_single_precision_under_autocast_and_runs_without_a_device():
    layer, x = RPReLU(4), torch.randn(2, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16):
        z = layer(x)
    assert z.dtype == torch.float32
    assert torch.equal(z, layer(x))
    assert layer.to("meta")(x.to("meta")).shape == x.shape
