import itertools

import numpy as np
import pytest
import torch

from skhash.losses import DSDHLoss, dpsh_loss, dsdh_classifier, dsdh_codes, dsdh_loss
from skhash.nn import sign


@pytest.fixture
def problem():
    """Codes, continuous codes and labels of 12 samples, 6 bits, 3 classes, in double precision."""
    rng = np.random.default_rng(0)
    z = torch.tensor(rng.normal(size=(12, 6)))
    multi_hot = torch.tensor(rng.integers(0, 2, (12, 3)))
    return sign(torch.tensor(rng.normal(size=(12, 6)))), z, multi_hot


def residual(codes, z, multi_hot, classifier, pull):
    return (multi_hot - codes @ classifier).square().sum() + pull * (codes - z).square().sum()


def test_loss_equals_an_explicit_loop(golden, problem):
    codes, z, multi_hot = problem
    classifier = dsdh_classifier(codes, multi_hot, 2.0)
    classification = np.mean(
        [
            (float(multi_hot[i, c]) - sum(float(codes[i, k] * classifier[k, c]) for k in range(6))) ** 2
            for i in range(12)
            for c in range(3)
        ]
    )
    ridge = np.mean([float(w) ** 2 for w in classifier.flatten()])
    quantization = np.mean([float(b - u) ** 2 for b, u in zip(codes.flatten(), z.flatten(), strict=True)])
    expected = dpsh_loss(z, multi_hot).item() + 0.3 * classification + 0.2 * ridge + 0.5 * quantization
    loss = dsdh_loss(
        z, multi_hot, codes, classifier, classification_weight=0.3, ridge_weight=0.2, quantization_weight=0.5
    )
    assert loss.item() == pytest.approx(expected, abs=1e-12)


def test_without_its_weight_the_gradient_is_that_of_dpsh(problem):
    codes, z, multi_hot = problem
    z.requires_grad_()
    loss = dsdh_loss(z, multi_hot, codes, dsdh_classifier(codes, multi_hot, 1.0), quantization_weight=0.0)
    torch.testing.assert_close(torch.autograd.grad(loss, z), torch.autograd.grad(dpsh_loss(z, multi_hot), z))


def test_the_classifier_is_the_ridge_regression(problem):
    codes, _, multi_hot = problem
    classifier = dsdh_classifier(codes, multi_hot, 0.7)

    def objective(weights):
        return (multi_hot - codes @ weights).square().sum() + 0.7 * weights.square().sum()

    weights = classifier.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(objective(weights), weights)
    assert gradient.abs().max() < 1e-10


def test_a_sweep_sets_every_bit_to_the_better_value_in_turn(problem):
    codes, z, multi_hot = problem
    classifier = dsdh_classifier(codes, multi_hot, 1.0)
    expected = codes.clone()
    for k in range(6):
        for i in range(12):
            choices = {}
            for bit in (-1.0, 1.0):
                row = expected[i].clone()
                row[k] = bit
                choices[bit] = residual(row, z[i], multi_hot[i], classifier, 0.5).item()
            expected[i, k] = min(choices, key=choices.get)
    assert torch.equal(dsdh_codes(codes, z, multi_hot, classifier, pull=0.5), expected)


@pytest.mark.parametrize(("bits", "sweeps", "dtype"), [(40, 1, torch.float64), (33, 3, torch.float64), (64, 2, None)])
def test_sweeps_equal_a_loop_over_bits_with_a_residual(bits, sweeps, dtype):
    # More bits than a block has, and single precision. The start of zeros is that of a first solution.
    rng = np.random.default_rng(bits)
    z = torch.tensor(rng.normal(size=(200, bits)), dtype=dtype or torch.float32)
    multi_hot = torch.tensor(rng.integers(0, 2, (200, 7)))
    classifier = torch.tensor(rng.normal(size=(bits, 7))).to(z.dtype) / 7
    for start in (torch.zeros_like(z), sign(torch.tensor(rng.normal(size=z.shape)).to(z.dtype))):
        kept, expected = start.clone(), start.double().clone()
        for _ in range(sweeps):
            for k in range(bits):
                others = torch.cat([expected[:, :k], expected[:, k + 1 :]], dim=1)
                weights = torch.cat([classifier[:k], classifier[k + 1 :]]).double()
                residual = multi_hot - others @ weights
                expected[:, k] = sign(residual @ classifier[k].double() + 0.5 * z[:, k].double())
        codes = dsdh_codes(start, z, multi_hot, classifier, pull=0.5, sweeps=sweeps)
        assert codes.dtype == z.dtype
        assert torch.equal(codes.double(), expected)
        assert torch.equal(start, kept)


def test_solving_ends_when_the_codes_no_longer_change(monkeypatch):
    calls = []

    def count(*args, **options):
        calls.append(1)
        return dsdh_codes(*args, **options)

    monkeypatch.setattr("skhash.losses._dsdh.dsdh_codes", count)
    z, targets = torch.tensor([[0.9, -1.2], [-1.1, 1.0]]), torch.tensor([0, 1])
    losses = [DSDHLoss(2, 2, "batch", rounds=rounds) for rounds in (2, 1000)]
    values = [loss(z, targets) for loss in losses]
    assert len(calls) < 10
    assert torch.equal(*values)
    assert torch.equal(losses[0].classifier, losses[1].classifier)


def test_sweeps_never_raise_the_objective_and_end_near_the_best_code(problem):
    codes, z, multi_hot = problem
    classifier = dsdh_classifier(codes, multi_hot, 1.0)
    values = [residual(codes, z, multi_hot, classifier, 0.5).item()]
    for _ in range(4):
        codes = dsdh_codes(codes, z, multi_hot, classifier, pull=0.5)
        values.append(residual(codes, z, multi_hot, classifier, 0.5).item())
    assert values == sorted(values, reverse=True)
    assert values[1] < values[0]
    every = torch.tensor(list(itertools.product([-1.0, 1.0], repeat=6)), dtype=torch.float64)
    best = sum(min(residual(code, z[i], multi_hot[i], classifier, 0.5).item() for code in every) for i in range(len(z)))
    assert best - 1e-9 <= values[-1] <= 1.1 * best


@pytest.mark.parametrize("start", ["zeros", "codes"])
def test_several_sweeps_are_one_after_another_and_leave_the_start_alone(problem, start):
    codes, z, multi_hot = problem
    codes = torch.zeros_like(codes) if start == "zeros" else codes
    before = codes.clone()
    classifier = torch.randn(6, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    twice = dsdh_codes(codes, z, multi_hot, classifier, pull=1.0, sweeps=2)
    once = dsdh_codes(codes, z, multi_hot, classifier, pull=1.0)
    assert torch.equal(codes, before)
    assert torch.equal(twice, dsdh_codes(once, z, multi_hot, classifier, pull=1.0))
    assert set(twice.flatten().tolist()) == {-1.0, 1.0}


def test_in_the_first_epoch_codes_are_signs_and_the_classifier_is_theirs(golden):
    module = DSDHLoss(8, 3)
    module(golden.U[:2], golden.y[:2], rows=[0, 1])
    loss = module(golden.U[2:], golden.y[2:], rows=[2, 5])
    codes = sign(golden.U)
    classifier = dsdh_classifier(codes, torch.nn.functional.one_hot(golden.y, 3), 100.0)
    torch.testing.assert_close(module.classifier, classifier.float())
    expected = dsdh_loss(golden.U[2:], golden.y[2:], codes[2:], classifier, golden.U, golden.y)
    assert loss.item() == pytest.approx(expected.item(), abs=1e-6)


def test_a_new_epoch_solves_for_the_codes_of_all_that_was_seen(problem):
    _, z, multi_hot = problem
    module = DSDHLoss(6, 3, classification_weight=1.0, ridge_weight=0.5, quantization_weight=0.1, rounds=3)
    module(z, multi_hot, epoch=0, rows=range(12))
    assert torch.equal(module.pairing.memory.codes, sign(z))
    module(z[:2], multi_hot[:2], epoch=1, rows=[0, 1])
    codes = sign(z)
    for _ in range(3):
        codes = dsdh_codes(codes, z, multi_hot, dsdh_classifier(codes, multi_hot, 0.5), pull=0.1)
    assert not torch.equal(codes, sign(z))
    assert torch.equal(module.pairing.memory.codes, codes)
    torch.testing.assert_close(module.classifier, dsdh_classifier(codes, multi_hot, 0.5).float())
    before = module.classifier.clone()
    module(z[2:4], multi_hot[2:4], epoch=1, rows=[2, 3])  # the same epoch: all stays
    assert torch.equal(module.pairing.memory.codes, codes)
    assert torch.equal(module.classifier, before)


def test_pairs_batch_needs_no_rows_and_classifies(golden):
    module = DSDHLoss(8, 3, "batch", ridge_weight=0.001)
    assert torch.isfinite(module(golden.U, golden.y))
    assert module.class_scores(golden.U).argmax(dim=1).tolist() == golden.y.tolist()
    assert list(module.state_dict()) == ["classifier"]


def test_what_is_wrong_is_said():
    with pytest.raises(ValueError, match=r"pairs must be one of \['memory', 'batch'\], got 'halves'"):
        DSDHLoss(8, 3, "halves")
    with pytest.raises(ValueError, match="classification_weight must be positive, got 0"):
        DSDHLoss(8, 3, classification_weight=0)


@pytest.mark.parametrize("scale", [0.1, "2.5/bits"])
def test_the_scale_is_that_of_the_pairs(golden, scale):
    z, y = golden.U, golden.y
    codes = torch.where(z >= 0, 1.0, -1.0).to(z.dtype)
    classifier = torch.ones(z.shape[1], 10, dtype=z.dtype)
    rest = dsdh_loss(z, y, codes, classifier) - dpsh_loss(z, y)
    loss = dsdh_loss(z, y, codes, classifier, scale=scale)
    torch.testing.assert_close(loss - rest, dpsh_loss(z, y, scale=scale))
    assert abs(loss - rest - dpsh_loss(z, y)) > 1e-3
