import copy
import pickle

import pytest
import torch
import torch.nn.functional as F

from skhash.losses import Pairing, PairMemory, dpsh_loss, half_cosines


def test_memory_holds_what_was_seen_last(golden):
    memory = PairMemory()
    assert memory.n_seen == 0
    memory.update([4, 1], golden.U[:2], golden.y[:2])
    assert memory.visited.tolist() == [False, True, False, False, True]
    memory.update([1, 6], golden.U[2:], golden.y[2:])
    assert memory.n_seen == 3
    torch.testing.assert_close(memory.z[[4, 1, 6]], golden.U[[0, 2, 3]])
    assert memory.targets[[4, 1, 6]].tolist() == [0, 1, 2]
    assert not memory.z[~memory.visited].any()


def test_memory_keeps_the_signs_that_were_seen_first(golden):
    memory = PairMemory()
    memory.update([0], golden.U[:1], golden.y[:1])
    memory.update([0, 1], -golden.U[:2], golden.y[:2])
    torch.testing.assert_close(memory.codes[0], golden.U[0].sign())
    torch.testing.assert_close(memory.codes[1], -golden.U[1].sign())


def test_memory_holds_no_gradient_and_takes_multi_hot_labels(golden):
    memory = PairMemory()
    memory.update(torch.arange(4), golden.U.clone().requires_grad_(), golden.multi_hot)
    assert not memory.z.requires_grad
    assert memory.targets.tolist() == golden.multi_hot.tolist()


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda memory: pickle.loads(pickle.dumps(memory))])
def test_copies_of_a_memory_are_empty(golden, duplicate):
    pairing = Pairing("memory")
    pairing(golden.U, golden.y, rows=[0, 1, 2, 3])
    twin = duplicate(pairing)
    assert twin.pairs == "memory"
    assert twin.memory.n_seen == 0
    assert pairing.memory.n_seen == 4


def test_batch_and_halves(golden):
    z, targets, *rest = Pairing("batch")(golden.U, golden.y)
    assert z is golden.U
    assert targets is golden.y
    assert rest == [None, None, None]
    z, targets, z2, targets2, mask = Pairing("halves")(golden.U[:3], golden.y[:3])
    assert (len(z), len(z2), mask) == (1, 2, None)
    assert (targets.tolist(), targets2.tolist()) == ([0], [0, 1])


def test_the_rows_of_an_odd_batch(golden):
    # Two by three pairs if all of a half meet all of the other, two pairs if rows meet the corresponding ones.
    z, _, z2, _, _ = Pairing("halves")(golden.U8[:5], golden.y[[0, 1, 2, 3, 0]])
    assert torch.equal(z, golden.U8[:2])
    assert torch.equal(z2, golden.U8[2:5])
    assert torch.equal(half_cosines(golden.U8[:5]), F.cosine_similarity(golden.U8[:2], golden.U8[2:4]))
    for pairs in (lambda: Pairing("halves")(golden.U[:1], golden.y[:1]), lambda: half_cosines(golden.U[:1])):
        with pytest.raises(ValueError, match="A batch must have at least 2 rows to make a pair, got 1"):
            pairs()


def test_rows_that_were_not_seen_do_not_count(golden):
    pairing = Pairing("memory")
    pairing(golden.U[:1], golden.y[:1], rows=[9])
    loss = dpsh_loss(*pairing(golden.U[1:3], golden.y[1:3], rows=[3, 5]))
    seen = torch.tensor([0, 1, 2])
    expected = dpsh_loss(golden.U[1:3], golden.y[1:3], golden.U[seen], golden.y[seen])
    assert loss.item() == pytest.approx(expected.item(), abs=1e-12)


def test_a_memory_of_the_batch_alone_has_half_of_its_gradient(golden):
    # One side of every pair is constant, and the pairs are symmetric.
    z = golden.U.clone().requires_grad_()
    (full,) = torch.autograd.grad(dpsh_loss(*Pairing("batch")(z, golden.y)), z)
    loss = dpsh_loss(*Pairing("memory")(z, golden.y, rows=[0, 1, 2, 3]))
    (half,) = torch.autograd.grad(loss, z)
    torch.testing.assert_close(2 * half, full)


def test_what_is_wrong_is_said(golden):
    with pytest.raises(ValueError, match=r"pairs must be one of \['batch', 'halves', 'memory'\], got 'all'"):
        Pairing("all")
    with pytest.raises(ValueError, match="rows must be given with pairs='memory'"):
        Pairing("memory")(golden.U, golden.y)
