"""Predictions saved from Python: the files that each kind of result becomes."""

import json

import numpy as np
import pytest

from chainer_seg.images import read_image, write_image
from chainer_seg.instances import Instances
from chainer_seg.jobs import (
    image_inputs, predict, save_instance_video, save_instances, save_label_video, save_labels)
from chainer_seg.jobs.prediction import Input
from chainer_seg.label_images import read_label_image
from chainer_seg.video import VideoReader, write_video
from tests.folders import names_in

LEFT = np.zeros((1, 24, 32), bool)
LEFT[:, :, :8] = True
FOUND = Instances(LEFT, labels=[1], scores=[0.5], class_names=('cat', 'dog'))


@pytest.fixture
def image(tmp_path):
    write_image(tmp_path / '7.png', np.full((24, 32, 3), 100, np.uint8))
    return tmp_path / '7.png'


@pytest.fixture
def video(tmp_path):
    """Three frames, and where their results go."""
    path = tmp_path / 'in.mp4'
    write_video(path, np.full((3, 24, 32, 3), 100, np.uint8), fps=5)
    return Input(path, True, tmp_path / 'out.mp4', tmp_path / 'out.json')


def test_objects_become_an_overlay_and_coco_results(image, tmp_path):
    def save(each):
        save_instances(each, read_image(each.source), FOUND, [17, 18])

    predict(image_inputs([image], tmp_path / 'out'), save, {}, progress=False)
    result, = json.loads((tmp_path / 'out' / '7.json').read_text())
    assert (result['image_id'], result['category_id'], result['category_name']) == (7, 18, 'dog')
    assert (result['file_name'], result['bbox']) == ('7.png', [0, 0, 8, 24])
    drawn = read_image(tmp_path / 'out' / '7_overlay.png') != 100
    assert drawn[10, :8].any() and not drawn[22, 20:].any()


def test_classes_become_a_label_image_and_their_shares(image, tmp_path):
    each, = image_inputs([image], tmp_path / 'out')
    save_labels(each, read_image(image), LEFT[0].astype(np.int32), ('ground', 'cat'))
    np.testing.assert_array_equal(read_label_image(tmp_path / 'out' / '7_labels.png'), LEFT[0])
    assert json.loads(each.results.read_text()) == {'image': '7.png', 'shares': {'ground': 0.75, 'cat': 0.25}}
    assert names_in(tmp_path / 'out') == ['7.json', '7_labels.png', '7_overlay.png']


def test_the_objects_of_a_video_have_the_number_of_their_frame(video):
    shown = []
    save_instance_video(video, lambda frame: FOUND, frames=2, progress=False, on_overlay=shown.append)
    results = json.loads(video.results.read_text())
    assert [(result['image_id'], result['category_id']) for result in results] == [(0, 2), (1, 2)]
    with VideoReader(video.overlay) as frames:
        assert len(list(frames)) == len(shown) == 2


def test_an_interrupted_video_keeps_its_frames(video):
    seen = []

    def segment(frame):
        seen.append(frame)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return LEFT[0].astype(np.int32)

    with pytest.raises(KeyboardInterrupt, match='2 frames are in'):
        save_label_video(video, segment, ('ground', 'cat'), progress=False)
    assert [each['frame'] for each in json.loads(video.results.read_text())] == [0, 1]
    with VideoReader(video.overlay) as frames:
        assert len(list(frames)) == 2
