"""The CRF explorer from Python's side: what its sliders and presets compute and tell."""

import dataclasses

import numpy as np
import pytest

pytest.importorskip('anywidget')

import ipywidgets  # noqa: E402

from chainer_seg.errors import DatasetError, ImageError, ModelFileError, UserError  # noqa: E402
from chainer_seg.models.deeplab.dense_crf import (  # noqa: E402
    PRESETS,
    CrfParameters,
    semantic_crf,
)
from chainer_seg.widgets import CrfExplorer  # noqa: E402

from .saved_views import decode_saved  # noqa: E402

OWN = CrfParameters(2, 3, 5, 20, 10, 4)


class Halves:
    """A model that is unsure, in noise, whether a pixel is of the left or of the right half."""

    class_names = ('background', 'left', 'right')
    longest_side = 40

    def probabilities(self, image, noise=0.4):
        height, width = image.shape[:2]
        found = np.full((3, height, width), 0.02, np.float32)
        found[1, :, :width // 2] = found[2, :, width // 2:] = 0.6
        found += np.random.default_rng(0).uniform(0, noise, found.shape).astype(np.float32)
        return found / found.sum(axis=0)


@pytest.fixture
def image():
    image = np.zeros((30, 40, 3), np.uint8)
    image[:, 20:] = 200
    return image


@pytest.fixture
def truth():
    return np.repeat([[1] * 20 + [2] * 20], 30, axis=0)


@pytest.fixture
def explorer(image, truth):
    return CrfExplorer(image, Halves(), truth, longest_side=40, noise=1.2)


def sliders(explorer):
    return {each.description: each for each in explorer.children[2].children
            if not isinstance(each, ipywidgets.Dropdown)}


def preset(explorer):
    return explorer.children[2].children[0]


def expected(explorer, parameters):
    return semantic_crf(explorer.image, explorer.before, preset=parameters)


def test_the_initial_parameters_are_those_of_deeplab(explorer):
    assert explorer.parameters == PRESETS['deeplab'] and preset(explorer).value == 'deeplab'
    np.testing.assert_array_equal(explorer.before, Halves().probabilities(explorer.image, 1.2))
    np.testing.assert_array_equal(explorer.after, expected(explorer, 'deeplab'))


def test_a_slider_recomputes_the_crf(explorer):
    sliders(explorer)['Iterations'].value = 2
    wanted = dataclasses.replace(PRESETS['deeplab'], steps=2)
    assert explorer.parameters == wanted and preset(explorer).value == 'custom'
    np.testing.assert_array_equal(explorer.after, expected(explorer, wanted))


def test_a_preset_sets_all_sliders(explorer):
    preset(explorer).value = 'tensorflow'
    assert explorer.parameters == PRESETS['tensorflow']
    np.testing.assert_array_equal(explorer.after, expected(explorer, 'tensorflow'))
    assert [slider.value for slider in sliders(explorer).values()] == [3, 9, 10, 40, 17, 10]


def test_parameters_can_be_given_and_set(image, explorer):
    assert CrfExplorer(image, Halves(), preset=OWN).parameters == OWN
    explorer.parameters = dataclasses.replace(OWN, colour_xy=400)  # beyond the end of its slider
    assert explorer.parameters.colour_xy == 400
    np.testing.assert_array_equal(
        explorer.after, expected(explorer, dataclasses.replace(OWN, colour_xy=400)))
    with pytest.raises(UserError):
        explorer.parameters = 'no such preset'


def test_mean_iou_is_reported_before_and_after(explorer, truth):
    def miou(labels):
        ious = [((labels == c) & (truth == c)).sum() / ((labels == c) | (truth == c)).sum()
                for c in (0, 1, 2) if ((labels == c) | (truth == c)).any()]
        return 100 * np.mean(ious)

    before, after = miou(explorer.before.argmax(axis=0)), miou(explorer.labels)
    changed = 100 * (explorer.before.argmax(axis=0) != explorer.labels).mean()
    assert after > before
    assert explorer.message == (f'The CRF changes the class of {changed:.1f} % of the pixels. '
                                f'Mean IoU: {before:.1f} before, {after:.1f} after.')


def test_without_ground_truth_no_iou_is_reported(image):
    assert 'IoU' not in CrfExplorer(image, Halves()).message


def test_a_large_image_is_shrunk_for_the_model_and_its_labels_are_not(image, truth):
    large = np.kron(image, np.ones((4, 4, 1), np.uint8))
    explorer = CrfExplorer(large, Halves(), np.kron(truth, np.ones((4, 4), int)))
    assert explorer.before.shape == explorer.after.shape == (3, 30, 40)
    assert explorer.labels.shape == (120, 160) and explorer.labels.dtype == np.int32
    assert (explorer.labels[:, :70] == 1).all() and (explorer.labels[:, 90:] == 2).all()


def test_the_snapshot_shows_both_side_by_side(explorer):
    pixels = explorer.snapshot()
    assert pixels.shape == (30, 40 + 6 + 40, 3) and (pixels[:, 40:46] == 255).all()
    changed = explorer.before.argmax(axis=0) != explorer.labels
    differs = (pixels[:, :40] != pixels[:, 46:]).any(axis=2)
    assert changed.any() and differs[15:][changed[15:]].all()  # a legend lies above
    assert decode_saved(explorer).shape == pixels.shape


def test_invalid_input_is_an_error(image):
    with pytest.raises(DatasetError, match=r'shape \(3, 4\), but the image has \(30, 40\)'):
        CrfExplorer(image, Halves(), np.zeros((3, 4), int))
    with pytest.raises(ImageError):
        CrfExplorer(np.zeros((2, 3, 4, 5)), Halves())
    with pytest.raises(ModelFileError):
        CrfExplorer(image, 'no-such-model')


def test_an_error_while_computing_is_shown_below_the_images(explorer, monkeypatch):
    def fail(*args, **options):
        raise UserError('Too small.')

    monkeypatch.setattr('chainer_seg.widgets.crf_explorer.semantic_crf', fail)
    sliders(explorer)['Iterations'].value = 3
    assert explorer.message == 'Too small.'
    assert repr(explorer).startswith('CrfExplorer(30x40 image, CrfParameters(smooth_weight=3')
