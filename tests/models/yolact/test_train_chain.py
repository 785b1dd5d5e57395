"""The losses and gradients of YOLACT against the recorded ones of the original, and what they change."""

import json

import chainer
import cv2
import numpy as np
import pytest

import converters
from chainer_seg.models.yolact import Yolact
from chainer_seg.recipes import YolactRecipe
from chainer_seg.models.yolact.targets import Thresholds
from chainer_seg.models.yolact.train_chain import LossWeights, YolactTrainChain, spread
from chainer_seg.training.parameters import WeightDecay
from tests.models.yolact.toys import SMALL, drawn_batch, observe

FROZEN, LIVE = 'frozen_bn', 'live_bn'
RATES = {FROZEN: 1e-4, LIVE: 1e-5}
LOSSES = {'B': 'box_loss', 'C': 'class_loss', 'M': 'mask_loss', 'S': 'semantic_loss',
          'I': 'rescoring_loss'}

# Of the original's parameters those whose gradients are recorded.
PARAMETERS = {
    'backbone.conv1.weight': '/backbone/stem/conv/W',
    'backbone._preconv.0.weight': '/backbone/stem/conv/W',
    'backbone.layers.1.0.conv2.conv_offset_mask.bias': '/backbone/res3/0/middle/conv/offset/b',
    'fpn.lat_layers.0.bias': '/pyramid/lateral/2/b',
    'proto_net.0.bias': '/protonet/conv1/b',
    'prediction_layers.0.bbox_layer.bias': '/head/codes/b',
    'prediction_layers.0.conf_layer.bias': '/head/logits/b',
    'prediction_layers.0.mask_layer.bias': '/head/coefficients/b',
    'semantic_seg_conv.weight': '/semantic/W',
    'maskiou_net.maskiou_net.10.bias': '/rescoring/layers/5/b',
}


@pytest.fixture(scope='module')
def folder(shared_data):
    return shared_data / 'formats' / 'pytorch'


def convert(folder, name):
    return converters.convert(folder / f'{name}_1_10.pth', config=folder / f'{name}_config.json')


def reference_batch(folder, model):
    """Both images with their objects; for the larger net every pixel four times."""
    truth = np.load(folder / 'train_ground_truth.npz')
    batch = {name: [] for name in ('x', 'bboxes', 'labels', 'crowds', 'masks')}
    for number, letter in enumerate('ab'):
        image = cv2.imread(str(folder / f'train_{letter}.png'))[:, :, ::-1]
        height, width = image.shape[:2]
        masks = np.unpackbits(truth[f'masks{number}'], axis=2)[:, :, :width].astype(bool)
        times = model.image_size // height
        x = model.normalise(image.repeat(times, axis=0).repeat(times, axis=1))
        rows = truth[f'targets{number}']
        batch['x'].append(x.transpose(2, 0, 1))
        batch['bboxes'].append(rows[:, [1, 0, 3, 2]])
        batch['labels'].append(rows[:, 4].astype(np.int32))
        batch['crowds'].append(rows[:, 4] < 0)
        batch['masks'].append(masks.repeat(times, axis=1).repeat(times, axis=2))
    return {**batch, 'x': np.stack(batch['x'])}


# One input of DarkNet's rectifiers is 1e-7; in single precision, its sign depends on the processor, and with
# it 1e-3 of the maximum of the gradients.
@pytest.mark.parametrize(('name', 'dtype'), [
    ('yolact_resnet50', np.float32), ('yolact_darknet53', np.float64), ('yolact_resnet50_pascal', np.float32),
    ('yolact_plus_resnet50', np.float32)])
def test_three_updates_with_frozen_normalisation_equal_the_original(folder, name, dtype):
    expected = json.loads((folder / 'train_expected.json').read_text())[name][FROZEN]['iterations']
    gradients = np.load(folder / f'{name}_train.npz')
    model = convert(folder, name)
    batch = reference_batch(folder, model)
    set_precision(model, dtype)
    batch['x'] = batch['x'].astype(dtype)
    chain = YolactTrainChain(model, freeze_norm=True)
    optimizer = chainer.optimizers.MomentumSGD(RATES[FROZEN], momentum=0.9).setup(chain)
    optimizer.add_hook(WeightDecay(5e-4, exclude=()))
    for iteration, losses in enumerate(expected):
        assert observe_update(chain, batch, optimizer) == pytest.approx(
            {LOSSES[key]: losses[key] for key in losses if key in LOSSES}, rel=1e-5)
        if iteration == 0:
            compare_gradients(model, gradients)
        optimizer.update()


@pytest.mark.parametrize('name', ['yolact_darknet53', 'yolact_resnet50_pascal'])
def test_losses_with_batch_statistics_equal_the_original(folder, name):
    expected = json.loads((folder / 'train_expected.json').read_text())[name][LIVE]['iterations'][0]
    model = convert(folder, name)
    with chainer.using_config('train', True):
        _, found = observe(YolactTrainChain(model), reference_batch(folder, model))
    for key in 'BCMS':
        assert found[LOSSES[key]] == pytest.approx(expected[key], rel=3e-5)


def set_precision(model, dtype):
    """Gives the parameters and the statistics of a model another floating-point type."""
    for parameter in model.params():
        parameter.array = parameter.array.astype(dtype)
        parameter.cleargrad()
    for norm in model.links():
        if isinstance(norm, chainer.links.BatchNormalization):
            norm.avg_mean, norm.avg_var = norm.avg_mean.astype(dtype), norm.avg_var.astype(dtype)


def observe_update(chain, batch, optimizer):
    """The losses of a batch; the gradients are left in the parameters."""
    chain.cleargrads()
    with chainer.using_config('train', True):
        loss, found = observe(chain, batch)
        loss.backward()
    return {name: value for name, value in found.items() if name.endswith('loss')}


def compare_gradients(model, recorded):
    parameters = dict(model.namedparams())
    for key in recorded:
        if key.startswith('grad:'):
            wanted = recorded[key]
            found = parameters[PARAMETERS[key.removeprefix('grad:')]].grad
            np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=2e-4 * abs(wanted).max(),
                                       err_msg=key)


def test_frozen_normalisation_updates_neither_statistics_nor_scales():
    chain = YolactTrainChain(Yolact(**SMALL), freeze_norm=True)
    norm = chain.model.backbone.stem.norm
    before = [array.copy() for array in (norm.avg_mean, norm.avg_var, norm.gamma.array)]
    weights = chain.model.backbone.stem.conv.W.array.copy()
    optimizer = chainer.optimizers.MomentumSGD(0.1).setup(chain)
    batch = drawn_batch(chain.model, 2)
    with chainer.using_config('train', True):
        optimizer.update(lambda: chain(**batch))
    for kept, array in zip(before, (norm.avg_mean, norm.avg_var, norm.gamma.array)):
        np.testing.assert_array_equal(kept, array)
    assert (chain.model.backbone.stem.conv.W.array != weights).any()


def test_weights_multiply_the_losses():
    model = Yolact(**SMALL)
    batch = drawn_batch(model, 2)
    weights = LossWeights(classes=1, boxes=2, masks=3, semantic=4)
    plain = LossWeights(classes=1, boxes=1, masks=1, semantic=1)
    (loss, weighted), (_, once) = (
        observe(YolactTrainChain(model, chosen, freeze_norm=True), batch) for chosen in (weights, plain))
    for name, factor in zip(('class', 'box', 'mask', 'semantic'), (1, 2, 3, 4)):
        assert weighted[f'{name}_loss'] == pytest.approx(factor * once[f'{name}_loss'])
    assert loss.item() == pytest.approx(sum(
        value for name, value in weighted.items() if name.endswith('loss')))


def test_a_batch_without_objects_trains_only_the_semantic_logits():
    model = Yolact(**SMALL)
    batch = drawn_batch(model, 2)
    for name in ('bboxes', 'labels', 'crowds', 'masks'):
        batch[name] = [values[:0] for values in batch[name]]
    loss, found = observe(YolactTrainChain(model, freeze_norm=True), batch)
    assert found['box_loss'] == found['class_loss'] == found['mask_loss'] == 0
    assert loss.item() == pytest.approx(found['semantic_loss']) and loss.item() > 0


def test_the_mask_loss_is_extrapolated_beyond_the_maximum_number():
    """Every anchor of an object gives the same mask here, so half of the masks give the same loss."""
    model = Yolact(**SMALL)
    model.head.coefficients.W.array[...] = 0
    model.head.coefficients.b.array[...] = 0.3
    batch = {name: values[:1] for name, values in drawn_batch(model, 1, objects=1).items()}
    low = Thresholds(positive=0.1, negative=0.05)
    every, few = (observe(YolactTrainChain(model, thresholds=low, max_masks=count), batch)[1]
                  for count in (100, 2))
    assert every['positives'] > 2
    assert few['mask_loss'] == pytest.approx(every['mask_loss'], rel=1e-5)


def test_spread_selects_items_evenly():
    assert spread(np.arange(10), 4).tolist() == [0, 2, 5, 7]
    assert spread(np.arange(3), 4).tolist() == [0, 1, 2]


def test_a_model_in_half_precision_is_trained():
    recipe = YolactRecipe().with_model(Yolact(**SMALL))
    halved, single = (recipe.replace(mixed_precision=mixed).make_model(range(21))
                      for mixed in (True, False))
    batch = drawn_batch(single, 2)
    (loss, found), (_, expected) = (
        observe(YolactTrainChain(model, freeze_norm=True), batch) for model in (halved, single))
    assert found == pytest.approx(expected, rel=0.03)
    halved.cleargrads()
    loss.backward(loss_scale=16)
    assert halved.semantic.W.dtype == np.float16 and halved.semantic.W.grad.any()
    assert all(np.isfinite(weights.grad).all() for weights in halved.params()
               if weights.grad is not None)


def test_mask_rescoring_is_trained():
    chain = YolactTrainChain(Yolact(**SMALL, rescoring=(2, 3)), freeze_norm=True)
    loss, found = observe(chain, drawn_batch(chain.model, 2))
    chain.cleargrads()
    loss.backward()
    assert found['rescoring_loss'] > 0
    assert chain.model.rescoring.layers[0].W.grad.any()


@pytest.mark.gpu
def test_losses_on_a_gpu_equal_those_on_the_cpu():
    pytest.importorskip('cupy')
    chain = YolactTrainChain(Yolact(**SMALL, rescoring=(2, 3)), freeze_norm=True)
    batch = drawn_batch(chain.model, 2)
    _, expected = observe(chain, batch)
    chain.to_device('@cupy:0')
    send = chain.device.send
    _, found = observe(chain, {name: send(values) if name == 'x' else [send(v) for v in values]
                               for name, values in batch.items()})
    assert {name: float(value) for name, value in found.items()} == pytest.approx(expected, rel=1e-3)


@pytest.mark.gpu
def test_gradients_of_yolact_plus_plus_on_a_gpu_equal_those_on_the_cpu():
    """Chainer's convolutions without cuDNN give maps in NHWC order, as all are with CuPy 14."""
    pytest.importorskip('cupy')
    chain = YolactTrainChain(Yolact(**SMALL, deformable=(0, 1, 1, 1)), freeze_norm=True)
    rng = np.random.default_rng(0)
    for path, weights in chain.namedparams():
        if '/offset/' in path:  # They begin at 0, where the gradient jumps.
            weights.array[...] = rng.normal(0.3, 0.05, weights.shape)
    batch = drawn_batch(chain.model, 2)
    norms = []
    for device in ('@numpy', '@cupy:0'):
        chain.to_device(device)
        send = chain.device.send
        loss = chain(**{name: send(values) if name == 'x' else [send(v) for v in values]
                        for name, values in batch.items()})
        chain.cleargrads()
        loss.backward()
        norms.append({path: float(abs(weights.grad).sum()) for path, weights in chain.namedparams()
                      if weights.grad is not None})
    assert any('/offset/' in path and norm > 0 for path, norm in norms[0].items())
    assert norms[1] == pytest.approx(norms[0], rel=1e-2, abs=1e-6)
