"""How often a GPU is asked to work and waited for, counted by the stand-in for CuPy: no more than today.

A kernel launch takes 5 to 10 microseconds however small its work is, and while the host waits for a
number it cannot launch the next one. The ceilings are what was measured in November 2026 and a few
per cent for other versions of NumPy; lower them when something becomes cheaper.
"""

import chainer
import numpy as np
import pytest

from chainer_seg.models.deeplab import Click, ClickSegmenter, ClickTrainChain
from chainer_seg.models.deepmask import SharpMask
from chainer_seg.models.mask_rcnn import MaskRCNN, MaskRCNNTrainChain, batch_samples
from chainer_seg.models.yolact import Yolact, YolactTrainChain
from tests.models.deepmask.test_model import SMALL as SMALL_DEEPMASK
from tests.models.mask_rcnn.test_model import SMALL as SMALL_MASK_RCNN
from tests.models.mask_rcnn.test_train_chain import examples, small_model
from tests.models.yolact.test_model import calm
from tests.models.yolact.toys import SMALL as SMALL_YOLACT
from tests.models.yolact.toys import drawn_batch

pytestmark = pytest.mark.gpu

EVERYTHING = {'score_threshold': 0.0, 'nms_threshold': 0.9, 'max_detections': 10}
SMALL_CLICK = {'blocks': (1, 1, 1, 1), 'width': 4, 'pyramid': (1, 2), 'mask_input': True}


@pytest.fixture
def log():
    """The counters of the stand-in; a real GPU has none."""
    cupy = pytest.importorskip('cupy')
    return getattr(cupy, 'standin_log', None) or pytest.skip('only the stand-in counts')


@pytest.fixture
def image(rng):
    return rng.integers(0, 256, (50, 70, 3), np.uint8)


def on_gpu(model):
    model.to_device('@cupy:0')
    return model


def assert_within(log, call, launches, waits):
    """Calls twice, for the first time fills caches, and compares what the second time took."""
    call()
    log.reset()
    call()
    places = '\n'.join(f'{count} {place}' for place, count in log.places['sync'].most_common())
    assert log.counts['sync'] <= waits, f'{log.counts["sync"]} waits of the host:\n{places}'
    assert log.counts['launch'] <= launches, f'{log.counts["launch"]} launches'
    assert not log.counts['deprecated'] and not log.counts['implicit_h2d'], dict(log.places)


def test_yolact_detects_within_its_cost(log, image):
    model = on_gpu(calm(Yolact(**SMALL_YOLACT)))
    assert_within(log, lambda: model.detect(image, **EVERYTHING), launches=930, waits=10)


def test_mask_rcnn_detects_within_its_cost(log, image):
    model = on_gpu(MaskRCNN(**SMALL_MASK_RCNN))
    assert_within(log, lambda: model.detect(image, **EVERYTHING), launches=650, waits=23)


def test_a_click_is_answered_within_its_cost(log, image):
    model = on_gpu(ClickSegmenter(**SMALL_CLICK, decoder=4))
    assert_within(log, lambda: model.segment(image, [Click(10, 10)]), launches=190, waits=1)


def test_sharpmask_proposes_within_its_cost(log, image):
    model = on_gpu(SharpMask(mask_channels=16, skip_channels=6, **SMALL_DEEPMASK))
    assert_within(log, lambda: model.propose(image, 10, (0.5, 1.0)), launches=600, waits=4)


@pytest.mark.parametrize('objects', [1, 8])
def test_synchronisations_of_a_detection_do_not_grow_with_its_objects(log, image, objects):
    for model, waits in ((on_gpu(calm(Yolact(**SMALL_YOLACT))), 10),
                         (on_gpu(MaskRCNN(**SMALL_MASK_RCNN)), 23)):
        options = {**EVERYTHING, 'max_detections': objects}
        assert_within(log, lambda: model.detect(image, **options),  # noqa: B023
                      launches=950, waits=waits)


def training_step(chain, batch):
    optimizer = chainer.optimizers.MomentumSGD(1e-6).setup(chain)

    def step():
        chain.cleargrads()
        chain(**batch).backward()
        optimizer.update()
    return step


def test_yolact_is_trained_within_its_cost(log):
    chain = YolactTrainChain(Yolact(**SMALL_YOLACT))
    batch = drawn_batch(chain.model, 2)
    send = on_gpu(chain).device.send
    batch = {name: send(values) if name == 'x' else [send(value) for value in values]
             for name, values in batch.items()}
    assert_within(log, training_step(chain, batch), launches=1570, waits=34)


def test_mask_rcnn_is_trained_within_its_cost(log):
    chain = on_gpu(MaskRCNNTrainChain(small_model(), regions=16))
    batch = batch_samples(examples(2), chain.device, 32)
    assert_within(log, training_step(chain, batch), launches=1710, waits=30)


@pytest.mark.parametrize('images', [1, 4])
def test_simulated_clicks_synchronise_once_per_round_and_not_per_image(log, images):
    chain = on_gpu(ClickTrainChain(ClickSegmenter(**SMALL_CLICK)))
    target = np.zeros((images, 64, 64), np.int32)
    target[:, 10:40, 10:40] = 1
    points = np.zeros((images, 4, 3), np.float32)
    points[:, 0] = 20, 20, 1
    batch = {'image': np.zeros((images, 3, 64, 64), np.float32), 'points': points,
             'simulated_clicks': np.full(images, 2, np.int32),
             'previous': np.zeros((images, 64, 64), np.float32), 'target': target}
    batch = {name: chain.device.send(array) for name, array in batch.items()}
    assert_within(log, training_step(chain, batch), launches=1050, waits=5)
