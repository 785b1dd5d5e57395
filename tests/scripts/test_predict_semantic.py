"""scripts/predict.py on a DeepLab: images, folders, lists and videos, and all that is written."""

import json
import pathlib

import numpy as np
import pytest
from PIL import Image

from chainer_seg import load_model, save_model
from chainer_seg.datasets import SemanticDataset, ShapesDataset
from chainer_seg.errors import UserError
from chainer_seg.images import read_image
from chainer_seg.models.deeplab import DeepLab
from chainer_seg.video import VideoReader
from chainer_seg.visualization import overlay_labels
from tests.folders import names_in
from tests.scripts.fake_segmenter import FakeSegmenter

COMMAND = 'predict_semantic'
CLASSES = ('ring', 'star')


@pytest.fixture(scope='module')
def shapes():
    return SemanticDataset(ShapesDataset(3, seed=1, size=(48, 64), classes=CLASSES,
                                         crowd_probability=0))


@pytest.fixture
def model(shapes):
    return FakeSegmenter(shapes)


class Halves(FakeSegmenter):
    """Finds a ring in the left half of any image."""

    def segment(self, image, **options):
        self.calls += 1
        if self.calls == self.interrupt_at:
            raise KeyboardInterrupt
        labels = np.zeros(image.shape[:2], np.int32)
        labels[:, :image.shape[1] // 2] = 1
        return labels


def test_each_image_gets_labels_an_overlay_and_shares(predict, model, shapes, images):
    text = predict(model, images / '1.png', images / '2.png')
    assert names_in('out/predict') == [f'{number}{end}' for number in (1, 2) for end in (
        '.json', '_labels.png', '_overlay.png')]
    image, labels = shapes[1]
    written = Image.open('out/predict/1_labels.png')
    assert written.mode == 'P'
    np.testing.assert_array_equal(written, labels)
    np.testing.assert_array_equal(read_image('out/predict/1_overlay.png'),
                                  overlay_labels(image, labels, shapes.class_names))
    shares = json.loads(pathlib.Path('out/predict/1.json').read_text())['shares']
    expected = {name: (labels == label).mean() for label, name in enumerate(shapes.class_names)
                if (labels == label).any()}
    assert shares == pytest.approx(expected, abs=1e-6)
    assert list(shares.values()) == sorted(shares.values(), reverse=True)
    assert f'background {100 * shares["background"]:.1f}%' in text and 'wrote' in text


def test_a_folder_and_a_list_are_taken(predict, model, images, tmp_path):
    (tmp_path / 'list.txt').write_text('images/2.png\n')
    predict(model, images, 'list.txt', '--out', 'o')
    assert len(names_in('o')) == 12 and (tmp_path / 'o' / '2_2_labels.png').exists()


def test_labels_for_the_server_have_the_names_of_the_images(predict, model, shapes, images):
    predict(model, images, '--save-labels', 'comp6')
    assert names_in('comp6') == ['0.png', '1.png', '2.png']
    np.testing.assert_array_equal(Image.open('comp6/2.png'), shapes[2][1])
    assert '2_labels.png' not in names_in('out/predict')


def test_probabilities_are_written_on_request(predict, model, shapes, images):
    predict(model, images / '0.png', '--probabilities')
    with np.load('out/predict/0_probabilities.npz') as written:
        assert written['class_names'].tolist() == ['background', *CLASSES]
        np.testing.assert_array_equal(written['probabilities'].argmax(axis=0), shapes[0][1])
    np.testing.assert_array_equal(Image.open('out/predict/0_labels.png'), shapes[0][1])


@pytest.mark.parametrize('arguments, drawing', [
    (('--alpha', '0.2'), {'alpha': 0.2}), (('--no-legend',), {'legend': False})])
def test_what_is_drawn_can_be_chosen(predict, model, shapes, images, arguments, drawing):
    predict(model, images / '1.png', *arguments)
    np.testing.assert_array_equal(read_image('out/predict/1_overlay.png'),
                                  overlay_labels(*shapes[1], shapes.class_names, **drawing))


def test_options_reach_the_model(predict, model, images):
    predict(model, images / '0.png', '--msc', '--mirror', '--crf', 'tensorflow,steps=5')
    crf = model.options['refinement']
    assert model.options['scales'] == (1, 0.75, 0.5) and model.options['mirror']
    assert (crf.colour_weight, crf.colour_xy, crf.steps) == (10, 40, 5)


def test_a_model_without_names_counts_its_classes(predict, shapes, images):
    model = FakeSegmenter(shapes)
    model.class_names = ()
    predict(model, images / '0.png')
    shares = json.loads(pathlib.Path('out/predict/0.json').read_text())['shares']
    assert set(shares) <= {'0', '1', '2'} and '0' in shares


def test_a_video_is_written_with_its_shares(predict, shapes, video):
    text = predict(Halves(shapes), video, '--frames', '6')
    with VideoReader('out/predict/in_overlay.avi') as reader:
        frames = list(reader)
    assert len(frames) == 6 and '6 frames' in text
    results = json.loads(pathlib.Path('out/predict/in.json').read_text())
    assert results == [{'frame': number, 'shares': {'background': 0.5, 'ring': 0.5}}
                       for number in range(6)]
    left, right = frames[0][24:, :30].mean(axis=(0, 1)), frames[0][24:, 34:].mean(axis=(0, 1))
    assert left[0] > 80 > left[2] and (np.abs(right - right.mean()) < 60).all()


def test_ctrl_c_ends_a_video_at_its_frame(predict, shapes, video):
    with pytest.raises(KeyboardInterrupt, match=r'3 frames are in out.predict.in_overlay.avi and'):
        predict(Halves(shapes, interrupt_at=4), video)
    with VideoReader('out/predict/in_overlay.avi') as reader:
        assert len(list(reader)) == 3
    assert len(json.loads(pathlib.Path('out/predict/in.json').read_text())) == 3


@pytest.mark.parametrize('arguments, sentence', [
    (('images', '--alpha', '2'), '--alpha must be between 0 and 1'),
    ((), 'There is nothing to do'), (('nothing.png',), 'There is no image nothing.png')])
def test_what_cannot_be_done_is_one_sentence(predict, model, images, arguments, sentence):
    with pytest.raises(UserError, match=sentence):
        predict(model, *arguments)


def test_the_script_segments_with_a_model_file(call_here, images, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = DeepLab(3, blocks=(1, 1, 1, 1), width=2, pyramid=(1, 2))
    model.class_names = ('background', *CLASSES)
    save_model('m.npz', model)
    status, output, errors = call_here('predict.py', 'm.npz', 'images/0.png', '--msc', '--mirror',
                                       '--crf', 'deeplab')
    assert status == 0, errors
    assert 'wrote out/predict/0_labels.png' in output
    labels = load_model('m.npz').segment(images / '0.png', scales=(1, 0.75, 0.5), mirror=True,
                                         refinement='deeplab')
    np.testing.assert_array_equal(Image.open('out/predict/0_labels.png'), labels)


@pytest.mark.parametrize('arguments, sentence', [
    (('m.npz',), 'cannot be read'),
    (('images/0.png', '--crf', 'caffe'), "'caffe' is neither tensorflow nor deeplab"),
    (('images/0.png', '--crf', 'deeplab,colour_xy=0'), 'deviations must be above 0')])
def test_the_script_ends_with_status_2_where_an_input_is_wrong(call_here, images, tmp_path,
                                                              monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    save_model('m.npz', DeepLab(3, blocks=(1, 1, 1, 1), width=2, pyramid=(1, 2)))
    status, _, errors = call_here('predict.py', 'm.npz', *arguments)
    assert status == 2 and sentence in errors and 'Traceback' not in errors
