"""Videos in and out, and a detector between: whole files, cut ones, and stages that overlap."""

import contextlib
import itertools
import logging
import os
import threading

import numpy as np
import pytest

from chainer_seg.datasets import MovingShapes
from chainer_seg.errors import DiskFullError, VideoError
from chainer_seg.instances import Instances
from chainer_seg.video import VideoReader, VideoWriter, annotate_frames, annotate_video, write_video
from chainer_seg.video.annotation import FrameRate
from chainer_seg.video.colors import ObjectColors
from chainer_seg.video.pipeline import Background, prefetch
from chainer_seg.visualization import instance_colors


@pytest.fixture(scope='module')
def frames():
    """Thirty frames of 60x80 pixels with one moving circle."""
    drawn = MovingShapes(30, seed=1, size=(60, 80), objects=1, classes=('circle',))
    return [drawn[index] for index in range(30)]


@pytest.fixture
def video(tmp_path, frames):
    return write_video(tmp_path / 'in.avi', (image for image, _ in frames), fps=12.5)


def nothing(image):
    return Instances.empty(*image.shape[:2])


def read(path):
    with VideoReader(path) as reader:
        return list(reader)


def boxes(*rows):
    """Instances with these boxes, and masks that play no part."""
    return Instances(np.zeros((len(rows), 9, 9), bool), np.array(rows, np.float32).reshape(-1, 4))


@pytest.mark.parametrize('suffix', ['.avi', '.mp4', '.mkv', '.webm', '.MOV'])
def test_what_is_written_is_read_back_nearly(tmp_path, frames, suffix):
    path = write_video(tmp_path / f'out{suffix}', (image for image, _ in frames), fps=29.97)
    with VideoReader(path) as reader:
        assert reader.fps == pytest.approx(29.97) and reader.size == (60, 80) and reader.count == 30
        decoded = list(reader)
    assert len(decoded) == 30 and decoded[0].dtype == np.uint8
    errors = [np.abs(image.astype(int) - other).mean() for (image, _), other in zip(frames, decoded)]
    assert max(errors) < 12  # MPEG-4 at the encoder's own rate
    # Red and blue are not swapped.
    assert np.abs(frames[0][0].mean(axis=(0, 1)) - decoded[0].mean(axis=(0, 1))).max() < 5


def test_a_truncated_video_ends_with_one_warning(video, frames, caplog):
    video.write_bytes(video.read_bytes()[:video.stat().st_size // 2])
    with caplog.at_level(logging.WARNING):
        count = len(read(video))
    assert 5 < count < 25
    assert [record.getMessage() for record in caplog.records] == [
        f'The video {video} ends after {count} of its 30 frames; the file is truncated.']


def test_libraries_print_nothing(video, tmp_path, frames, capfd):
    video.write_bytes(video.read_bytes()[:video.stat().st_size // 2])
    read(video)
    write_video(tmp_path / 'out.webm', [frames[0][0]])
    with contextlib.suppress(VideoError):
        VideoReader(97)
    assert capfd.readouterr() == ('', '')


@pytest.mark.parametrize('name, content, sentence', [
    ('nothing.mp4', None, 'There is no video'), ('empty.mp4', b'', 'is an empty file'),
    ('text.mp4', b'no video' * 100, 'cannot be decoded'), ('', None, 'is a folder')])
def test_a_file_that_is_no_video_is_one_message(tmp_path, name, content, sentence):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(VideoError, match=sentence):
        VideoReader(tmp_path / name)


def test_a_camera_that_is_not_there_is_one_message():
    with pytest.raises(VideoError, match='There is no camera 97'):
        VideoReader(97)


def test_an_unknown_suffix_is_reported_before_the_work_starts(tmp_path):
    with pytest.raises(VideoError, match='not a supported video format'):
        VideoWriter(tmp_path / 'out.gif')


def test_an_unwritable_path_is_reported_before_the_work_starts(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(DiskFullError, match='could not be written'), VideoWriter(
            tmp_path / 'file' / 'out.avi'):
        pytest.fail('the block was entered')


@pytest.mark.parametrize('images, sentence', [
    ([], 'there are no frames'), ([(8, 8), (8, 10)], 'Frame 2 .* all frames to one size')])
def test_frames_that_make_no_video_leave_no_file(tmp_path, images, sentence):
    with pytest.raises(VideoError, match=sentence):
        write_video(tmp_path / 'out.avi', (np.zeros((*size, 3), np.uint8) for size in images))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('size, even', [((65, 97), (66, 98)), ((64, 97), (64, 98)), ((1, 9), (2, 10))])
@pytest.mark.parametrize('suffix', ['.mp4', '.avi', '.webm', '.mkv'])
def test_odd_sides_are_padded_by_the_edge_and_logged(tmp_path, caplog, suffix, size, even):
    """The last row and column are kept: those of this frame are white on black."""
    frame = np.zeros((*size, 3), np.uint8)
    frame[-1:], frame[:, -1:] = 255, 255
    path = write_video(tmp_path / f'out{suffix}', [frame] * 3)
    assert [record.message for record in caplog.records] == [
        f'Padding the frames of {size[0]}x{size[1]} pixels to {even[0]}x{even[1]} in {path} by repeating '
        f'the last row or column, because videos have even sides.']
    decoded = read(path)[0]
    assert decoded.shape == (*even, 3)
    assert decoded[-1].mean() > 150 and (size[1] % 2 == 0 or decoded[:, -1].mean() > 150)


def test_grey_frames_are_written(tmp_path):
    path = write_video(tmp_path / 'out.avi', [np.full((8, 10), 200, np.uint8)] * 2)
    assert abs(read(path)[0].mean() - 200) < 3


def test_an_error_leaves_the_file_that_was_there(tmp_path, frames):
    target = tmp_path / 'out.avi'
    target.write_text('before')
    with pytest.raises(ZeroDivisionError), VideoWriter(target) as writer:
        writer.write(frames[0][0])
        _ = 1 / 0
    assert target.read_text() == 'before' and list(tmp_path.iterdir()) == [target]


def test_a_full_disk_is_reported(tmp_path, frames, monkeypatch):
    writer = VideoWriter(tmp_path / 'out.avi')
    with pytest.raises(DiskFullError, match='could not be written completely'), writer:
        for image, _ in frames:
            writer.write(image)
        writer._encoder.release()
        os.truncate(writer._temporary, 3000)
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_keeps_the_frames_so_far(tmp_path, video):
    calls = itertools.count(1)

    def interrupted(image):
        if next(calls) == 8:
            raise KeyboardInterrupt
        return nothing(image)

    with pytest.raises(KeyboardInterrupt):
        annotate_video(interrupted, video, tmp_path / 'out.mp4')
    assert len(read(tmp_path / 'out.mp4')) == 7
    assert sorted(path.name for path in tmp_path.iterdir()) == ['in.avi', 'out.mp4']


def test_a_video_is_annotated_frame_by_frame(tmp_path, video, frames):
    found, seen = iter(frames), []
    count = annotate_video(lambda image, **options: next(found)[1], video, tmp_path / 'out.mp4',
                           on_frame=lambda number, instances, overlay: seen.append(
                               (number, len(instances))), score_threshold=0.5)
    assert count == 30 and seen == [(number, len(frames[number][1])) for number in range(30)]
    with VideoReader(tmp_path / 'out.mp4') as reader:
        assert reader.fps == pytest.approx(12.5) and reader.count == 30


def test_frames_are_annotated_one_by_one(frames):
    options = []

    def detect(image, **given):
        options.append(given)
        return frames[0][1]

    drawn = annotate_frames(detect, (image for image, _ in frames), show_rate=False,
                            drawing={'alpha': 1, 'labels': False, 'boxes': False}, top=3)
    overlay = next(drawn)
    drawn.close()
    assert (overlay[frames[0][1].masks[0]] == instance_colors(1)[0]).all() and options == [{'top': 3}]


def test_frames_are_fetched_ahead_but_not_too_far():
    fetched = []
    items = prefetch((fetched.append(number) or number for number in range(100)), ahead=3)
    assert next(items) == 0
    for _ in range(200):
        if len(fetched) >= 5:
            break
        threading.Event().wait(0.01)
    assert 4 <= len(fetched) <= 6  # one is out, three wait, one is in the thread's hand
    assert list(items) == list(range(1, 100))


def test_errors_of_prefetching_are_raised_in_order():
    def failing():
        yield 1
        raise VideoError('broken')

    items = prefetch(failing())
    assert next(items) == 1
    with pytest.raises(VideoError, match='broken'):
        next(items)


def test_stopping_early_stops_the_thread():
    before = threading.active_count()
    items = prefetch(itertools.count())
    next(items)
    items.close()
    assert threading.active_count() == before


def test_what_is_done_in_the_background_is_done_in_order_and_to_the_end():
    done = []
    with Background(done.append, ahead=2) as background:
        for number in range(20):
            background.put(number)
    assert done == list(range(20))


def test_errors_in_the_background_are_raised():
    with pytest.raises(ZeroDivisionError), Background(lambda number: 1 / number) as background:
        for number in (2, 1, 0, *range(1, 100)):
            background.put(number)


def test_an_interruption_lets_the_background_finish():
    done = []
    with pytest.raises(KeyboardInterrupt), Background(done.append) as background:
        for number in range(3):
            background.put(number)
        raise KeyboardInterrupt
    assert done == [0, 1, 2]


def test_the_rate_is_that_of_the_last_frames():
    times = iter([0, *np.arange(1, 41) * 0.5, *(20 + np.arange(1, 31) * 0.1)])
    rate = FrameRate(lambda: next(times))
    assert rate.tick() == pytest.approx(2)
    rates = [rate.tick() for _ in range(69)]
    assert rates[38] == pytest.approx(2) and rates[-1] == pytest.approx(10)


def test_colours_follow_the_boxes():
    colors, palette = ObjectColors(), instance_colors(3).tolist()
    assert colors(boxes((0, 0, 4, 4), (5, 5, 9, 9))).tolist() == palette[:2]
    # In another order, moved by a pixel, and with a new object.
    assert colors(boxes((5, 4, 9, 8), (0, 1, 4, 5), (0, 6, 2, 9))).tolist() == [
        palette[1], palette[0], palette[2]]


def test_colours_are_remembered_while_an_object_is_not_found_for_a_moment():
    colors = ObjectColors()
    first = colors(boxes((0, 0, 4, 4), (5, 5, 9, 9)))
    for _ in range(5):
        colors(boxes((0, 0, 4, 4)))
    assert colors(boxes((5, 5, 9, 9))).tolist() == first[1:].tolist()
    for _ in range(30):
        colors(boxes())
    assert colors(boxes((5, 5, 9, 9))).tolist() == first[:1].tolist()  # forgotten: the first free one
