import torch

from skhash.nn import HiddenHead, build


def test_two_layers_with_bias_and_a_relu_between():
    head = build(HiddenHead, 5, 3, hidden_features=7, generator=torch.Generator().manual_seed(0))
    first, second = head.hidden[0], head.linear
    x = torch.randn(4, 5, generator=torch.Generator().manual_seed(1))
    hidden = (x @ first.weight.T + first.bias).clamp(min=0)
    assert hidden.shape == (4, 7)
    torch.testing.assert_close(head.hidden(x), hidden)
    torch.testing.assert_close(head(x), hidden @ second.weight.T + second.bias)


def test_weights_come_from_the_generator():
    first, again, other = (
        build(HiddenHead, 5, 3, generator=torch.Generator().manual_seed(seed)).linear.weight for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
