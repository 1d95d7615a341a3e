import torch

from skhash.losses import center_targets


def test_class_indices_take_their_center(golden):
    assert torch.equal(center_targets(golden.y, golden.centers), golden.centers[[0, 0, 1, 2]])


def test_several_labels_vote_and_ties_take_a_fixed_bit(golden):
    sums = [[2, 0, 0, -2, 2, 0, 0, -2], [1, 1, -1, -1, 1, 1, -1, -1], [1, -1, -1, 1, 1, -1, -1, 1]]
    sums.append([2, -2, 0, 0, 2, -2, 0, 0])  # golden values of the specification, section 16.2
    assert (golden.multi_hot.double() @ golden.centers).tolist() == sums
    ties = torch.tensor([1.0, -1, 1, 1, -1, -1, -1, 1])
    codes = center_targets(golden.multi_hot, golden.centers, ties)
    for row, code in zip(sums, codes.tolist(), strict=True):
        assert code == [tie if s == 0 else (1 if s > 0 else -1) for s, tie in zip(row, ties.tolist(), strict=True)]
    plus = center_targets(golden.multi_hot, golden.centers)
    assert torch.equal(plus, center_targets(golden.multi_hot, golden.centers, torch.ones(8)))


def test_without_labels_the_code_is_the_ties(golden):
    ties = torch.tensor([1.0, -1, 1, 1, -1, -1, -1, 1], dtype=torch.float64)
    assert torch.equal(center_targets(torch.zeros(1, 3), golden.centers, ties)[0], ties)
