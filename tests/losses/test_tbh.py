import math

import numpy as np
import pytest
import torch

from skhash.losses import TBHLoss, adversarial_loss, bernoulli_codes, code_adjacency, graph_mean
from skhash.nn import HiddenHead, build


def draw_codes(n=5, bits=7, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 2, size=(n, bits)).astype(float))


def make(n=5, bits=7, **options):
    """A head, its loss, samples and a function that computes the loss."""
    generator = torch.Generator().manual_seed(0)
    head = build(HiddenHead, 6, bits, hidden_features=9, generator=generator).double()
    loss = build(TBHLoss, bits, 9, 6, 4, generator=generator, **options).double()
    for critic in (loss.code_critic, loss.continuous_critic):  # which have no opinion at first
        torch.nn.init.normal_(critic.weight, generator=generator)
        torch.nn.init.normal_(critic.bias, generator=generator)
    x = torch.randn(n, 6, generator=generator, dtype=torch.float64)

    def compute(seed=1):
        hidden = head.hidden(x)
        return loss(head.linear(hidden), x, hidden=hidden, generator=torch.Generator().manual_seed(seed))

    return head, loss, x, compute


def test_adjacency_and_graph_mean_equal_explicit_loops():
    codes, values = draw_codes(), torch.from_numpy(np.random.default_rng(1).normal(size=(5, 3)))
    adjacency = np.zeros((5, 5))
    for i in range(5):
        for j in range(5):
            distance = sum(a != b for a, b in zip(codes[i].tolist(), codes[j].tolist(), strict=True))
            adjacency[i, j] = (1 - distance / 7) ** 1.4
    degrees = adjacency.sum(axis=1)
    mixed = [
        [
            sum(adjacency[i, j] / math.sqrt(degrees[i] * degrees[j]) * values[j, d].item() for j in range(5))
            for d in range(3)
        ]
        for i in range(5)
    ]
    torch.testing.assert_close(code_adjacency(codes), torch.from_numpy(adjacency))
    torch.testing.assert_close(graph_mean(values, code_adjacency(codes)), torch.tensor(mixed, dtype=torch.float64))


def test_gradients_by_finite_differences():
    codes = torch.rand(5, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    values = torch.rand(5, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda c, v: graph_mean(v, code_adjacency(c)), (codes, values))


def test_equal_codes_have_the_gradient_of_the_distance_and_not_of_its_magnitude():
    # Each bit of sample i stands in A_ij, A_ji and, twice, in A_ii: 4 times 1.4 (2 b - 1) / K.
    codes = torch.tensor([[1.0, 0.0], [1.0, 0.0]], requires_grad=True)
    code_adjacency(codes).sum().backward()
    torch.testing.assert_close(codes.grad, torch.tensor([[2.8, -2.8], [2.8, -2.8]]))


def test_opposite_codes_have_finite_gradients():
    codes = torch.tensor([[0.0, 0.0], [1.0, 1.0]], requires_grad=True)
    code_adjacency(codes).sum().backward()
    assert torch.isfinite(codes.grad).all()


def test_the_critic_descends_and_the_network_ascends():
    weight = torch.tensor([[0.3], [-0.7]], dtype=torch.float64, requires_grad=True)
    made = torch.tensor([[0.2, 0.4], [0.9, 0.1]], dtype=torch.float64, requires_grad=True)
    drawn = torch.tensor([[1.0, 0.0], [0.5, 0.5]], dtype=torch.float64)

    def by_definition(weight, made):
        real, fake = torch.sigmoid(drawn @ weight), torch.sigmoid(made @ weight)
        return -real.log().mean() - (1 - fake).log().mean()

    loss = adversarial_loss(lambda values: values @ weight, made, drawn)
    expected = by_definition(weight, made)
    assert loss.item() == pytest.approx(expected.item(), abs=1e-12)
    of_weight, of_made = torch.autograd.grad(loss, (weight, made))
    wanted_of_weight, wanted_of_made = torch.autograd.grad(expected, (weight, made))
    torch.testing.assert_close(of_weight, wanted_of_weight)
    torch.testing.assert_close(of_made, -wanted_of_made)


def by_definition(head, loss, x, *, squash=False):
    """Half the squared errors, what the critics descend on, and the decoded; all with plain gradients."""
    hidden = head.hidden(x)
    codes = bernoulli_codes(torch.sigmoid(head.linear(hidden)))
    c = torch.sigmoid(loss.continuous(hidden)) if squash else loss.continuous(hidden)
    zeros = 1 - codes
    adjacency = (1 - (codes @ zeros.T + zeros @ codes.T) / codes.shape[1]) ** 1.4
    scale = torch.diag(adjacency.sum(dim=1) ** -0.5)
    decoded = loss.decoder(torch.sigmoid(scale @ adjacency @ scale @ loss.graph(c)))
    generator = torch.Generator().manual_seed(1)
    coins = (torch.rand(codes.shape, generator=generator) < 0.5).double()
    uniform = torch.rand(c.shape, generator=generator).double()
    criticism = 0
    for critic, made, drawn in [(loss.code_critic, codes, coins), (loss.continuous_critic, c, uniform)]:
        real, fake = torch.sigmoid(critic(drawn)), torch.sigmoid(critic(made))
        criticism = criticism - real.log().mean() - (1 - fake).log().mean()
    return 0.5 * (decoded - x).square().sum(), criticism, decoded


@pytest.mark.parametrize("squash", [True, False])
@pytest.mark.parametrize("output", ["identity", "relu"])
@pytest.mark.parametrize("reconstruction", ["mean", "sum"])
def test_equals_the_definition(reconstruction, output, squash):
    head, loss, x, compute = make(reconstruction=reconstruction, output=output, squash=squash)
    errors, criticism, decoded = by_definition(head, loss, x, squash=squash)
    assert (decoded.min() >= 0).item() == (output == "relu")
    expected = errors / (1 if reconstruction == "sum" else 5) + criticism
    assert compute().item() == pytest.approx(expected.item(), abs=1e-9)


def test_one_backward_pass_gives_the_gradients_of_both_sides():
    head, loss, x, compute = make()
    compute().backward()
    errors, criticism, _ = by_definition(head, loss, x)
    critics = [*loss.code_critic.parameters(), *loss.continuous_critic.parameters()]
    actor = [*head.parameters(), *loss.continuous.parameters()]
    of_actor = torch.autograd.grad(errors / 5 - criticism, actor, retain_graph=True)
    of_critics = torch.autograd.grad(criticism, critics)
    for parameter, gradient in zip([*actor, *critics], [*of_actor, *of_critics], strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


def test_one_adam_makes_the_steps_of_two():
    def train(groups):
        head, loss, _, compute = make()
        everything = [*head.parameters(), *loss.parameters()]
        critics = [*loss.code_critic.parameters(), *loss.continuous_critic.parameters()]
        taken = {id(parameter) for parameter in critics}
        rest = [parameter for parameter in everything if id(parameter) not in taken]
        optimizers = [torch.optim.Adam(group) for group in ([everything] if groups == 1 else [critics, rest])]
        for seed in range(4):
            for optimizer in optimizers:
                optimizer.zero_grad()
            compute(seed).backward()
            for optimizer in optimizers:
                optimizer.step()
        return torch.cat([parameter.detach().flatten() for parameter in everything])

    assert torch.equal(train(1), train(2))


def test_critics_begin_without_an_opinion_and_signals_keep_their_scale():
    loss = build(TBHLoss, 16, 256, 100, 128, generator=torch.Generator().manual_seed(0))
    values = torch.randn(64, 128, generator=torch.Generator().manual_seed(1))
    assert loss.code_critic(values[:, :16]).eq(0).all()
    assert loss.continuous_critic(values).eq(0).all()
    assert 0.7 < loss.decoder(loss.graph(values)).std() / (2**1.5) < 1.4  # three layers, a ReLU behind one


def test_random_codes_and_priors_come_from_the_generator_alone():
    *_, compute = make(random=True)
    state = torch.random.get_rng_state()
    first, again, other = (compute(seed).item() for seed in (1, 1, 2))
    assert first == again != other
    assert torch.equal(torch.random.get_rng_state(), state)
    assert make(random=False)[-1](1).item() != first


@pytest.mark.parametrize(("name", "accepted"), [("reconstruction", "'mean', 'sum'"), ("output", "'identity', 'relu'")])
def test_unknown_options_are_refused(name, accepted):
    with pytest.raises(ValueError, match=rf"{name} must be one of \[{accepted}\], got 'tanh'"):
        TBHLoss(4, 4, 4, **{name: "tanh"})
