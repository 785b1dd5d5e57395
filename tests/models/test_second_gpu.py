"""Whatever is called on a model of the second GPU happens there, while the first one is current."""

import chainer
import numpy as np
import pytest

from chainer_seg.datasets import ShapesDataset
from chainer_seg.evaluation import evaluate_patches
from chainer_seg.links import FrozenAffine, ResNet, copy_resnet
from chainer_seg.model_file import copy_matching, load_model, save_model
from chainer_seg.models.classifier import ResNetClassifier
from chainer_seg.models.deeplab import Click, ClickSegmenter, ClickTrainChain, DeepLab
from chainer_seg.models.deepmask import DeepMask, DeepMaskTrainChain, SharpMask
from chainer_seg.models.mask_rcnn import MaskRCNN, MaskRCNNTrainChain, batch_samples
from chainer_seg.models.yolact import Yolact, YolactTrainChain, start_backbone, start_from
from tests.arrays import arrays_of
from tests.models.deepmask.test_model import SMALL as SMALL_DEEPMASK
from tests.models.mask_rcnn.test_model import SMALL as SMALL_MASK_RCNN
from tests.models.mask_rcnn.test_train_chain import examples, small_model
from tests.models.yolact.toys import SMALL as SMALL_YOLACT
from tests.models.yolact.toys import drawn_batch
from tests.training import toys

pytestmark = pytest.mark.gpu

SECOND = '@cupy:1'
SMALL_DEEPLAB = {'blocks': (1, 1, 1, 1), 'width': 4, 'pyramid': (1, 2)}
EVERYTHING = {'score_threshold': 0.0, 'nms_threshold': 0.9, 'max_detections': 10}


@pytest.fixture(autouse=True)
def first_gpu_stays_empty():
    """Fails if anything is allocated on the first GPU, which the stand-in counts."""
    cupy = pytest.importorskip('cupy')
    if cupy.cuda.runtime.getDeviceCount() < 2:
        pytest.skip('one GPU only')
    with cupy.cuda.Device(0):
        log = getattr(cupy, 'standin_log', None)
        if log is not None:
            log.reset()
        yield
        assert cupy.cuda.get_device_id() == 0
        assert log is None or (log.allocations[1] > 0 and log.allocations[0] == 0)


@pytest.fixture
def image(rng):
    return rng.integers(0, 256, (50, 70, 3), np.uint8)


def on_second(model):
    model.to_device(SECOND)
    return model


def planar(image):
    return image.transpose(2, 0, 1).astype(np.float32)


@pytest.mark.parametrize('suppression', ['fast', 'cross_class', 'traditional'])
def test_yolact_detects(image, suppression):
    model = on_second(Yolact(**SMALL_YOLACT, rescoring=(2, 3)))
    assert len(model.detect(image, **EVERYTHING, suppression=suppression)) > 0
    model.detect_batch([image, image], **EVERYTHING)
    model.predict([planar(image)])


@pytest.mark.parametrize('options', [{}, {'neck': 'c4', 'anchor_sizes': (16, 32)},
                                     {'classes': 1, 'keypoints': 5}, {'pooling': 'pool'}])
def test_mask_rcnn_detects(image, options):
    model = on_second(MaskRCNN(**{**SMALL_MASK_RCNN, **options}))
    assert len(model.detect(image, **EVERYTHING)) > 0
    model.detect_batch([image, image], **EVERYTHING)
    model.predict([planar(image)])


@pytest.mark.parametrize('make', [DeepMask, SharpMask])
def test_objects_are_proposed(image, make):
    model = on_second(make(**SMALL_DEEPMASK))
    assert len(model.propose(image, 5, (0.5, 1.0))) > 0
    model.propose_rle(image, 5, (0.5, 1.0), exact=True)


def test_click_model_segments_and_has_sessions(image):
    model = on_second(ClickSegmenter(**SMALL_DEEPLAB, mask_input=True, decoder=4, flip=True))
    model.segment(image, [Click(10, 10, True), Click(40, 60, False)])
    session = model.session(image)
    session.add(Click(20, 20, True))
    session.add(Click(5, 5, False))


def test_pixels_are_classified(image):
    model = on_second(DeepLab(4, **SMALL_DEEPLAB))
    model.probabilities(image, scales=(1, 0.5), mirror=True)
    model.segment(image)
    model.predict([planar(image)])


def test_image_is_classified(image):
    model = on_second(ResNetClassifier(3, blocks=(1, 1, 1, 1), width=4))
    model(model.device.send(np.zeros((1, 3, 64, 64), np.float32)))


def test_patches_are_evaluated():
    model = on_second(SharpMask(**SMALL_DEEPMASK))
    evaluate_patches(model, ShapesDataset(4, seed=1, size=(96, 96)), 8, boundary=True)


def test_model_file_is_loaded(tmp_path, image):
    save_model(tmp_path / 'model.npz', Yolact(**SMALL_YOLACT))
    model = load_model(tmp_path / 'model.npz', device=1)
    assert model.device == chainer.get_device(SECOND)
    model.detect(image, **EVERYTHING)


def test_yolact_computes_its_losses_and_gradients():
    chain = on_second(YolactTrainChain(Yolact(**SMALL_YOLACT, rescoring=(2, 3))))
    send = chain.device.send
    loss = chain(**{name: send(values) if name == 'x' else [send(value) for value in values]
                    for name, values in drawn_batch(chain.model, 2).items()})
    loss.backward()


@pytest.mark.parametrize('options', [{}, {'keypoints': 3}])
def test_mask_rcnn_computes_its_losses_and_gradients(options):
    chain = on_second(MaskRCNNTrainChain(small_model(**options), regions=16))
    batch = batch_samples(examples(2, options.get('keypoints')), chain.device, 32)
    chain(**batch).backward()


def test_deepmask_computes_its_losses_and_gradients(rng):
    chain = on_second(DeepMaskTrainChain(DeepMask(**SMALL_DEEPMASK)))
    send, side = chain.device.send, chain.model.patch_size + 32
    x = send(rng.normal(size=(2, 3, side, side)).astype(np.float32))
    mask = np.ones((2, chain.model.target_size, chain.model.target_size), np.float32)
    chain(x, mask=send(mask)).backward()
    chain(x, score=send(np.array([-1, 1], np.float32))).backward()


def test_click_model_computes_its_losses_and_gradients(rng):
    chain = on_second(ClickTrainChain(ClickSegmenter(**SMALL_DEEPLAB, mask_input=True),
                                      positive_weight=2, jaccard_weight=1))
    target = np.zeros((2, 64, 64), np.int32)
    target[:, 10:40, 10:40] = 1
    points = np.zeros((2, 4, 3), np.float32)
    points[:, 0] = 20, 20, 1
    arrays = (rng.normal(size=(2, 3, 64, 64)).astype(np.float32), points, np.array([0, 2], np.int32),
              np.zeros((2, 64, 64), np.float32), target)
    chain(*map(chain.device.send, arrays)).backward()


def test_training_is_set_up_run_and_resumed(tmp_path):
    trainer = toys.build(tmp_path, device=1, iterations=2, snapshot_every=2)
    toys.training.train(trainer)
    toys.training.train(toys.build(tmp_path, device=1, iterations=4, snapshot_every=2, resume='auto'))


DEVICES = [('@numpy', SECOND), (SECOND, '@numpy'), (SECOND, SECOND)]


def weights(model, device):
    """The model on a device with weights of its own."""
    rng = np.random.default_rng(5)
    for parameter in model.params():
        parameter.array[...] = rng.normal(size=parameter.shape)
    model.to_device(device)
    return model


@pytest.fixture
def some_array_on_the_second():
    """For tests whose own arrays need not be there."""
    with chainer.using_device(SECOND):
        chainer.get_device(SECOND).xp.zeros(1)


@pytest.mark.usefixtures('some_array_on_the_second')
class TestWeightsBetweenDevices:

    @pytest.mark.parametrize('source, target', DEVICES)
    def test_yolact_starts_from_another(self, source, target):
        found = {}
        for where in ((source, target), ('@numpy', '@numpy')):
            given = weights(Yolact(**{**SMALL_YOLACT, 'classes': 3}, rescoring=(2, 3)), where[0])
            wanted = Yolact(**{**SMALL_YOLACT, 'classes': 2}, rescoring=(2, 2))
            wanted.to_device(where[1])
            given.class_names, wanted.class_names = ('a', 'b', 'c'), ('c', 'd')
            assert start_from(given, wanted) == ['c']
            assert wanted.device == chainer.get_device(where[1])
            found[where] = arrays_of(wanted)
        for ours, theirs in zip(*(arrays.values() for arrays in found.values())):
            np.testing.assert_array_equal(ours, theirs)

    @pytest.mark.parametrize('source, target', DEVICES)
    def test_what_matches_is_copied(self, source, target):
        given = weights(MaskRCNN(**SMALL_MASK_RCNN), source)
        wanted = MaskRCNN(**{**SMALL_MASK_RCNN, 'classes': 5})
        wanted.to_device(target)
        assert copy_matching(given, wanted) > 0
        np.testing.assert_array_equal(arrays_of(wanted)['extractor/resnet/stem/conv/W'],
                                      arrays_of(given)['extractor/resnet/stem/conv/W'])

    @pytest.mark.parametrize('source, target', DEVICES)
    @pytest.mark.parametrize('norm', ['batch', 'affine'])
    def test_resnet_starts_from_another(self, source, target, norm):
        found = []
        for where in ((source, target), ('@numpy', '@numpy')):
            given = weights(ResNet((1, 1, 1, 1), 4, 3, stem_bias=True), where[0])
            with chainer.using_device(given.device):
                given.stem.norm.avg_var[...] = 2
            wanted = ResNet((1, 1, 1, 1), 4, 5, norm=norm)
            wanted.to_device(where[1])
            copy_resnet(given, wanted)
            assert isinstance(wanted.stem.norm, FrozenAffine) == (norm == 'affine')
            found.append(arrays_of(wanted))
        for name, array in found[0].items():
            np.testing.assert_allclose(array, found[1][name], rtol=1e-6, err_msg=name)

    @pytest.mark.parametrize('source, target', DEVICES)
    def test_backbone_of_another_order_of_channels_is_copied(self, source, target):
        given = weights(ResNet((1, 1, 1, 1), 2), source)
        wanted = Yolact(**SMALL_YOLACT)
        wanted.to_device(target)
        start_backbone(given, wanted, 'bgr')
        first = arrays_of(given)['stem/conv/W']
        np.testing.assert_allclose(arrays_of(wanted)['backbone/stem/conv/W'][:, 2],
                                   first[:, 0] * 57.375, rtol=1e-3)
