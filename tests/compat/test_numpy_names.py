"""Functions of Chainer that use what NumPy removed or changed return the correct values."""

import io
from unittest import mock

import chainer
import chainer.functions as F
import numpy as np
import pytest
from chainermn.iterators import create_multi_node_iterator


def test_as_strided_sums_the_gradients_of_shared_elements():
    x = chainer.Variable(np.arange(4, dtype=np.float32))
    y = F.as_strided(x, (3, 2), (1, 1), 0)
    F.sum(y).backward()
    np.testing.assert_array_equal(y.array, [[0, 1], [1, 2], [2, 3]])
    np.testing.assert_array_equal(x.grad, [1, 2, 2, 1])


def test_resize_images_interpolates_linearly():
    x = np.array([[0, 2, 4]], np.float32).reshape(1, 1, 1, 3)
    y = F.resize_images(x, (1, 5)).array
    np.testing.assert_allclose(y.ravel(), [0, 1, 2, 3, 4])


@pytest.mark.parametrize('as_variable', [False, True])
def test_categorical_log_prob_is_the_logarithm_of_the_probability_of_each_value(as_variable):
    p = np.array([[0.25, 0.75], [0.5, 0.5]], np.float32)
    values = np.array([1, 0], np.int32)
    x = chainer.Variable(values) if as_variable else values
    log_prob = chainer.distributions.Categorical(p=p).log_prob(x).array
    np.testing.assert_allclose(log_prob, np.log([0.75, 0.5]), rtol=1e-6)


def test_examples_are_padded_to_the_largest_size():
    batch = chainer.dataset.concat_examples(
        [np.ones((1, 2), np.float32), np.ones((2, 1), np.float32)], padding=0)
    np.testing.assert_array_equal(batch, [[[1, 1], [0, 0]], [[1, 0], [1, 0]]])


def test_negative_padding_of_unsigned_integers_wraps_around():
    y = F.pad_sequence([np.array([1], np.uint8)], length=2, padding=-1)
    np.testing.assert_array_equal(y.array, [[1, 255]])


def test_debug_print_shows_the_cpu_as_device_of_a_numpy_array():
    assert '- device: CPU' in chainer.Variable(np.zeros(1, np.float32)).debug_print()


def test_sparse_product_of_float16_matrices_is_float16():
    a = np.array([[0, 2], [3, 0]], np.float16)
    b = np.array([[1, 1], [0, 4]], np.float16)
    y = F.sparse_matmul(chainer.utils.to_coo(a), b)
    assert y.dtype == np.float16
    np.testing.assert_array_equal(y.array, a @ b)


def test_runtime_information_is_printed():
    out = io.StringIO()
    chainer.print_runtime_info(out)
    assert 'Chainer: 7.8.1' in out.getvalue()


def test_parallel_iterator_stops_silently():
    with chainer.iterators.MultiprocessIterator(list(range(4)), 2, n_processes=1) as iterator:
        assert len(next(iterator)) == 2


@pytest.mark.filterwarnings('ignore:.*experimental:FutureWarning')
def test_a_rank_takes_the_size_of_the_data_set_from_rank_0():
    communicator = mock.Mock(rank=1)
    communicator.bcast.side_effect = [np.array([3], np.float32), np.array([-1], np.float32)]
    iterator = create_multi_node_iterator(None, communicator, rank_master=0)
    assert iterator.dataset_size == 3
