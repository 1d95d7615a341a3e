"""Reports of users, of other libraries and of our own: the right value, or an error that names the argument.

What the reports are of is in the names; these are tested where the code is:

- -1/+1 labels in every reader, missing and mixed labels: `utils/test_labels.py`
- masks, tensors, frames and bfloat16 in every reader: `utils/test_to_numpy.py`, `index/hamming/test_foreign_inputs.py`,
  `methods/test_foreign_features.py`, and all forms at random in `index/hamming/test_every_form.py`
- bits in the order of np.packbits, and hashes of other forms: `test_codes.py`
- colors under transparency, gray images of 16 and 32 bits, damaged EXIF, huge images, data sets that fail, columns of
  paths: `inputs/test_samples.py`
- columns far from 0, divergence in the last step, unavailable devices, backbones that cast: `deep/test_hasher.py`,
  `training/test_training.py`
- training in any context of torch, and Ctrl-C in it: `deep/test_ambient.py`; seeded backbones:
  `nn/binary/test_backbones_seeded.py`
- crafted packed files: `runtime/test_crafted_files.py`; crafted headers, a folder named header.json:
  `index/storage/test_crafted_headers.py`; hostile pickles and archives: `datasets/files/`
- searches beside a change: `index/hamming/test_snapshot.py`; `verify` beside a save, appends that fail:
  `index/hamming/test_saving.py`
- a full or damaged cache of numba: `bitops/test_compile.py`
- vectors of a second stage in another order: `index/hamming/test_rerank.py`; padding: `index/hamming/test_missing.py`
- cross-validation of samples sorted by class: `metrics/ranking/test_unknown_labels.py`
"""

import os
import struct
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch

from skhash import BiHalfHasher, DCHHasher, HammingIndex, ITQHasher, LSHHasher, OrthoHasher, PCAHasher, SDCHasher
from skhash.codes import as_packed, binarize
from skhash.index import HammingNeighborsTransformer
from skhash.inputs import read_images
from skhash.metrics import knn_accuracy, mean_average_precision
from skhash.nn.binary import binary_mlp
from skhash.runtime import Affine, Network, PackedHasher

EYE = np.eye(4, dtype=int)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


# Codes, ids, masks and labels.


def test_multi_hot_labels_of_minus_one_are_those_of_zero(rng, digits):
    assert HammingIndex(n_neighbors=1).fit(EYE, 2 * EYE - 1).predict(EYE).tolist() == EYE.tolist()
    codes, labels = rng.integers(0, 2, (20, 16)), rng.integers(0, 2, (20, 3))
    for metric in (mean_average_precision, knn_accuracy):
        assert metric(codes, codes, 2 * labels - 1, 2 * labels - 1) == metric(codes, codes, labels, labels)
    X, y = digits.X[:100], np.eye(10, dtype=int)[digits.y[:100]]
    make = lambda: OrthoHasher(bits=16, max_epochs=1, random_state=0)  # noqa: E731
    np.testing.assert_array_equal(make().fit(X, 2 * y - 1).decision_function(X), make().fit(X, y).decision_function(X))


@pytest.mark.parametrize("bits", [64, 60, 57])
def test_eight_columns_of_floats_are_not_bytes(rng, bits, tmp_path):
    floats = rng.normal(size=(50, 8))
    for call in (
        HammingIndex(bits=bits, binarize=0.0).fit,
        HammingIndex(bits=bits, binarize=0.0).partial_fit,
        HammingNeighborsTransformer(bits=bits, binarize=0.0).fit,
        lambda X: HammingIndex.from_blocks(tmp_path / "index", [X], bits=bits, binarize=0.0),
    ):
        with pytest.raises(ValueError, match=f"8 columns of numbers to binarize, but bits={bits} needs {bits}"):
            call(floats)


def test_ids_of_tensors_are_their_numbers():
    with pytest.raises(ValueError, match="ids must be unique, but 5 is given more than once"):
        HammingIndex().fit([[0, 1], [1, 1]], ids=torch.tensor([5, 5]))
    index = HammingIndex().fit([[0, 1], [1, 1]], ids=torch.tensor([5, 6]))
    assert 5 in index
    assert torch.tensor(6) in index
    assert index.remove(torch.tensor([5])).ids_.tolist() == [6]


def test_bytes_of_np_packbits_are_reranked(rng):
    Z = rng.normal(size=(50, 64))
    as_bytes = np.packbits(Z >= 0, axis=1)
    index = HammingIndex(bits=64, bitorder="big").fit(as_bytes)
    candidates = index.kneighbors(as_bytes[:1], 50, return_distance=False)
    scores, ids = index.rerank(Z[:1], candidates, 1)
    assert (scores.item(), ids.item()) == (0, 0)


@pytest.mark.parametrize("argument", ["X", "y", "ids", "where"])
def test_a_mask_is_never_ignored(argument):
    masked = np.ma.masked_array(EYE if argument == "X" else np.arange(4), mask=False)
    given = {argument: masked}
    call = lambda X=EYE, y=None, ids=None, where=None: HammingIndex().fit(X, y, ids=ids).kneighbors(X, 1, where=where)  # noqa: E731
    call(**given)
    masked[0] = np.ma.masked
    with pytest.raises(ValueError, match=f"^{argument} is a masked array with"):
        call(**given)


def test_bfloat16_is_read_and_where_takes_nullable_masks():
    assert HammingIndex(binarize=0.0).fit(torch.randn(3, 8).bfloat16()).bits_ == 8
    where = pd.array([False, True, True, False], dtype="boolean")
    assert HammingIndex().fit(EYE).kneighbors(EYE[:1], 1, where=where)[1].tolist() == [[1]]


@pytest.mark.parametrize("y", [pd.array(["a", None, "b"], dtype="string"), np.array(["a", np.nan, "b"], object)])
def test_missing_labels_are_counted(y, digits):
    for estimator, X in ((HammingIndex(), EYE[:3]), (OrthoHasher(bits=8), digits.X[:3])):
        with pytest.raises(ValueError, match=r"y has 1 missing labels .* the first at position 1"):
            estimator.fit(X, y)


def test_complex_numbers_have_no_sign():
    with pytest.raises(TypeError, match="z must contain real numbers"):
        binarize([[1j]])
    with pytest.raises(ValueError, match="Complex data not supported"):
        as_packed([[1j]])


def test_codes_too_long_for_tables_are_compared(rng):
    codes = rng.integers(0, 2, (3, 65_537), dtype=np.uint8)
    assert HammingIndex(algorithm="mih").fit(codes).kneighbors(codes, 1)[1].ravel().tolist() == [0, 1, 2]


def test_no_codes_are_refused_by_name(tmp_path):
    for call in (HammingIndex().fit(EYE).add, lambda X: HammingIndex.from_blocks(tmp_path / "index", [EYE, X])):
        with pytest.raises(ValueError, match=r"Found array with 0 sample\(s\)"):
            call(EYE[:0])


def test_the_id_that_is_no_integer_is_named(tmp_path):
    index = HammingIndex().fit(EYE[:2], ids=[1, 2])
    index.save(tmp_path)
    for call in (
        lambda: index.add(EYE[:2], ids=[232, "a"]),
        lambda: HammingIndex.append_blocks(tmp_path, [(EYE[:2], None, [232, "a"])]),
        lambda: HammingIndex.from_blocks(tmp_path, [(EYE[:1], None, [1]), (EYE[:2], None, [2, "a"])]),
    ):
        with pytest.raises(TypeError, match=r"ids must be integers, as those .*, got 'a'"):
            call()


def test_blocks_are_tuples_of_up_to_three(tmp_path):
    for block in ((EYE, [0, 1, 0, 1], range(4), 5), ()):
        with pytest.raises(ValueError, match=f"blocks must be codes, or tuples .* got a tuple of {len(block)}"):
            HammingIndex.from_blocks(tmp_path / "index", [block])
    with pytest.raises(ValueError, match="without a regular shape") as caught:
        HammingIndex.from_blocks(tmp_path / "index", [[EYE, [0, 1, 0, 1]]])
    assert "A list is read as codes; a block with labels is a tuple: (codes, labels)." in caught.value.__notes__


def test_ids_that_cannot_be_saved_are_refused_at_once_and_in_never_raises():
    with pytest.raises(TypeError, match=r"but not floats, bools or bytes, got b'a'"):
        HammingIndex().fit(EYE[:1], ids=[b"a"])
    index = HammingIndex().fit(EYE)
    assert not any(label in index for label in (1.0, [1], float("nan")))


# Training.


def test_a_column_of_large_mean_and_small_spread_is_standardized(rng):
    for mean, spread in ((1.7e9, 1e3), (1e9, 1e3), (1e7, 200.0), (1e5, 3.0)):
        X = np.c_[rng.normal(size=(300, 8)), mean + spread * rng.normal(size=300)]
        hasher = OrthoHasher(bits=8, max_epochs=1, random_state=0).fit(X, np.arange(300) % 3)
        assert float(hasher.module_.preprocess.std[-1]) == pytest.approx(X[:, -1].std(), rel=1e-3)


@pytest.mark.parametrize("scale", [2.0**66, 2.0**-83])
def test_features_of_any_unit_are_standardized(scale, digits):
    X, y = digits.X[:100], digits.y[:100]
    expected = OrthoHasher(bits=16, max_epochs=1, random_state=0).fit(X, y).decision_function(X)
    found = OrthoHasher(bits=16, max_epochs=1, random_state=0).fit(X * scale, y).decision_function(X * scale)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_weights_of_nan_are_not_returned(digits):
    hasher = BiHalfHasher(bits=16, max_epochs=3, recipe="paper", random_state=0)
    with pytest.raises(ValueError, match=r"infinite or NaN in epoch 1.*standardize=True"):
        hasher.fit(digits.X[:300] * 1e4)


def test_collapsed_codes_are_reported_once(digits):
    hasher = DCHHasher(bits=16, recipe="paper", max_epochs=5, random_state=0)
    with pytest.warns(UserWarning, match="training codes .*standardize=True") as caught:
        hasher.fit(digits.X[:300] * 1e4, digits.y[:300])
    assert len(caught) == 1


@pytest.mark.parametrize("change", [lambda X: X * 1e-6, lambda X: X + 1e4])
def test_scale_and_offset_of_features_do_not_make_codes_collapse(change, digits):
    codes = SDCHasher(bits=16, max_epochs=5, random_state=0).fit_transform(change(digits.X[:300]))
    assert len(np.unique(codes, axis=0)) > 100


def test_training_does_not_depend_on_the_context(digits):
    X, y = digits.X[:100], digits.y[:100]
    make = lambda: OrthoHasher(bits=16, max_epochs=1, random_state=0)  # noqa: E731
    expected = make().fit(X, y).decision_function(X)
    for context in (torch.no_grad(), torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16)):
        with context:
            hasher = make().fit(X, y)
        np.testing.assert_array_equal(hasher.decision_function(X), expected)


def test_a_seeded_backbone_fixes_the_model(digits):
    X, y = digits.X[:100], digits.y[:100]
    first, second = (
        OrthoHasher(bits=16, max_epochs=1, backbone=binary_mlp(64, random_state=0), random_state=0).fit(X, y)
        for _ in range(2)
    )
    np.testing.assert_array_equal(first.decision_function(X), second.decision_function(X))


@pytest.mark.parametrize("hasher", [LSHHasher(bits=8), PCAHasher(bits=8), ITQHasher(bits=8), OrthoHasher(bits=8)])
@pytest.mark.parametrize("form", [lambda X: X.bfloat16(), lambda X: X.double().requires_grad_()])
def test_tensors_of_features(hasher, form, digits):
    X = form(torch.tensor(digits.X[:50]))
    hasher = sklearn.clone(hasher).set_params(random_state=0) if "random_state" in hasher.get_params() else hasher
    if isinstance(hasher, OrthoHasher):
        hasher.set_params(max_epochs=1)
    assert hasher.fit(X, digits.y[:50]).transform(X).shape == (50, 8)


def test_a_backbone_that_casts_to_single_precision(digits):
    class Cast(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = torch.nn.Linear(64, 8)

        def forward(self, x):
            return self.linear(x.float())

    hasher = OrthoHasher(bits=8, max_epochs=1, backbone=Cast(), random_state=0).fit(digits.X[:50], digits.y[:50])
    assert hasher.transform(digits.X[:50]).shape == (50, 8)


def test_array_api_dispatch_with_tensors(digits):
    X = digits.X[:50]
    expected = ITQHasher(bits=8, random_state=0).fit(X).transform(X)
    with sklearn.config_context(array_api_dispatch=True):
        found = ITQHasher(bits=8, random_state=0).fit(torch.tensor(X)).transform(torch.tensor(X))
    np.testing.assert_array_equal(found, expected)


def test_an_unavailable_device_is_one_sentence(digits):
    with pytest.raises(ValueError, match=r"^device='mps' is not available: [^\n]*$") as caught:
        OrthoHasher(bits=16, max_epochs=1, device="mps").fit(digits.X[:50], digits.y[:50])
    assert len(str(caught.value)) < 200


# Pictures.


def test_hidden_colors_do_not_count():
    image = pytest.importorskip("PIL.Image")
    for mode, hidden in (("RGBA", (0, 0, 0, 0)), ("RGBA", (255, 255, 255, 0)), ("LA", (0, 0))):
        assert read_images([image.new(mode, (4, 4), hidden)]).batch([0]).min() == 1  # white


def test_gray_values_of_32_bits_are_those_of_16():
    image = pytest.importorskip("PIL.Image")
    values = np.full((4, 4), 20000)
    wide, narrow = (read_images([image.fromarray(values.astype(dtype))]).batch([0]) for dtype in (np.int32, np.uint16))
    assert wide.mean() == narrow.mean() == pytest.approx((20000 >> 8) / 255)


def test_broken_exif_keeps_the_picture(tmp_path):
    image = pytest.importorskip("PIL.Image")
    entries = [(0x112, 3, 1, struct.pack("<HH", 6, 0)), (0x11A, 10, 1, struct.pack("<I", 38))]
    body = b"".join(struct.pack("<HHI4s", *entry) for entry in entries) + bytes(4) + struct.pack("<ii", -1, 0)
    exif = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 2) + body
    for name in ("x.jpg", "x.png", "x.webp"):
        image.new("RGB", (8, 6)).save(tmp_path / name, exif=exif)
        assert read_images([tmp_path / name]).batch([0]).shape[:2] == (1, 3)
        with image.open(tmp_path / name) as opened:
            assert read_images([opened]).batch([0]).shape[:2] == (1, 3)


# Files and processes.


def test_a_missing_array_is_no_segmentation_fault():
    with pytest.raises(TypeError, match="Affine: scale must be an array, got None"):
        PackedHasher(Network((8,), (Affine(0, None),)))


def test_without_numbas_compiler_the_switch_is_named():
    code = "import skhash; skhash.HammingIndex().fit([[0, 1]]).kneighbors([[0, 1]], 1)"
    found = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        capture_output=True,
        text=True,
        env=environment(NUMBA_DISABLE_JIT="1"),
    )
    assert "NUMBA_DISABLE_JIT" in found.stderr


def environment(**changes):
    return {**os.environ, **changes}
