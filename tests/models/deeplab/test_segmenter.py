import chainer
import numpy as np
import pytest

from chainer_seg.errors import ImageError
from chainer_seg.models.deeplab import Click, ClickSegmenter
from chainer_seg.models.deeplab.preparation import CAFFE_MEAN_BGR


@pytest.fixture(scope='module')
def model():
    return ClickSegmenter(blocks=(1, 1, 1, 1), width=4, longest_side=64)


@pytest.fixture
def image(rng):
    return rng.integers(0, 256, (40, 60, 3), np.uint8)


def test_input_is_bgr_minus_the_mean_and_two_click_maps(model, image):
    x = model.prepare(image, [Click(5, 7), Click(1, 2, False)])[0]
    assert x.shape == (5, 40, 60) and x.dtype == np.float32
    assert x[0, 3, 4] == pytest.approx(image[3, 4, 2] - CAFFE_MEAN_BGR[0], abs=1e-4)
    assert x[2, 3, 4] == pytest.approx(image[3, 4, 0] - CAFFE_MEAN_BGR[2], abs=1e-4)
    assert x[3, 5, 7] == 0 and x[3, 5, 10] == 3 and x[4, 1, 2] == 0


def test_clicks_are_scaled_with_a_shrunk_image(model):
    # 128 pixels are shrunk to 64: the pixels 20 and 21 become pixel 10, whose centre is at 20.5.
    x = model.prepare(np.zeros((128, 128, 3), np.uint8), [Click(20.5, 41.0)])[0]
    assert x.shape == (5, 64, 64)
    assert x[3, 10, 20] == pytest.approx(0.25)


def test_mask_input_is_the_sixth_channel(image):
    seeing = ClickSegmenter(blocks=(1, 1, 1, 1), width=4, longest_side=64, mask_input=True)
    previous = np.zeros((40, 60), np.float32)
    previous[10:20] = 1
    x = seeing.prepare(image, [Click(5, 7)], previous)[0]
    assert x.shape == (6, 40, 60)
    assert (x[5, 10:20] == 127.5).all() and (x[5, 20:] == -127.5).all()
    assert (seeing.prepare(image, [Click(5, 7)])[0, 5] == -127.5).all()


def test_disk_encoding_draws_disks_around_the_clicks(image):
    model = ClickSegmenter(blocks=(1, 1, 1, 1), width=4, longest_side=64, click_encoding='disk',
                           click_radius=3, click_mean=100)
    x = model.prepare(image, [Click(5, 7), Click(20, 30, False)])[0]
    assert x.shape == (5, 40, 60)
    assert x[3, 5, 10] == -100 and x[3, 5, 11] == 155 and x[4, 23, 30] == -100 and x[4, 5, 7] == 155


def test_unknown_click_encodings_are_rejected():
    with pytest.raises(ValueError, match='click_encoding must be one of distance, disk'):
        ClickSegmenter(blocks=(1, 1, 1, 1), width=4, click_encoding='square')


def mirrored(image, clicks):
    return image[:, ::-1], [Click(c.y, image.shape[1] - 1 - c.x, c.positive) for c in clicks]


@pytest.mark.parametrize('options', [{}, {'mask_input': True, 'decoder': 8}])
def test_flip_averages_the_logits_of_the_image_and_its_mirror_image(image, options):
    model = ClickSegmenter(blocks=(1, 1, 1, 1), width=4, longest_side=64, **options)
    clicks = [Click(5, 7), Click(30, 40, False)]
    plain = model.predict_logits(image, clicks)
    other = model.predict_logits(*mirrored(image, clicks))[:, :, :, ::-1]
    assert abs(plain - other).max() > 1e-4
    both = model.predict_logits(image, clicks, flip=True)
    np.testing.assert_allclose(model.decode(both, (40, 60)), model.decode((plain + other) / 2, (40, 60)),
                               atol=1e-5)


def test_with_flip_a_mirrored_image_gives_the_mirrored_probability(image):
    model = ClickSegmenter(blocks=(1, 1, 1, 1), width=4, longest_side=64, flip=True, zoom_side=48,
                           mask_input=True)
    clicks = [Click(20, 7), Click(30, 40, False), Click(12, 20)]
    there, back = model.segment(image, clicks), model.segment(*mirrored(image, clicks))[:, ::-1]
    np.testing.assert_allclose(there, back, atol=1e-4)


def test_a_session_can_override_the_flip_of_its_model(image):
    sizes = {'blocks': (1, 1, 1, 1), 'width': 4, 'longest_side': 64}
    plain, flipping = ClickSegmenter(**sizes), ClickSegmenter(**sizes, flip=True)
    click = Click(5, 7)
    for model, flip in ((plain, True), (flipping, None)):
        np.testing.assert_array_equal(model.session(image, flip=flip).add(click),
                                      flipping.segment(image, click))
    np.testing.assert_array_equal(flipping.session(image, flip=False).add(click),
                                  plain.segment(image, click))


def test_side_enlarges_and_shrinks_the_image(model, image):
    assert model.prepare(image, [], side=120).shape == (1, 5, 80, 120)
    assert model.prepare(image, [], side=30).shape == (1, 5, 20, 30)


def test_a_new_decoder_changes_only_the_size_of_the_logits(rng):
    sizes = {'blocks': (1, 1, 1, 1), 'width': 4}
    plain, detailed = ClickSegmenter(**sizes), ClickSegmenter(**sizes, decoder=8)
    x = rng.normal(size=(2, 5, 64, 48)).astype(np.float32)
    with chainer.using_config('train', False):
        coarse, fine = plain.forward(x).array, detailed.forward(x).array
    assert coarse.shape[2:] == (9, 7) and fine.shape[2:] == (17, 13)
    np.testing.assert_allclose(fine[:, :, ::2, ::2], coarse, atol=1e-5)


@pytest.mark.parametrize('size', [(40, 60), (1, 1), (2, 300), (333, 17)])
def test_probability_has_the_size_of_the_image(model, size):
    probability = model.segment(np.full(size + (3,), 99, np.uint8), [Click(0, 0)])
    assert probability.shape == size and probability.dtype == np.float32
    assert (probability >= 0).all() and (probability <= 1).all()


@pytest.mark.parametrize('kind', ['grey', 'rgba', 'sixteen bits'])
def test_all_image_types_are_accepted(model, rng, kind):
    array = {'grey': rng.integers(0, 256, (20, 30), np.uint8),
             'rgba': rng.integers(0, 256, (20, 30, 4), np.uint8),
             'sixteen bits': rng.integers(0, 65536, (20, 30), np.uint16)}[kind]
    assert model.segment(array, [Click(3, 3)]).shape == (20, 30)


def test_anything_but_an_image_is_rejected(model):
    with pytest.raises(ImageError):
        model.segment(np.zeros((0, 5, 3), np.uint8), [Click(0, 0)])


@pytest.mark.slow
def test_a_photograph_of_twenty_megapixels_is_segmented(model):
    probability = model.segment(np.zeros((3648, 5472, 3), np.uint8), [Click(3647, 5471)])
    assert probability.shape == (3648, 5472)


def test_a_single_click_is_accepted_without_a_list(model, image):
    np.testing.assert_array_equal(model.segment(image, Click(5, 7)), model.segment(image, [Click(5, 7)]))


def test_without_a_positive_click_the_probability_is_zero(model, image):
    assert (model.segment(image, []) == 0).all()
    assert (model.segment(image, [Click(1, 1, False)]) == 0).all()


def test_running_statistics_are_not_updated(model, image):
    before = model.net.resnet.stem.norm.avg_mean.copy()
    model.segment(image, [Click(5, 5)])
    np.testing.assert_array_equal(model.net.resnet.stem.norm.avg_mean, before)
