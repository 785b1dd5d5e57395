"""Networks with broken or overflowing weights, and images of a few pixels, in all systems."""

import contextlib

import chainer
import numpy as np
import pytest

from chainer_seg.errors import ModelError
from chainer_seg.models.deeplab import Click, ClickSegmenter, DeepLab
from chainer_seg.models.deepmask import DeepMask, SharpMask
from chainer_seg.models.base import Model
from chainer_seg.models.inference import total_of
from chainer_seg.models.mask_rcnn import MaskRCNN
from chainer_seg.models.yolact import Yolact
from tests.models.ritm.toys import make as make_ritm

pytestmark = pytest.mark.filterwarnings('error::RuntimeWarning')

TRUNK = {'blocks': (1, 1, 1), 'width': 8, 'norm': 'batch'}
MASK_RCNN = {'blocks': (1, 1, 1, 1), 'width': 8, 'fpn_channels': 16, 'box_features': 16,
             'mask_channels': 8, 'classes': 3, 'min_side': 96, 'max_side': 160, 'score_threshold': 0.0,
             'proposals': 50, 'max_detections': 10}
DEEPLAB = {'blocks': (1, 1, 1, 1), 'width': 8}


def boxed(model, image):
    return model.detect(image)


def clicked(model, image):
    return model.session(image).add(Click(0, 0, True), Click(image.shape[0] - 1, 0, False))


def proposed(model, image):
    return model.propose(image, n=5, scales=(0.5, 1), threshold=0.01)


# Beginnings of the paths of parameters that only training uses, or that have no influence with one class.
UNUSED = ('/semantic', '/context/key', '/context/query')

SYSTEMS = {
    'mask_rcnn': (lambda: MaskRCNN(**MASK_RCNN), boxed),
    'mask_rcnn_c4': (lambda: MaskRCNN(**{**MASK_RCNN, 'neck': 'c4', 'min_side': 64, 'proposals': 20,
                                         'anchor_sizes': (32, 64)}), boxed),
    'mask_rcnn_keypoints': (lambda: MaskRCNN(**{**MASK_RCNN, 'keypoints': 2, 'keypoint_channels': 8}),
                            boxed),
    'yolact': (lambda: Yolact('resnet50', 3, 96, width=8, blocks=(1, 1, 1, 1)), boxed),
    'deepmask': (lambda: DeepMask(64, 8, 16, features=16, hidden=8, bottleneck=8, **TRUNK), proposed),
    'sharpmask': (lambda: SharpMask(64, None, mask_channels=16, skip_channels=8, features=16, hidden=8,
                                    bottleneck=8, **TRUNK), proposed),
    'deeplab': (lambda: DeepLab(4, **DEEPLAB), lambda model, image: model.segment(image)),
    'deeplab_crf': (lambda: DeepLab(4, **DEEPLAB),
                    lambda model, image: model.segment(image, refinement='deeplab', mirror=True)),
    'click': (lambda: ClickSegmenter(**DEEPLAB), clicked),
    'click_refined': (lambda: ClickSegmenter(
        zoom_side=64, mask_input=True, decoder=8, flip=True, click_encoding='disk', **DEEPLAB), clicked),
    'ritm_hrnet': (lambda: make_ritm('hrnet'), clicked),
    'ritm_deeplab': (lambda: make_ritm('deeplab', fbrs=True), clicked),
}


@pytest.fixture(params=SYSTEMS)
def system(request):
    build, use = SYSTEMS[request.param]
    return build(), use


@pytest.fixture
def image(rng):
    return rng.integers(0, 256, (48, 64, 3), np.uint8)


def groups(model):
    """One weight array of each part of a network that is used in inference, by path."""
    chosen = {}
    for path, parameter in sorted(model.namedparams()):
        if path.endswith('/W') and not path.startswith(UNUSED):
            chosen.setdefault('/'.join(path.split('/')[:3]), parameter)
    return chosen


def test_a_broken_weight_in_any_part_is_an_error_that_names_it(system, image):
    model, use = system
    use(model, image)
    for number, (path, parameter) in enumerate(groups(model).items()):
        kept = parameter.array.copy()
        parameter.array[:] = (np.nan, np.inf, -np.inf)[number % 3]
        with pytest.raises(ModelError, match=rf'weights contain NaN or infinity in {path[1:]}'):
            use(model, image)
        parameter.array[:] = kept
    use(model, image)


def test_weights_that_overflow_are_an_error(system, image):
    model, use = system
    for parameter in model.params():
        if parameter.array.ndim == 4:
            parameter.array *= np.float32(1e20)
    with pytest.raises(ModelError, match='overflow'):
        use(model, image)


def check_result(result, size):
    """Objects, or the values of all pixels, for an image of this size, without NaN or infinity."""
    if hasattr(result, 'masks'):
        assert result.masks.shape[1:] == size
        assert np.isfinite(result.bboxes).all() and np.isfinite(result.scores).all()
    else:
        assert result.shape == size and np.isfinite(result).all()


@pytest.mark.parametrize('size', [(1, 1), (2, 3), (1, 500), (500, 1), (8, 8), (3, 2)])
def test_tiny_images_give_a_result_without_warnings(system, rng, monkeypatch, size):
    """The silence about overflow in networks is taken away, so that any warning would be an error."""
    monkeypatch.setattr('chainer_seg.models.inference._silence', contextlib.nullcontext)
    model, use = system
    for image in (rng.integers(0, 256, (*size, 3), np.uint8), np.zeros((*size, 3), np.uint8)):
        check_result(use(model, image), size)


@pytest.mark.parametrize('name, build', [
    ('mask-rcnn', lambda model, image: model.detect(image, score_threshold=0.0)),
    ('yolact', lambda model, image: model.detect(image, score_threshold=0.0)),
    ('click', clicked), ('deepmask', lambda model, image: model.propose(image, n=20)),
    ('sharpmask', lambda model, image: model.propose(image, n=20))])
def test_shipped_models_give_results_for_tiny_images(rng, name, build):
    from chainer_seg.model_file import load_model
    model = load_model(name)
    for size in ((1, 1), (2, 3), (3, 8)):
        check_result(build(model, rng.integers(0, 256, (*size, 3), np.uint8)), size)


def test_shared_models_with_broken_weights_are_reported(shared_cases, image):
    from chainer_seg.model_file import load_model
    for name, use in (('click_nan', clicked), ('yolact_codes_nan', boxed), ('maskrcnn_nan', boxed)):
        with pytest.raises(ModelError, match='weights contain NaN'):
            use(load_model(shared_cases / 'attacks' / f'{name}.npz'), image)


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
def test_a_single_value_makes_the_total_not_finite(value):
    outputs = [np.full((100, 100), 1e30, np.float32), chainer.Variable(np.zeros(3, np.float16))]
    assert np.isfinite(total_of(outputs))
    outputs[1].array[1] = value
    assert not np.isfinite(total_of(outputs))


def test_opposite_infinities_do_not_cancel():
    with pytest.raises(ModelError):
        Model().check_finite(np.array([np.inf, -np.inf], np.float32))
