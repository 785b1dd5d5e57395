"""The losses of Mask R-CNN and their gradients against their definitions in NumPy."""

import chainer
import numpy as np
import pytest
from chainer import Parameter

from chainer_seg.errors import TrainingError
from chainer_seg.instances import Instances
from chainer_seg.models.mask_rcnn import (
    DetectionSamples, MaskRCNN, MaskRCNNTrainChain, ProposalLimits, Truth, batch_samples)
from chainer_seg.models.mask_rcnn.anchors import base_anchors, grid_anchors
from chainer_seg.models.mask_rcnn.keypoint_targets import keypoint_targets
from chainer_seg.models.mask_rcnn.mask_targets import ObjectMasks
from chainer_seg.models.mask_rcnn.preparation import InputSize
from chainer_seg.models.mask_rcnn.targets import anchor_targets, region_targets

CLASSES, SIZE, ANCHORS, REGIONS = 3, (64, 96), 24, 20
STRIDES = (8, 16)


class FixedModel(chainer.Chain):
    """A Mask R-CNN that answers the same whatever it sees; the answers are parameters."""

    classes, keypoints, with_masks, half_open = CLASSES, 2, True, False

    def __init__(self, rng, proposals, images):
        super().__init__()
        self.config = {'neck': 'fpn'}
        self.proposals = proposals
        maps = [(images, SIZE[0] // stride, SIZE[1] // stride) for stride in STRIDES]
        many = 4 * REGIONS
        with self.init_scope():
            for level, (count, h, w) in enumerate(maps):
                setattr(self, f'objectness{level}', random(rng, count, 3, h, w))
                setattr(self, f'deltas{level}', random(rng, count, 12, h, w))
            self.logits = random(rng, many, CLASSES + 1)
            self.moves = random(rng, many, 4 * (CLASSES + 1))
            self.masks = random(rng, many, CLASSES + 1, 8, 8)
            self.heatmaps = random(rng, many, 2, 12, 12)

    def extract(self, x):
        return x

    def anchors(self, sizes):
        return [grid_anchors(base_anchors(stride, [2 * stride], (0.5, 1, 2)), stride, size)
                for stride, size in zip(STRIDES, sizes)]

    def rpn(self, features):
        return ([self.objectness0 + 0, self.objectness1 + 0], [self.deltas0 + 0, self.deltas1 + 0])

    def propose(self, objectness, deltas, sizes, limits):
        return np.concatenate(self.proposals), np.repeat(
            np.arange(len(self.proposals)), [len(rois) for rois in self.proposals])

    def box_head(self, features, rois, roi_indices):
        return self.logits[:len(rois)], self.moves[:len(rois)]

    def mask_head(self, features, rois, roi_indices):
        return self.masks[:len(rois)]

    def keypoint_head(self, features, rois, roi_indices):
        return self.heatmaps[:len(rois)]


def random(rng, *shape):
    return Parameter(rng.normal(0, 1.5, shape).astype(np.float32))


def make_truth(rng, boxes, labels, seed):
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    rows, columns = np.mgrid[:SIZE[0], :SIZE[1]]
    masks = np.array([(rows >= top) & (rows <= bottom) & (columns >= left) & (columns < right)
                      for top, left, bottom, right in boxes / 2]).reshape((-1,) + SIZE)
    points = rng.uniform(boxes[:, None, :2] / 2, boxes[:, None, 2:] / 2, (len(boxes), 2, 2))
    keypoints = np.concatenate([points, rng.integers(0, 3, (len(boxes), 2, 1))], axis=2)
    size = InputSize((SIZE[0] // 2, SIZE[1] // 2), SIZE, (2.0, 2.0))
    return Truth(size, boxes, np.array(labels, np.int32), ObjectMasks.collect(masks),
                 keypoints.astype(np.float32), np.zeros((0, 4), np.float32), seed)


@pytest.fixture
def truths(rng):
    return [make_truth(rng, [[8, 10, 39, 49], [30, 50, 55, 90]], [2, 0], 11),
            make_truth(rng, [[4, 4, 50, 60]], [1], 12)]


@pytest.fixture
def chain(rng, truths):
    # Six near each object, and twelve near none.
    proposals = [np.concatenate([
        *(truth.boxes + rng.uniform(-3, 3, truth.boxes.shape) for _ in range(6)),
        rng.uniform(0, 8, (12, 4)) + [0, 70, 9, 80]]).astype(np.float32) for truth in truths]
    return MaskRCNNTrainChain(FixedModel(rng, proposals, len(truths)), gamma=3, anchors=ANCHORS,
                              regions=REGIONS, foreground_share=0.5)


def observe(chain, truths):
    """The loss, the parts that are reported, and the gradients of the model's answers."""
    reporter, observation = chainer.Reporter(), {}
    reporter.add_observer('main', chain)
    chain.cleargrads()
    with reporter, reporter.scope(observation):
        loss = chain(np.zeros((len(truths), 3) + SIZE, np.float32), truths)
    loss.backward()
    parts = {name.removeprefix('main/'): float(part.array) for name, part in observation.items()}
    return float(loss.array), parts


def drawn(chain, truths):
    """What the chain draws for each image: anchors, then regions, by the image's generator."""
    model = chain.model
    maps = model.objectness0, model.objectness1
    anchors = np.concatenate(model.anchors([x.shape[2:] for x in maps]))
    found = []
    for truth, proposals in zip(truths, model.proposals):
        rng = np.random.default_rng(truth.seed)
        found.append((
            anchor_targets(anchors, truth.boxes, SIZE, rng, ANCHORS),
            region_targets(proposals, truth.boxes, truth.labels, truth.crowds, rng, REGIONS, 0.5)))
    return found


def sigmoid(x):
    return 1 / (1 + np.exp(-x.astype(np.float64)))


def smooth_l1(difference, beta):
    """The loss and its slope, by the case distinction of the paper."""
    size = np.abs(difference)
    loss = np.where(size < beta, difference ** 2 / (2 * beta), size - beta / 2)
    return loss, np.where(size < beta, difference / beta, np.sign(difference))


def softmax(x):
    powers = np.exp(x.astype(np.float64) - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def place_of_anchor(number):
    """(level, position, anchor of the position) in the order of levels, rows, columns, anchors."""
    first = 3 * (SIZE[0] // STRIDES[0]) * (SIZE[1] // STRIDES[0])
    level, number = (0, number) if number < first else (1, number - first)
    row, rest = divmod(number, 3 * (SIZE[1] // STRIDES[level]))
    return level, row, rest // 3, rest % 3


def test_proposal_losses_and_gradients_equal_their_definition(chain, truths):
    _, parts = observe(chain, truths)
    model, class_loss, box_loss, slopes = chain.model, 0, 0, {}
    for image, (targets, _) in enumerate(drawn(chain, truths)):
        weight = 1 / len(targets.chosen) / len(truths)
        for order, (number, label) in enumerate(zip(targets.chosen, targets.labels)):
            level, row, column, anchor = place_of_anchor(number)
            logit = model[f'objectness{level}'].array[image, anchor, row, column]
            probability = sigmoid(logit)
            class_loss -= weight * np.log(probability if label else 1 - probability)
            slopes[level, image, anchor, row, column] = weight * (probability - label)
            if label:
                moves = model[f'deltas{level}'].array[image, 4 * anchor:4 * anchor + 4, row, column]
                loss, slope = smooth_l1(moves.astype(float) - targets.deltas[order], 1 / 9)
                box_loss += weight * loss.sum()
                np.testing.assert_allclose(
                    model[f'deltas{level}'].grad[image, 4 * anchor:4 * anchor + 4, row, column],
                    weight * slope, rtol=1e-4, atol=1e-6)
    assert parts['rpn_class_loss'] == pytest.approx(class_loss, rel=1e-4)
    assert parts['rpn_box_loss'] == pytest.approx(box_loss, rel=1e-4)
    for level in range(2):
        expected = np.zeros(model[f'objectness{level}'].shape)
        for (on, *place), slope in slopes.items():
            if on == level:
                expected[tuple(place)] = slope
        np.testing.assert_allclose(model[f'objectness{level}'].grad, expected, atol=1e-6)


def test_class_and_box_losses_and_gradients_equal_their_definition(chain, truths):
    _, parts = observe(chain, truths)
    regions = [targets for _, targets in drawn(chain, truths)]
    labels = np.concatenate([targets.labels for targets in regions])
    deltas = iter(np.concatenate([targets.deltas for targets in regions]))
    model, count = chain.model, len(labels)
    probabilities = softmax(model.logits.array[:count])
    assert parts['class_loss'] == pytest.approx(
        -np.log(probabilities[np.arange(count), labels]).mean(), rel=1e-4)
    np.testing.assert_allclose(model.logits.grad[:count],
                               (probabilities - np.eye(CLASSES + 1)[labels]) / count, atol=1e-6)
    box_loss, slopes = 0, np.zeros((count, 4 * (CLASSES + 1)))
    for region in np.flatnonzero(labels):
        own = slice(4 * labels[region], 4 * labels[region] + 4)
        loss, slope = smooth_l1(model.moves.array[region, own].astype(float) - next(deltas), 1)
        box_loss += loss.sum() / count
        slopes[region, own] = slope / count
    assert parts['box_loss'] == pytest.approx(box_loss, rel=1e-4)
    np.testing.assert_allclose(model.moves.grad[:count], slopes, atol=1e-6)


def test_the_mask_loss_uses_only_the_true_class(chain, truths):
    _, parts = observe(chain, truths)
    labels, masks = [], []
    for truth, (_, targets) in zip(truths, drawn(chain, truths)):
        count = len(targets.objects)
        labels += targets.labels[:count].tolist()
        masks.append(truth.masks.project(targets.objects, targets.boxes[:count] / 2, 8))
    masks, model, count = np.concatenate(masks), chain.model, len(labels)
    probabilities = sigmoid(model.masks.array[np.arange(count), labels])
    expected = -np.where(masks, np.log(probabilities), np.log(1 - probabilities)).mean()
    assert parts['mask_loss'] == pytest.approx(expected, rel=1e-4)
    slopes = np.zeros(model.masks.shape)
    slopes[np.arange(count), labels] = chain.gamma * (probabilities - masks) / masks.size
    np.testing.assert_allclose(model.masks.grad, slopes, atol=1e-6)


def test_the_keypoint_loss_is_the_mean_over_annotated_keypoints(chain, truths):
    _, parts = observe(chain, truths)
    model, losses, row, slopes = chain.model, [], 0, np.zeros(chain.model.heatmaps.shape)
    places = []
    for truth, (_, targets) in zip(truths, drawn(chain, truths)):
        boxes = targets.boxes[:len(targets.objects)] / 2
        cells = keypoint_targets(truth.keypoints[targets.objects], boxes, 12)
        points = truth.keypoints[targets.objects]
        for box, there, seen in zip(boxes, cells, points):
            visible = [(box[0] <= y <= box[2]) and (box[1] <= x <= box[3]) and v > 0 for y, x, v in seen]
            if not any(visible):
                continue
            for point, cell in enumerate(there):
                if cell >= 0:
                    probabilities = softmax(model.heatmaps.array[row, point].ravel())
                    losses.append(-np.log(probabilities[cell]))
                    probabilities[cell] -= 1
                    slopes[row, point] = probabilities.reshape(12, 12)
                    places.append((row, point))
            row += 1
    assert len(losses) > 3
    assert parts['keypoint_loss'] == pytest.approx(np.mean(losses), rel=1e-4)
    np.testing.assert_allclose(model.heatmaps.grad, slopes / len(losses), atol=1e-6)


def test_the_loss_is_the_sum_with_gamma_as_the_weight_of_masks(chain, truths):
    loss, parts = observe(chain, truths)
    assert set(parts) == {'rpn_class_loss', 'rpn_box_loss', 'class_loss', 'box_loss', 'mask_loss',
                          'keypoint_loss'}
    assert loss == pytest.approx(sum(parts.values()) + 2 * parts['mask_loss'], rel=1e-5)


def test_an_image_without_objects_has_only_background(rng, chain, truths):
    nothing = make_truth(rng, [], [], 13)
    loss, parts = observe(chain, [nothing, nothing])
    assert np.isfinite(loss)
    assert not any(parts[f'{name}_loss'] for name in ('rpn_box', 'box', 'mask', 'keypoint'))
    assert parts['class_loss'] > 0 and parts['rpn_class_loss'] > 0


def test_a_class_that_the_model_lacks_is_an_error(rng, chain, truths):
    truths[0] = make_truth(rng, [[8, 10, 39, 49]], [CLASSES], 11)
    with pytest.raises(TrainingError, match='class 3, but the model has the classes 0 to 2'):
        observe(chain, truths)


def test_missing_keypoints_are_an_error(chain, truths):
    truths[1].keypoints = None
    with pytest.raises(TrainingError, match='The model has 2 keypoints'):
        observe(chain, truths)


def small_model(**options):
    return MaskRCNN(**{'classes': 2, 'blocks': (1, 1, 1, 1), 'width': 4, 'norm': 'batch',
                       'fpn_channels': 8, 'box_features': 16, 'mask_channels': 8, 'min_side': 64,
                       'max_side': 128, 'anchor_sizes': (8, 16, 24, 32, 48), 'canonical_size': 48,
                       'keypoint_channels': 8, **options})


def examples(count, keypoints=None):
    """Images of a bright square (label 0) or bar (label 1) on a dark ground."""
    found = []
    for number in range(count):
        rng = np.random.default_rng(number)
        image = rng.integers(0, 60, (64, 64, 3)).astype(np.uint8)
        label = number % 2
        top, left = rng.integers(2, 20, 2)
        mask = np.zeros((1, 64, 64), bool)
        mask[0, top:top + 32, left:left + (32, 12)[label]] = True
        image[mask[0]] += np.uint8(150)
        points = None if keypoints is None else np.array(
            [[[top, left, 2]] * keypoints], np.float32)
        instances = Instances(mask, labels=[label], keypoints=points)
        found.append(DetectionSamples((64,), 128)((image, instances, [None]), rng))
    return found


CONFIGURATIONS = {
    'FPN': {}, 'C4': {'neck': 'c4', 'roi_size': 6}, 'RoI pooling': {'pooling': 'pool'},
    'boxes only': {'with_masks': False}, 'keypoints': {'keypoints': 3}}


@pytest.mark.parametrize('options', CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_every_used_parameter_gets_a_gradient(options):
    model = small_model(**options)
    chain = MaskRCNNTrainChain(model, regions=16, limits=ProposalLimits(50, 20))
    batch = batch_samples(examples(2, options.get('keypoints')), model.device, model.size_multiple)
    chain.cleargrads()
    chain(**batch).backward()
    assert [path for path, parameter in model.namedparams()
            if parameter.grad is None or not np.isfinite(parameter.grad).all()] == []


def test_frozen_batch_normalisation_keeps_its_statistics():
    model = small_model()
    norm = model.extractor.resnet.stem.norm
    before = norm.avg_mean.copy()
    batch = batch_samples(examples(2), model.device, model.size_multiple)
    MaskRCNNTrainChain(model, regions=16, limits=ProposalLimits(50, 20), freeze_bn=True)(**batch)
    np.testing.assert_array_equal(norm.avg_mean, before)
    MaskRCNNTrainChain(model, regions=16, limits=ProposalLimits(50, 20))(**batch)
    assert (norm.avg_mean != before).any()


@pytest.mark.slow
@pytest.mark.parametrize('options', [{}, {'keypoints': 3, 'with_masks': False}],
                         ids=['masks', 'keypoints'])
def test_training_reduces_the_loss(options):
    model = small_model(**options)
    chain = MaskRCNNTrainChain(model, regions=16, limits=ProposalLimits(50, 20))
    optimizer = chainer.optimizers.Adam(3e-3).setup(chain)
    batch = batch_samples(examples(6, options.get('keypoints')), model.device, model.size_multiple)
    history = []
    for _ in range(60):
        reporter, observation = chainer.Reporter(), {}
        reporter.add_observer('main', chain)
        with reporter, reporter.scope(observation):
            optimizer.update(chain, **batch)
        history.append({name: float(value.array) for name, value in observation.items()})
    # That of boxes says more of how many proposals are good than of how well they are moved.
    for name in set(history[0]) - {'main/box_loss'}:
        start, end = (np.mean([line[name] for line in part]) for part in (history[:5], history[-5:]))
        assert end < 0.8 * start, name


@pytest.mark.gpu
@pytest.mark.parametrize('options', CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_a_gpu_computes_the_same_losses_and_gradients(options):
    pytest.importorskip('cupy')
    batch = examples(2, options.get('keypoints'))
    norms = []
    for device in ('@numpy', '@cupy:0'):
        model = small_model(**options)
        chain = MaskRCNNTrainChain(model, regions=16, limits=ProposalLimits(50, 20))
        chain.to_device(device)
        with chainer.using_device(device):
            loss = chain(**batch_samples(batch, model.device, model.size_multiple))
            chain.cleargrads()
            loss.backward()
        norms.append([float(loss.array)] + [
            float(abs(parameter.grad).sum()) for _, parameter in sorted(model.namedparams())])
    np.testing.assert_allclose(*norms, rtol=1e-2, atol=1e-4)
