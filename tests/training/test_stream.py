"""The stream: batches by seed and position alone, whatever loads them."""

import multiprocessing
import threading

import cv2
import numpy as np
import pytest

from chainer_seg.errors import DatasetError, ImageError, TrainingError
from chainer_seg.training import ExampleStream

from .toys import Images, add_noise


class Numbers:
    def __init__(self, count):
        self._count = count

    def __len__(self):
        return self._count

    def __getitem__(self, index):
        return index


def draw(count, **settings):
    stream = ExampleStream(Images(), 4, add_noise, seed=3, **settings)
    try:
        return [stream.next() for _ in range(count)]
    finally:
        stream.finalize()


def skip_odd(example, rng):
    return None if example % 2 else np.int32(example)


def always_skip(example, rng):
    return None


def end_process(example, rng):
    import os
    os._exit(1)


def break_code(example, rng):
    return {}['absent']


def resize_large(example, rng):
    return cv2.resize(np.full((2000, 2000, 3), 7, np.uint8), (1000, 1500))[:2, :2]


def opencv_threads(example, rng):
    return np.int32(cv2.getNumThreads())


@pytest.mark.parametrize('settings', [
    {'workers': 1}, {'workers': 3}, {'workers': 2, 'worker_kind': 'thread'},
    {'workers': 2, 'look_ahead': 1}])
def test_batches_do_not_depend_on_the_workers(settings):
    expected = draw(5, workers=0)
    for batch, expected_batch in zip(draw(5, **settings), expected, strict=True):
        for sample, expected_sample in zip(batch, expected_batch, strict=True):
            np.testing.assert_array_equal(sample[0], expected_sample[0])
            assert sample[1] == expected_sample[1]


def test_spawned_workers_give_the_same_batches():
    expected = draw(2, workers=0)
    batches = draw(2, workers=1, start_method='spawn')
    np.testing.assert_array_equal(batches[1][3][0], expected[1][3][0])


def test_a_sample_follows_from_its_number_and_the_order_of_the_epoch():
    sample = draw(4, workers=0)[3][2]
    number = 4 * 3 + 2
    order = np.random.default_rng((3, number // 13, 1)).permutation(13)
    rng = np.random.default_rng((3, number))
    expected = add_noise(Images()[order[number % 13]], rng)
    np.testing.assert_array_equal(sample[0], expected[0])


def test_every_epoch_shows_each_example_once_in_its_own_order():
    stream = ExampleStream(Numbers(12), 4, workers=0)
    first, second = ([i for _ in range(3) for i in stream.next()] for _ in range(2))
    assert sorted(first) == sorted(second) == list(range(12))
    assert first != second
    assert stream.epoch == 2 and stream.is_new_epoch


def test_different_seeds_give_different_streams():
    orders = [ExampleStream(Numbers(50), 50, seed=seed, workers=0).next() for seed in (0, 1)]
    assert orders[0] != orders[1]


def test_unshuffled_stream_keeps_the_order_of_the_data_set():
    stream = ExampleStream(Numbers(5), 3, workers=0, shuffle=False)
    assert [stream.next(), stream.next()] == [[0, 1, 2], [3, 4, 0]]


@pytest.mark.parametrize('workers', [0, 2])
def test_setting_the_position_continues_from_there(workers):
    expected = draw(4, workers=0)
    stream = ExampleStream(Images(), 4, add_noise, seed=3, workers=workers)
    stream.next()
    stream.position = 12
    np.testing.assert_array_equal(stream.next()[1][0], expected[3][1][0])
    stream.finalize()


@pytest.mark.parametrize('workers', [0, 2])
def test_examples_without_a_sample_are_skipped(workers):
    stream = ExampleStream(Numbers(10), 3, skip_odd, workers=workers, shuffle=False)
    assert [stream.next() for _ in range(2)] == [[0, 2, 4], [6, 8, 0]]
    assert stream.position == 11
    assert stream.drawn == [(6, 6), (8, 8), (10, 0)]
    stream.finalize()


def test_data_set_without_any_usable_example_is_an_error():
    stream = ExampleStream(Numbers(10), 3, always_skip, workers=0)
    with pytest.raises(DatasetError, match='anything to train on'):
        stream.next()


def test_empty_data_set_is_an_error():
    with pytest.raises(DatasetError, match='is empty'):
        ExampleStream(Numbers(0), 3)


@pytest.mark.parametrize('settings', [
    {'workers': 0}, {'workers': 2}, {'workers': 2, 'worker_kind': 'thread'}])
def test_a_user_error_of_an_example_is_raised_unchanged(settings):
    stream = ExampleStream(Images(6, broken=[2]), 6, add_noise, **settings)
    with pytest.raises(ImageError) as caught:
        stream.next()
    assert str(caught.value) == 'image 2 is unreadable; replace it.'
    assert stream.position == 0
    stream.finalize()


def test_a_programming_error_in_a_worker_has_its_traceback():
    stream = ExampleStream(Numbers(3), 1, break_code, workers=1)
    with pytest.raises(KeyError) as caught:
        stream.next()
    assert 'break_code' in caught.value.__notes__[0]
    stream.finalize()


def test_a_killed_worker_is_an_error_and_does_not_hang():
    stream = ExampleStream(Numbers(3), 1, end_process, workers=1)
    with pytest.raises(TrainingError, match='was killed'):
        stream.next()
    stream.finalize()


def test_finalize_leaves_no_process_and_no_thread():
    threads = threading.active_count()
    stream = ExampleStream(Images(), 4, add_noise, workers=3)
    stream.next()
    assert len(multiprocessing.active_children()) == 3
    stream.finalize()
    assert multiprocessing.active_children() == []
    assert threading.active_count() == threads


def test_workers_can_use_opencv_after_the_parent_did():
    resize_large(None, None)
    stream = ExampleStream(Numbers(3), 2, resize_large, workers=2)
    assert stream.next()[0].shape == (2, 2, 3)
    stream.finalize()


def test_workers_use_one_opencv_thread_and_the_parent_keeps_its_own():
    threads = cv2.getNumThreads()
    stream = ExampleStream(Numbers(3), 1, opencv_threads, workers=1)
    assert stream.next()[0] <= 1
    assert cv2.getNumThreads() == threads
    stream.finalize()


def test_describe_names_the_id_and_the_image():
    assert ExampleStream(Images(), 2).describe(3) == '3 (id 1003)'
    assert ExampleStream(Numbers(9), 2).describe(3) == '3'
    named = Images()
    named.image_names = [f'{number}.jpg' for number in range(len(named))]
    assert ExampleStream(named, 2).describe(3) == '3 (id 1003, 3.jpg)'
