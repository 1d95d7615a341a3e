import numpy as np
import pytest
from scipy.sparse import csr_array

from skhash.utils import Labels, are_labels, read_labels


def test_single_labels_of_any_kind():
    for y in (["b", "a", "b"], np.array([7, 3, 7]), [True, False, True], np.array([[7.0], [3.0], [7.0]]).ravel()):
        labels = read_labels(y)
        assert labels.codes.tolist() == [1, 0, 1]
        assert not labels.multilabel
        assert labels.decode().tolist() == list(y)
        assert labels.multi_hot().tolist() == [[0, 1], [1, 0], [0, 1]]
        assert labels[[1]].codes.tolist() == [0]
        assert len(labels) == 3


def test_multi_hot_labels():
    y = np.array([[1, 0, 1], [0, 0, 0]])
    for form in (y, y.astype(bool), csr_array(y), y.tolist()):
        labels = read_labels(form)
        assert labels.multilabel
        assert labels.multi_hot().tolist() == y.tolist()
        assert labels.codes.dtype == np.uint8
        assert labels.classes.tolist() == [0, 1, 2]


def test_known_classes():
    labels = read_labels(["b"], classes=["a", "b", "c"])
    assert labels.codes.tolist() == [1]
    assert labels.multi_hot().tolist() == [[0, 1, 0]]
    with pytest.raises(ValueError, match=r"y holds classes \['z'\] that are not among \['a', 'b'\]"):
        read_labels(["a", "z"], classes=["a", "b"])
    with pytest.raises(ValueError, match="y has 3 label columns, expected 2: one for each known class"):
        read_labels([[1, 0, 1], [0, 1, 0]], classes=[0, 1])


@pytest.mark.parametrize("y", [[0.5, 1.5], [[1, 2], [3, 4]], [[0.5, 1.0], [1.0, 2.0]]])
def test_values_that_are_not_labels(y):
    assert not are_labels(y)
    with pytest.raises(ValueError, match="Unknown label type: target is"):
        read_labels(y, name="target")


def test_none_is_not_a_label():
    assert not are_labels(None)
    assert are_labels([0, 1])


def test_rows_must_match():
    with pytest.raises(ValueError, match="X has 4, y has 2"):
        read_labels([0, 1], n_samples=4)


def test_many_classes_of_few_samples_do_not_warn():
    assert isinstance(read_labels(np.arange(50)), Labels)
