import pytest
import torch

from skhash.training import GroupedBatches, ShuffledBatches

Y = torch.tensor([0] * 6 + [1] * 5 + [2])


def draw(batches, targets=Y, epoch=0, seed=0):
    return batches.draw(len(targets), targets, epoch, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("group_size", [2, 3])
def test_groups_are_of_one_class_and_every_row_is_an_anchor(group_size):
    batches = GroupedBatches(7, group_size)
    drawn = draw(batches)
    assert len(drawn) == batches.steps(len(Y), 0)
    assert {len(rows) for rows in drawn[:-1]} == {7 // group_size * group_size}
    groups = torch.cat(drawn).view(-1, group_size)
    assert len(groups) == len(Y)
    labels = Y[groups]
    assert (labels == labels[:, :1]).all()
    assert torch.equal(labels[:, 0].bincount(), Y.bincount())  # one group for each row
    for group, label in zip(groups.tolist(), labels[:, 0].tolist(), strict=True):
        assert len(set(group)) == (1 if label == 2 else group_size)  # repetitions only where there are too few


def test_groups_of_multi_hot_labels_share_a_label():
    targets = torch.tensor([[1, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]]).float()
    together = set()
    for seed in range(20):
        for rows in draw(GroupedBatches(4), targets, seed=seed):
            together |= {tuple(sorted(group)) for group in rows.view(-1, 2).tolist()}
    # Row 0 shares a label with rows 1 and 2, which share none: they may stand together as relations of row 0 only.
    assert together == {(0, 1), (0, 2), (1, 2), (3, 3), (4, 4)}


def test_groups_begin_at_their_epoch():
    batches = GroupedBatches(4, start=2)
    assert [batches.steps(len(Y), epoch) for epoch in range(4)] == [3, 3, 6, 6]
    assert sorted(torch.cat(draw(batches, epoch=1)).tolist()) == list(range(len(Y)))
    assert len(draw(batches, epoch=2)) == 6


def test_a_batch_holds_two_groups():
    assert [len(rows) for rows in draw(GroupedBatches(8, 4))] == [8] * (len(Y) // 2)
    with pytest.raises(ValueError, match=r"group_size must be at most half of batch_size=7, .*, got 4"):
        GroupedBatches(7, 4)


def test_the_generator_decides():
    for batches in (ShuffledBatches(4), GroupedBatches(4)):
        first, again, other = (torch.cat(draw(batches, seed=seed)).tolist() for seed in (0, 0, 1))
        assert first == again != other
