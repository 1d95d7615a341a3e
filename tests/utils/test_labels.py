import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
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


@pytest.mark.parametrize("y", [[["cat"], ["cat", "dog"]], [("cat", "dog")] * 2, [{"cat", "dog"}] * 2, [["cat"], "dog"]])
def test_lists_of_labels_are_refused_with_a_remedy(y):
    with pytest.raises(ValueError, match=r"Unknown label type: y is .*MultiLabelBinarizer makes from lists of labels"):
        read_labels(y)


def test_none_is_not_a_label():
    assert not are_labels(None)
    assert are_labels([0, 1])


def test_rows_must_match():
    with pytest.raises(ValueError, match="X has 4, y has 2"):
        read_labels([0, 1], n_samples=4)


def test_many_classes_of_few_samples_do_not_warn():
    assert isinstance(read_labels(np.arange(50)), Labels)


@pytest.mark.parametrize("low", [0, -1])
def test_two_codings_of_multi_hot_matrices(low):
    expected = np.array([[1, 0, 1], [0, 0, 0], [1, 1, 1]])
    y = np.where(expected == 1, 1, low)
    for form in (y, y.astype(float), y.astype(np.int8), csr_array(y), y.tolist(), torch.from_numpy(y).bfloat16()):
        assert read_labels(form).codes.tolist() == expected.tolist()
        assert are_labels(form)
    for rows in ([0, 1], [1], [2]):
        assert read_labels(y[rows]).codes.tolist() == expected[rows].tolist()


@pytest.mark.parametrize("pair", [(1, 2), (0, 2), (0, 255), (-1, 0), (2, 2), (-2, 2), (-1, 255)])
def test_other_matrices_of_two_values_are_refused(pair):
    y = np.array(pair)[np.array([[1, 0, 1], [0, 0, 1]])]
    assert not are_labels(y)
    with pytest.raises(
        ValueError, match=r"Unknown label type: target is a matrix with the values \[.*\]; expected a m"
    ):
        read_labels(y, name="target")


def test_missing_and_masked_labels():
    pandas = pytest.importorskip("pandas")
    for y in (
        ["a", None, "b"],
        ["a", np.nan, "b"],
        np.array(["a", None, "b"], dtype=object),
        pandas.Series(["a", None, "b"], dtype="string"),
        pandas.Series(["a", pandas.NA, "b"]),
    ):
        with pytest.raises(ValueError, match=r"target has 1 missing labels .None or NaN., the first at position 1"):
            read_labels(y, name="target")
    with pytest.raises(ValueError, match="target is a masked array with 1 masked values"):
        read_labels(np.ma.array([1, 2], mask=[0, 1]), name="target")
    with pytest.raises(ValueError, match="Unknown label type: target"):
        read_labels(["a", 1], name="target")


LABELS = [0, 1, -1, 2, 255, 0.5, True, "a", None, np.nan]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(st.sampled_from(LABELS), min_size=2, max_size=3), min_size=1, max_size=4))
def test_any_matrix_is_read_by_the_rule_or_refused_by_name(rows):
    values = {value for row in rows for value in row}
    if len({len(row) for row in rows}) == 1 and (values <= {0, 1} or values <= {-1, 1}):
        assert read_labels(rows).codes.tolist() == [[int(value == 1) for value in row] for row in rows]
    else:
        with pytest.raises(ValueError, match="target"):
            read_labels(rows, name="target")


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(LABELS), min_size=1, max_size=5), st.sampled_from(["list", "array"]))
def test_any_column_is_read_or_refused_by_name(y, form):
    target = np.array(y, dtype=object) if form == "array" and "a" in y else y
    if not {None, 0.5} & set(y) and not any(value != value for value in y) and ("a" not in y or set(y) == {"a"}):
        assert read_labels(target).decode().tolist() == y
    else:
        with pytest.raises(ValueError, match="target"):
            read_labels(target, name="target")


def test_every_reader_of_labels_takes_minus_one():
    from skhash import HammingIndex, OrthoHasher
    from skhash.datasets import retrieval_split
    from skhash.metrics import knn_accuracy, mean_average_precision

    generator = np.random.default_rng(0)
    Y = (generator.random((60, 4)) < 0.4).astype(int)
    X = generator.normal(size=(60, 5)).astype(np.float32)
    codes = generator.integers(0, 2, (60, 16))
    signs = 2 * Y - 1

    def results(y):
        hasher = OrthoHasher(bits=8, max_epochs=1, random_state=0).fit(X, y)
        split = retrieval_split(X, y, protocol="mscoco", n_query=10, n_train=30, random_state=0)
        return [
            hasher.transform(X),
            HammingIndex(n_neighbors=3).fit(codes, y).predict(codes),
            mean_average_precision(codes[:20], codes, y[:20], y),
            knn_accuracy(codes[:20], codes, y[:20], y),
            split.query,
        ]

    for found, expected in zip(results(signs), results(Y), strict=True):
        np.testing.assert_array_equal(found, expected)
    for call in (results, lambda y: HammingIndex().fit(codes, y), lambda y: knn_accuracy(codes, codes, y, y)):
        with pytest.raises(ValueError, match=r"a matrix with the values .1, 2."):
            call(Y + 1)
