"""scripts/predict.py on detectors: images, folders, lists and videos, also in YOLACT's words."""

import itertools
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from chainer_seg import save_model
from chainer_seg.datasets import CocoDataset, FiguresDataset, MovingShapes, ShapesDataset, write_coco
from chainer_seg.published_classes import COCO_NAMES
from chainer_seg.errors import UserError
from chainer_seg.images import read_image, write_image
from chainer_seg.instances import Instances
from chainer_seg.models.yolact import Yolact
from chainer_seg.video import VideoReader, write_video
from chainer_seg.visualization import overlay_detections
from tests.folders import names_in
from tests.scripts.fake_detector import FakeDetector
from tests.scripts.test_scripts import assert_user_error, call  # noqa: F401  a fixture

COMMAND = 'predict_instances'
CLASSES = ('ring', 'star')

# The ids of COCO's categories, as its annotation files have them.
COCO_IDS = [*range(1, 12), *range(13, 26), 27, 28, *range(31, 45), *range(46, 66), 67, 70,
            *range(72, 83), *range(84, 91)]


@pytest.fixture(scope='module')
def shapes():
    return ShapesDataset(3, seed=1, size=(72, 96), classes=CLASSES, crowd_probability=0)


@pytest.fixture
def model(shapes):
    return FakeDetector(shapes, class_names=CLASSES)


class Everything(FakeDetector):
    """Finds one star that fills the left half of any image."""

    def detect(self, image, **options):
        self.calls += 1
        if self.calls == self.interrupt_at:
            raise KeyboardInterrupt
        mask = np.zeros((1, *image.shape[:2]), bool)
        mask[:, :, :image.shape[1] // 2] = True
        return Instances(mask, labels=[1], scores=[0.75], class_names=CLASSES)


def frames_of(path):
    with VideoReader(path) as reader:
        return list(reader)


def test_each_image_gets_an_overlay_and_results(predict, model, shapes, images):
    text = predict(model, images / '1.png', images / '2.png', '--score', '0')
    assert names_in('out/predict') == ['1.json', '1_overlay.png', '2.json', '2_overlay.png']
    found = model.detect(shapes[1][0])
    assert '1.png: ' in text and f'{len(found)} ' in text
    results = json.loads(pathlib.Path('out/predict/1.json').read_text())
    assert {(each['image_id'], each['file_name']) for each in results} == {(1, '1.png')}
    assert [each['category_name'] for each in results] == [found.name(n) for n in range(len(found))]
    again = Instances.from_coco_results(results, (72, 96))
    assert np.array_equal(again.masks, found.masks) and np.array_equal(again.labels, found.labels)
    np.testing.assert_array_equal(read_image('out/predict/1_overlay.png'),
                                  overlay_detections(shapes[1][0], found))


@pytest.mark.parametrize('names, ids', [
    (('000000005802.jpg', '000000000009.png'), [5802, 9]),
    (('COCO_val2014_000000000042.jpg', '7.jpg'), [42, 7]),
    (('000000.jpg', '000001.jpg'), [1, 2]), (('a/1.jpg', 'b/1.jpg'), [1, 2]),
    (('5.jpg', 'dog.jpg'), [1, 2]), (('7_crop.jpg',), [1]), ((), [])])
def test_images_that_are_named_by_numbers_have_these_as_ids(command, names, ids):
    from chainer_seg.jobs.result_paths import image_ids
    assert image_ids([pathlib.Path(name) for name in names]) == ids


@pytest.mark.parametrize('class_names, origin, ids', [
    (COCO_NAMES, None, COCO_IDS), (('toothbrush', 'Stop sign', 'person'), None, [90, 13, 1]),
    (('person', 'hand'), None, [1, 2]), ((), None, [1, 2]),
    (('person', 'dog'), {'category_ids': [7, 3]}, [7, 3]),
    (('dog', 'person'), {'category_ids': [7]}, [18, 1]),
    (('dog', 'person'), {'category_ids': ['7', None]}, [18, 1]), (('dog', 'person'), 'x', [18, 1])])
def test_category_ids_are_those_of_the_data_set_or_of_coco(command, class_names, origin, ids):
    from chainer_seg.jobs.result_paths import category_ids
    model = FakeDetector(class_names=class_names)
    model.config['classes'], model.origin = len(ids), origin
    assert category_ids(model)[0] == ids


def test_results_are_evaluated_by_pycocotools_as_they_are(predict, shapes, tmp_path, capsys):
    """On a set of its own ids: what is found exactly has an AP of 1 where all ids are the set's."""
    path = write_coco(shapes, tmp_path / 'set', suffix='.png')
    content = json.loads(path.read_text())
    new = {category['id']: 10 * category['id'] + 3 for category in content['categories']}
    for category in content['categories']:
        category['id'] = new[category['id']]
    for annotation in content['annotations']:
        annotation['category_id'] = new[annotation['category_id']]
    path.write_text(json.dumps(content))
    dataset = CocoDataset(path, path.parent / 'images')
    model = FakeDetector(dataset, class_names=('star', 'ring'))
    ids = dict(zip(dataset.class_names, dataset.category_ids))
    model.origin = {'category_ids': [ids['star'], ids['ring']]}
    predict(model, path.parent / 'images', '--score', '0')
    results = [each for file in sorted(pathlib.Path('out/predict').glob('*.json'))
               for each in json.loads(file.read_text())]
    truth = COCO(str(path))
    evaluation = COCOeval(truth, truth.loadRes(results), 'segm')
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1)


def test_a_folder_and_a_list_are_taken(predict, model, images, tmp_path):
    (tmp_path / 'list.txt').write_text('images/2.png\n')
    predict(model, images, 'list.txt', '--out', 'o')
    assert len(names_in('o')) == 8 and (tmp_path / 'o' / '2_2_overlay.png').exists()


def test_yolacts_words_name_inputs_and_outputs(predict, model, images, tmp_path):
    predict(model, '--image', f'{images / "0.png"}:here/a.jpg', '--images', f'{images}:there')
    assert names_in('here') == ['a.jpg', 'a.json']
    assert names_in('there') == ['0.json', '0.png', '1.json', '1.png', '2.json', '2.png']
    assert not (tmp_path / 'out').exists()


def test_yolacts_words_without_outputs(predict, model, images):
    predict(model, '--image', images / '0.png')
    assert names_in('out/predict') == ['0.json', '0_overlay.png']


@pytest.mark.parametrize('arguments, expected', [
    (('--score', '0.6'), lambda found: found.scores >= 0.6),
    (('--score', '0', '--top_k', '1'), lambda found: np.arange(len(found)) == 0),
    (('--score', '0', '--classes', 'Star'), lambda found: found.labels == 1)])
def test_what_is_found_can_be_restricted(predict, model, shapes, images, arguments, expected):
    predict(model, images / '1.png', *arguments)
    found = model.detect(shapes[1][0])
    results = json.loads(pathlib.Path('out/predict/1.json').read_text())
    assert [each['score'] for each in results] == found.scores[expected(found)].tolist()


def test_the_best_of_the_wanted_classes_are_kept(predict, shapes, images):
    model = FakeDetector(shapes, class_names=CLASSES)
    number = max(range(3), key=lambda each: (shapes[each][1].labels == 1).sum())
    predict(model, images / f'{number}.png', '--score', '0', '--classes', 'star', '--top_k', '1')
    found = model.detect(shapes[number][0])
    results = json.loads(pathlib.Path(f'out/predict/{number}.json').read_text())
    assert [each['score'] for each in results] == [found.scores[found.labels == 1].max()]


def test_no_more_than_wanted_are_kept_where_scores_are_equal(predict, shapes, images):
    model = FakeDetector(shapes, class_names=CLASSES)
    model.answer = lambda truth, options: truth  # all with the score 1
    predict(model, images / '1.png', '--top_k', '2')
    assert len(json.loads(pathlib.Path('out/predict/1.json').read_text())) == 2


@pytest.mark.parametrize('arguments, drawing', [
    (('--contour',), {'contour': True}), (('--alpha', '0.1', '--background'), {'alpha': 0.1}),
    (('--hide', 'masks', 'labels', '--contour'), {'alpha': 0, 'labels': False, 'contour': True}),
    (('--hide', 'boxes'), {'boxes': False})])
def test_what_is_drawn_can_be_chosen(predict, model, shapes, images, arguments, drawing):
    predict(model, images / '1.png', '--score', '0', *arguments)
    np.testing.assert_array_equal(
        read_image('out/predict/1_overlay.png'),
        overlay_detections(shapes[1][0], model.detect(shapes[1][0]), **drawing))


def test_skeletons_are_drawn_and_written(predict, tmp_path):
    people = FiguresDataset(1, size=(96, 96))
    image, truth = people[0]
    write_image(tmp_path / 'a.png', image)
    model = FakeDetector(people, class_names=('person',), keypoints=17)
    predict(model, 'a.png')
    results = json.loads(pathlib.Path('out/predict/a.json').read_text())
    assert len(results[0]['keypoints']) == 51
    without = overlay_detections(image, model.detect(image), keypoints=False)
    assert (read_image('out/predict/a_overlay.png') != without).any()


def test_a_video_is_written_with_its_results(predict, video):
    text = predict(Everything(), video)
    assert '12 frames' in text and names_in('out/predict') == ['in.json', 'in_overlay.avi']
    with VideoReader('out/predict/in_overlay.avi') as reader:
        assert reader.fps == 10 and reader.count == 12
    results = json.loads(pathlib.Path('out/predict/in.json').read_text())
    assert [each['image_id'] for each in results] == list(range(12))
    # The left half is blended with a colour, the lower right corner is as it was.
    first, before = frames_of('out/predict/in_overlay.avi')[0], frames_of(video)[0]
    change = np.abs(first.astype(int) - before).mean(axis=2)
    assert change[30:44, 4:28].mean() > 20 > 8 > change[30:, 40:].mean()


def test_a_video_in_yolacts_words_of_so_many_frames(predict, video):
    predict(Everything(), '--video', f'{video}:found.webm', '--frames', '5', '--no-fps')
    assert len(frames_of('found.webm')) == 5
    assert len(json.loads(pathlib.Path('found.json').read_text())) == 5


def test_a_video_that_was_cut_short_ends_with_the_frames_it_has(predict, video):
    video.write_bytes(video.read_bytes()[:video.stat().st_size // 2])
    text = predict(Everything(), video)
    count = len(frames_of('out/predict/in_overlay.avi'))
    assert 1 < count < 11 and text.count('is truncated') == 1 and f'{count} frames; wrote' in text


def test_ctrl_c_keeps_the_frames_so_far(predict, video):
    with pytest.raises(KeyboardInterrupt, match='6 frames are in out/predict/in_overlay.avi'):
        predict(Everything(interrupt_at=7), video)
    assert len(frames_of('out/predict/in_overlay.avi')) == 6
    assert len(json.loads(pathlib.Path('out/predict/in.json').read_text())) == 6
    assert names_in('out/predict') == ['in.json', 'in_overlay.avi']


@pytest.mark.parametrize('arguments, sentence', [
    ((), 'There is nothing to do'), (('none.png',), 'There is no image none.png'),
    (('none.mp4',), 'There is no video none.mp4'), (('97',), 'There is no camera 97'),
    (('text.mp4',), 'cannot be decoded'), (('empty.avi',), 'is an empty file'),
    (('--video', 'in.avi:out.gif'), 'not a supported video format'),
    (('--video', 'in.avi:text.mp4/out.avi'), 'could not be written'),
    (('--video', 'in.avi'), 'must be between 0 and 1'), (('folder',), 'contains no images'),
    (('in.avi', '--classes', 'star', 'cat'), 'The model knows no cat; it knows ring, star'),
    (('in.avi', '--alpha', '3'), '--alpha must be between 0 and 1'),
    (('in.avi', '--suppression', 'fast'), '--suppression is for a YOLACT'),
    (('--image', 'images/0.png:out.xyz'), 'does not have the suffix of an image format'),
    (('images/0.png', '--show'), 'There is no display')])
def test_what_is_wrong_is_one_sentence(predict, model, video, images, tmp_path, monkeypatch,
                                       arguments, sentence):
    monkeypatch.setenv('MPLBACKEND', 'agg')
    (tmp_path / 'text.mp4').write_text('text' * 99)
    (tmp_path / 'empty.avi').write_text('')
    (tmp_path / 'folder').mkdir()
    more = ('--score', '2') if 'between' in sentence else ()
    with pytest.raises(UserError, match=sentence) as error:
        predict(model, *arguments, *more)
    assert '\n' not in str(error.value) and not list(tmp_path.glob('out/predict/*'))


@pytest.fixture
def model_path(tmp_path):
    model = Yolact(classes=2, blocks=(1, 1, 1, 1), width=4, fpn_channels=8, image_size=64)
    model.class_names = CLASSES
    save_model(tmp_path / 'm.npz', model)
    return tmp_path / 'm.npz'


@pytest.mark.slow
def test_the_script_uses_a_model_file(call, model_path, images, video):  # noqa: F811
    result = call('predict', model_path, images / '0.png', video, '--score', '0')
    assert result.returncode == 0, result.stderr
    assert 'wrote out/predict/in_overlay.avi' in result.stdout and '12/12' in result.stderr
    assert_user_error(call('predict', model_path, 'none.mp4', '-q'), 'There is no video none.mp4')


@pytest.mark.slow
@pytest.mark.skipif(os.name == 'nt', reason='signals are sent another way there')
def test_the_script_is_interrupted_in_a_long_video(repository, model_path, tmp_path):
    drawn = MovingShapes(40, size=(48, 64))
    frames = [drawn[number][0] for number in range(40)]
    write_video(tmp_path / 'long.avi', itertools.islice(itertools.cycle(frames), 4000))
    with subprocess.Popen(
            [sys.executable, repository / 'scripts' / 'predict.py', model_path, 'long.avi'], text=True,
            cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        deadline = time.time() + 120
        while time.time() < deadline and not any(
                path.stat().st_size > 60_000 for path in tmp_path.glob('out/predict/.long_overlay*')):
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 130 and 'Traceback' not in errors, errors
    count = len(frames_of(tmp_path / 'out' / 'predict' / 'long_overlay.avi'))
    assert 0 < count < 4000
    assert f'interrupted: {count} frames are in out/predict/long_overlay.avi' in errors
