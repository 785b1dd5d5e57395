"""Evaluations as a notebook calls them: the figures are those of the plain functions, in one part or two."""

import numpy as np
import pytest

from chainer_seg.datasets import SemanticDataset, ShapesDataset
from chainer_seg.errors import DatasetError, ImageError
from chainer_seg.evaluation import evaluate_coco, evaluate_semantic, number_of_clicks
from chainer_seg.jobs import evaluate_click_model, evaluate_detector, evaluate_segmenter
from tests.folders import kept, names_in
from tests.scripts.fake_detector import FakeDetector
from tests.scripts.fake_segmenter import FakeSegmenter


@pytest.fixture(scope='module')
def shapes():
    return ShapesDataset(5, seed=3, size=(48, 64), diameters=(0.3, 0.8))


def detector(dataset, **options):
    return FakeDetector(dataset, shift=1, class_names=dataset.class_names, **options)


def test_a_detector_has_the_figures_of_the_plain_function(shapes):
    figures = evaluate_detector(detector(shapes), shapes, progress=False).summary()
    assert figures == pytest.approx(evaluate_coco(detector(shapes), shapes), nan_ok=True)


def test_a_detector_is_evaluated_in_two_parts_as_in_one(shapes, tmp_path):
    with pytest.raises(KeyboardInterrupt, match='2 of 5 images are done'):
        evaluate_detector(detector(shapes, interrupt_at=3), shapes, folder=tmp_path, progress=False)
    assert len(kept(tmp_path / 'results.sqlite')[1]) == 2
    rest = detector(shapes)
    figures = evaluate_detector(rest, shapes, folder=tmp_path, progress=False).summary()
    assert rest.calls == 3
    assert figures == pytest.approx(evaluate_detector(detector(shapes), shapes, progress=False).summary(),
                                    nan_ok=True)
    assert names_in(tmp_path) == ['bbox.json', 'results.sqlite', 'segm.json', 'settings.json']


def test_a_synthetic_image_is_made_once(shapes, monkeypatch):
    model, draw, drawn = detector(shapes), ShapesDataset._draw, []
    monkeypatch.setattr(ShapesDataset, '_draw', lambda self, rng: drawn.append(1) or draw(self, rng))
    evaluate_detector(model, shapes, progress=False)
    assert len(drawn) == 5 + 1  # The first truth says which kinds can be measured.


def test_images_that_cannot_be_used_are_not_measured(shapes):
    errors, model = {}, detector(shapes)
    known, detect = shapes[2][0].tobytes(), model.detect

    def failing(image, **options):
        if image.tobytes() == known:
            raise ImageError('The image is damaged.')
        return detect(image, **options)
    model.detect = failing
    evaluator = evaluate_detector(model, shapes, progress=False, on_error=errors.__setitem__)
    assert len(evaluator) == 4 and list(errors) == [2]


def test_a_segmenter_is_evaluated_in_two_parts_as_by_the_plain_function(shapes, tmp_path):
    dataset = SemanticDataset(shapes)
    with pytest.raises(KeyboardInterrupt, match='2 of 5 images are done'):
        evaluate_segmenter(FakeSegmenter(dataset, shift=2, interrupt_at=3), dataset, folder=tmp_path,
                           progress=False)
    assert names_in(tmp_path) == ['results.sqlite']
    found = evaluate_segmenter(FakeSegmenter(dataset, shift=2), dataset, folder=tmp_path, progress=False)
    expected = evaluate_semantic(FakeSegmenter(dataset, shift=2), dataset)
    assert found.summary() == pytest.approx(expected, nan_ok=True)
    assert names_in(tmp_path) == [*(f'{number:06d}.png' for number in range(5)), 'results.sqlite',
                                  'settings.json']


class Disc:
    """Takes the discs around positive clicks for the object."""

    def session(self, image):
        self.mask = np.zeros(image.shape[:2], bool)
        return self

    def reset(self):
        self.mask = np.zeros_like(self.mask)

    def add(self, click):
        rows, columns = np.mgrid[:self.mask.shape[0], :self.mask.shape[1]]
        disc = (rows - click.y) ** 2 + (columns - click.x) ** 2 <= 16
        self.mask = self.mask | disc if click.positive else self.mask & ~disc


class Interrupted(Disc):
    """A session that Ctrl-C ends at the second image."""

    left = 1

    def session(self, image):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return super().session(image)


def test_clicks_are_evaluated_in_two_parts_as_by_the_plain_function(shapes, tmp_path):
    options = {'least_area': 20, 'max_objects': 6}
    whole = number_of_clicks(Disc(), shapes, (0.8,), 4, **options)
    with pytest.raises(KeyboardInterrupt, match='of 5 images are done'):
        evaluate_click_model(Interrupted(), shapes, (0.8,), 4, method={'name': 'disc'}, folder=tmp_path,
                             progress=False, **options)
    done = kept(tmp_path / 'results.sqlite')[1]
    found = evaluate_click_model(Disc(), shapes, (0.8,), 4, method={'name': 'disc'}, folder=tmp_path,
                                 progress=False, **options)
    assert 0 < len(done) < len(kept(tmp_path / 'results.sqlite')[1])
    np.testing.assert_array_equal(found.ious, whole.ious)
    np.testing.assert_array_equal(found.labels, whole.labels)


def test_another_method_is_refused(shapes, tmp_path):
    options = {'folder': tmp_path, 'progress': False, 'least_area': 20}
    evaluate_click_model(Disc(), shapes, (0.8,), 2, method={'name': 'disc'}, **options)
    with pytest.raises(DatasetError, match='other settings .name is disc there and square here'):
        evaluate_click_model(Disc(), shapes, (0.8,), 2, method={'name': 'square'}, **options)
