"""From an image to the classes of its pixels: the steps, the options, images of all kinds."""

import chainer
import numpy as np
import pytest
from chainercv.extensions import SemanticSegmentationEvaluator
from PIL import Image

from chainer_seg.errors import ImageError, UserError
from chainer_seg.images import resize
from chainer_seg.model_file import load_model, save_model
from chainer_seg.models.deeplab import DeepLab
from chainer_seg.models.deeplab.dense_crf import PRESETS, CrfParameters, semantic_crf
from chainer_seg.models.deeplab.preparation import network_image
from converters import convert
from converters.deeplab import VOC_CLASSES

PUBLISHED_SCALES = (1, 0.75, 0.5)


def enlarged(planes, size):
    """Planes (C, h, w) linearly between their corners, column by column and row by row."""
    for axis, wanted in ((1, size[0]), (2, size[1])):
        there = np.arange(planes.shape[axis])
        places = np.linspace(0, there[-1], wanted)
        planes = np.apply_along_axis(lambda line: np.interp(places, there, line), axis, planes)  # noqa: B023
    return planes


@pytest.fixture(scope='module')
def model():
    """A random network whose classes are sure enough to differ from place to place."""
    model = DeepLab(4, blocks=(1, 1, 1, 1), width=4, pyramid=(1, 2), longest_side=64)
    for branch in model.pyramid.children():
        branch.W.array *= 20
    return model


@pytest.fixture
def image(rng):
    """(48, 57, 3): its sides are no multiples of eight and one more."""
    return resize(rng.integers(0, 256, (7, 8, 3), np.uint8), (48, 57))


def logits_of(model, x):
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        return model.forward(x[None]).array[0]


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=0))
    return powers / powers.sum(axis=0)


def test_probabilities_at_every_eighth_pixel_are_the_softmax_of_the_logits(model, image):
    found = model.probabilities(image)
    assert found.shape == (4, 48, 57) and found.dtype == np.float32
    padded = np.pad(network_image(image), ((0, 0), (0, 1), (0, 0)))
    expected = softmax(logits_of(model, padded))
    np.testing.assert_allclose(found[:, ::8, ::8], expected[:, :6], atol=1e-5)


def test_logits_are_interpolated_between_positions(model, image):
    logits = logits_of(model, np.pad(network_image(image), ((0, 0), (0, 1), (0, 0))))
    middle = softmax(0.25 * logits[:, 2, 3] + 0.25 * logits[:, 2, 4]
                     + 0.25 * logits[:, 3, 3] + 0.25 * logits[:, 3, 4])
    np.testing.assert_allclose(model.probabilities(image)[:, 20, 28], middle, atol=1e-5)


def test_labels_are_the_most_probable_classes(model, image):
    labels = model.segment(image)
    assert labels.dtype == np.int32 and len(np.unique(labels)) > 1
    np.testing.assert_array_equal(labels, model.probabilities(image).argmax(axis=0))


def test_a_mirrored_image_has_mirrored_probabilities(model, rng):
    image = rng.integers(0, 256, (41, 57, 3), np.uint8)
    plain, mirrored = model.probabilities(image), model.probabilities(image[:, ::-1])
    expected = (plain + mirrored[:, :, ::-1]) / 2
    found = model.probabilities(image, mirror=True)
    assert np.abs(plain - expected).max() > 0.01
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_several_scales_are_fused_by_their_maximum(model, rng):
    image = rng.integers(0, 256, (33, 65, 3), np.uint8)
    x = network_image(image)
    # With corners on corners, every second pixel is the image at half its size.
    half = enlarged(logits_of(model, x[:, ::2, ::2]), (5, 9))
    whole = logits_of(model, x)
    assert 0 < (half > whole).mean() < 1
    found = model.probabilities(image, scales=(1, 0.5), longest_side=65)
    np.testing.assert_allclose(found[:, ::8, ::8], softmax(np.maximum(whole, half)), atol=1e-5)


def test_a_large_image_is_shrunk_and_its_probabilities_enlarged(model, rng):
    image = resize(rng.integers(0, 256, (9, 16, 3), np.uint8), (144, 256))
    small = model.probabilities(resize(image, (36, 64)))
    expected = np.stack([resize(plane, (144, 256)) for plane in small])
    found = model.probabilities(image)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_array_equal(model.segment(image), found.argmax(axis=0))
    assert not np.array_equal(found, model.probabilities(image, longest_side=128))


def test_the_model_file_stores_the_longest_side(model, image, tmp_path):
    model.class_names = ('background', 'a', 'b', 'c')
    save_model(tmp_path / 'm.npz', model)
    again = load_model(tmp_path / 'm.npz')
    assert again.longest_side == 64 and again.class_names == model.class_names
    np.testing.assert_array_equal(again.probabilities(image), model.probabilities(image))


@pytest.mark.parametrize('preset', [*PRESETS, CrfParameters(2, 2, 3, 20, 10, 2)])
def test_refinement_is_a_dense_crf_of_the_shrunk_image(model, rng, preset):
    image = resize(rng.integers(0, 256, (6, 8, 3), np.uint8), (96, 128))
    small = resize(image, (48, 64))
    expected = semantic_crf(small, model.probabilities(small), preset=preset)
    found = model.probabilities(image, refinement=preset)
    np.testing.assert_allclose(
        found, np.stack([resize(plane, (96, 128)) for plane in expected]), atol=1e-6)
    np.testing.assert_array_equal(model.segment(image, refinement=preset), found.argmax(axis=0))


def test_a_function_is_accepted_as_refinement(model, image):
    found = model.probabilities(image, refinement=lambda image, given: given[::-1])
    np.testing.assert_array_equal(found, model.probabilities(image)[::-1])


@pytest.mark.parametrize('size', [(1, 1), (1, 200), (300, 2), (9, 8)])
@pytest.mark.parametrize('options', [{}, {'scales': PUBLISHED_SCALES, 'mirror': True,
                                          'refinement': 'deeplab'}])
def test_images_of_all_sizes_are_segmented(model, rng, size, options):
    found = model.probabilities(rng.integers(0, 256, (*size, 3), np.uint8), **options)
    assert found.shape == (4, *size)
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-4)


def test_a_photograph_of_twenty_megapixels_is_segmented(model):
    labels = model.segment(np.zeros((3648, 5472, 3), np.uint8), mirror=True)
    assert labels.shape == (3648, 5472)


@pytest.mark.parametrize('mode', ['L', 'RGBA', '1', 'P', 'I;16'])
def test_all_image_types_are_segmented(model, image, mode):
    given = Image.fromarray(image).convert('L' if mode == 'I;16' else mode).convert(mode)
    expected = given.convert('RGB') if mode != 'I;16' else None
    labels = model.segment(given)
    assert labels.shape == (48, 57)
    if expected is not None:
        np.testing.assert_array_equal(labels, model.segment(np.array(expected)))


def test_running_statistics_and_the_training_mode_are_unchanged(model, image):
    before = model.resnet.stem.norm.avg_mean.copy()
    with chainer.using_config('train', True):
        model.segment(image)
        assert chainer.config.train
    np.testing.assert_array_equal(model.resnet.stem.norm.avg_mean, before)


@pytest.mark.parametrize('size', [(24, 30), (3, 3), (30, 3), (4, 2)])
def test_predict_accepts_images_of_chainercv_even_if_small_or_dark(model, rng, size):
    images = [rng.integers(0, 256, (*size, 3), np.uint8), rng.integers(0, 2, (*size, 3), np.uint8)]
    found = model.predict([image.transpose(2, 0, 1).astype(np.float32) for image in images])
    for labels, image in zip(found, images, strict=True):
        assert labels.dtype == np.int32
        np.testing.assert_array_equal(labels, model.segment(image))


def test_chainercv_evaluates_the_model(model, rng):
    images = [rng.integers(0, 256, (3, 20, 30)).astype(np.float32) for _ in range(3)]
    truths = model.predict(images)
    truths[0][:10] = 3 - truths[0][:10]
    truths[1][:5] = -1
    iterator = chainer.iterators.SerialIterator(
        list(zip(images, truths)), 2, repeat=False, shuffle=False)
    observation = SemanticSegmentationEvaluator(iterator, model)()
    counted = 600 + 450 + 600
    assert observation['main/pixel_accuracy'] == pytest.approx(1 - 300 / counted)


@pytest.mark.parametrize('scales', [(), (0,), (1, -0.5), (float('inf'),), (float('nan'),)])
def test_invalid_scales_are_an_error(model, image, scales):
    with pytest.raises(UserError, match='Scales must be positive'):
        model.segment(image, scales=scales)


def test_an_unknown_refinement_is_an_error(model, image):
    with pytest.raises(UserError, match="Unknown CRF parameters 'graphcut'; choose from tensorflow, deeplab"):
        model.segment(image, refinement='graphcut')


def test_anything_but_an_image_is_an_error(model):
    with pytest.raises(ImageError, match='is not an image'):
        model.segment(np.zeros((2, 3, 4, 5)))


def test_probabilities_equal_those_of_logits_recorded_with_caffe(shared_data):
    folder = shared_data / 'formats' / 'caffe'
    model = convert(folder / 'deeplab_r101_b5.caffemodel')
    recorded = np.load(folder / 'deeplab_r101_b5.npz')
    x, logits = recorded['in0'], recorded['out0/fc1_voc12']
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        found = model.decode(model.forward(x), x).array
    assert model.class_names == VOC_CLASSES and found.shape == (1, 21, *x.shape[2:])
    np.testing.assert_allclose(found[0, :, ::8, ::8], softmax(logits[0]), atol=1e-4)
