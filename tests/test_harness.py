"""The harness notices what is wrong."""

import json

import ml_dtypes
import numpy as np
import pytest

from comparison import compare, pack, unpack
from harness import Row, randint, randn

ROW = Row("x")


def tree(array, **changed):
    name = "torch." + array.dtype.name
    return {"result": {"kind": "tensor", "dtype": name, "shape": list(array.shape), "requires_grad": False, "array": array, **changed}}


def stored(answer, row=ROW):
    return unpack(json.loads(json.dumps(pack(answer, row))))


ARRAYS = [
    np.arange(6.0).reshape(2, 3),
    np.array([np.nan, np.inf, -np.inf, 0.0], np.float32),
    np.array([1.5, 2.5], ml_dtypes.bfloat16),
    np.array(3),
    np.zeros((0, 3), bool),
    np.array([1 + 2j, np.inf], np.complex64),
    np.random.RandomState(0).standard_normal((40, 30)).astype(np.float32),
    np.random.RandomState(0).randint(-9, 9, (40, 30)),
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda a: f"{a.dtype} {a.shape}")
def test_an_answer_survives_storage(array):
    compare(tree(array.copy()), stored(tree(array)), ROW)


@pytest.mark.parametrize("array", [array for array in ARRAYS if array.size], ids=lambda a: f"{a.dtype} {a.shape}")
@pytest.mark.parametrize("position", [0, -1])
def test_one_wrong_number_is_noticed(array, position):
    wrong = array.copy()
    wrong.reshape(-1)[position] = 77
    for expected in (tree(array), stored(tree(array))):
        with pytest.raises(AssertionError, match=r"differ|whole"):
            compare(tree(wrong), expected, ROW)


def test_a_wrong_number_in_the_middle_of_a_digest_is_noticed():
    array = np.random.RandomState(1).standard_normal(5000).astype(np.float32)
    for position in (1, 1234, 4998):
        wrong = array.copy()
        wrong[position] += 1
        with pytest.raises(AssertionError, match="projections of the whole"):
            compare(tree(wrong), stored(tree(array)), ROW)


def test_exact_rows_notice_the_last_bit():
    for size in (10, 1000):
        array = np.ones(size, np.float32)
        wrong = array.copy()
        wrong[size // 2] = np.nextafter(np.float32(1), np.float32(2))
        compare(tree(wrong), stored(tree(array)), ROW)
        exact = Row("x", exact=True)
        with pytest.raises(AssertionError):
            compare(tree(wrong), stored(tree(array), exact), exact)


@pytest.mark.parametrize(
    "changed", [{"dtype": "torch.float16"}, {"shape": [6]}, {"requires_grad": True}, {"grad_fn": "AddBackward0"}, {"class": "Parameter"}]
)
def test_all_that_belongs_to_a_tensor_is_compared(changed):
    with pytest.raises(AssertionError, match=next(iter(changed))):
        compare(tree(ARRAYS[0], **changed), tree(ARRAYS[0]), ROW)


def test_plain_values_must_have_the_same_type():
    for ours, theirs in [(1, True), (1, "1"), ([1], [1, 2]), (None, 0), ({"kind": "tuple", "items": [1]}, {"kind": "list", "items": [1]})]:
        with pytest.raises(AssertionError):
            compare({"result": ours}, {"result": theirs}, ROW)


def test_exceptions_are_compared_by_type_and_message():
    expected = {"raises": "RuntimeError", "message": "a bad shape"}
    compare(dict(expected), expected, ROW)
    compare({"raises": "RuntimeError", "message": "the shape"}, expected, Row("x", message="shape"))
    for ours in ({"raises": "ValueError", "message": "a bad shape"}, {"raises": "RuntimeError", "message": "bad shape"}):
        with pytest.raises(AssertionError, match="exceptions differ"):
            compare(ours, expected, ROW)
    with pytest.raises(pytest.fail.Exception, match="PyTorch raises RuntimeError"):
        compare(tree(ARRAYS[0]), expected, ROW)
    with pytest.raises(ZeroDivisionError):
        compare({"raises": "ZeroDivisionError", "message": "", "error": ZeroDivisionError()}, tree(ARRAYS[0]), ROW)


def test_a_missing_gradient_is_noticed():
    gradient = tree(ARRAYS[0])["result"]
    with pytest.raises(AssertionError, match=r"grads\.a"):
        compare({"grads": {"a": None}}, {"grads": {"a": gradient}}, ROW)
    with pytest.raises(AssertionError, match=r"grads\.a"):
        compare({"grads": {"a": gradient}}, {"grads": {"a": None}}, ROW)


def test_samples_depend_on_the_row_alone():
    first, second = randn(3, 4).make(1, "float32"), randn(3, 4).make(1, "float32")
    assert np.array_equal(first, second) and first.dtype == np.float32
    assert randn(3, 4).T.make(1, "float32").strides == (4, 12)
    assert randn(3, 4).strided.make(1, "float32").strides == (32, 8)
    assert np.array_equal(randn(3, 4).strided.make(1, "float32"), first)
    assert randn(3).expanded(2).make(1, "float32").strides == (0, 4)
    assert randint(0, 5, (4,)).make(1, "float32").dtype == np.int64
    assert randn(3).make(1, "bfloat16").dtype == ml_dtypes.bfloat16


def test_a_row_that_changes_has_another_answer():
    keys = {
        Row("a + b", a=randn(3), b=randn(3)).key,
        Row("a + b", a=randn(3), b=randn(4)).key,
        Row("a + b", a=randn(3), b=randn(3), grad=True).key,
        Row("a - b", a=randn(3), b=randn(3)).key,
        Row("a + b", a=randn(3), b=2).key,
    }
    assert len(keys) == 5
