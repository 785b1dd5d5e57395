"""The stages of a converted Mask R-CNN by the keys under which Detectron's own values are recorded."""

import re

import numpy as np
from chainer import functions as F

from chainer_seg.models.mask_rcnn.decode import class_boxes
from chainer_seg.models.mask_rcnn.heads import double_side

XYXY = [1, 0, 3, 2]  # From y, x to x, y and back, of boxes and of deltas.

# The keys of stages that are compared number by number; whole values, parts, or every s-th.
STAGES = re.compile(
    r'(data|pool1|res\d_\d_sum|fpn_\w+|rpn_cls_logits\w*|rpn_bbox_pred\w*|pool5|roi_feat|res5_pool|'
    r'fc6|fc7|cls_score|cls_prob|cls_prob_max|bbox_pred|boxes|mask_fcn_logits|mask_logits_of_det_class|'
    r'mask_probs_of_det_class|kps_score_lowres|kps_score|kps_score_max)(@[\d,]+|\[.*\])?')


def recorded_images(path):
    """The recorded values of each image, a dict without the prefix."""
    archive = np.load(path)
    images = {}
    for key in archive:
        prefix, name = key.split('/', 1)
        images.setdefault(prefix, {})[name] = archive[key]
    return images


def prepare(model, recorded):
    """The network's input for a recorded image, at the sizes at which it was recorded."""
    model.min_side, model.max_side = map(int, recorded['target_scale_max_size'])
    x, (size,) = model.prepare([recorded['im'][:, :, ::-1]])
    return x, size


def recorded_rois(recorded, key):
    """RoIs (R, 4) y_min, x_min, y_max, x_max, and their indices."""
    return recorded[key][:, 1:][:, XYXY], np.zeros(len(recorded[key]), np.int32)


def recorded_part(key, whole):
    """What of an array is recorded under ``key``, by the rules of the data's README."""
    if '@' in key:
        channels, step = map(int, key.split('@')[1].split(','))
        return whole[:, ::channels, ::step, ::step]
    match = re.search(r'\[:(\d+)(?:,::(\d+))?\]', key)
    if match is None:
        return whole
    return whole[:int(match[1])] if match[2] is None else whole[:int(match[1]), ::int(match[2])]


def image_stages(model, x):
    """The maps that the network makes of its input."""
    resnet = model.extractor.resnet
    pooled = h = resnet.pool(F.relu(resnet.stem(x)))
    stages = {'data': x, 'pool1': pooled}
    outputs = []
    for name in resnet.stage_names:
        h = resnet[name](h)
        stages[f'{name}_{len(resnet[name]) - 1}_sum'] = h
        outputs.append(h)
    features = model.extract(x)
    if len(features) > 1:
        stages.update(_pyramid_stages(model.extractor.pyramid, list(stages)[2:], outputs, features))
    logits, deltas = model.rpn(features)
    for level, (objectness, changes) in enumerate(zip(logits, deltas), start=2):
        suffix = f'_fpn{level}' if len(logits) > 1 else ''
        stages[f'rpn_cls_logits{suffix}'] = objectness
        shape = changes.shape
        changes = changes.array.reshape((1, -1, 4) + shape[2:])[:, :, XYXY].reshape(shape)
        stages[f'rpn_bbox_pred{suffix}'] = changes
    return features, stages


def _pyramid_stages(pyramid, names, outputs, features):
    inner = [lateral(output).array for lateral, output in zip(pyramid.lateral, outputs)]
    for level in reversed(range(len(inner) - 1)):
        inner[level] = inner[level] + inner[level + 1].repeat(2, axis=2).repeat(2, axis=3)
    stages = {f'fpn_inner_{name}': x for name, x in zip(names, inner)}
    stages.update({f'fpn_{name}': x for name, x in zip(names, features)})
    stages[f'fpn_{names[-1]}_subsampled_2x'] = features[-1]
    return stages


def box_stages(model, features, size, recorded):
    """What the box head makes of the recorded RoIs."""
    rois, roi_indices = recorded_rois(recorded, 'rois')
    extractor, box = model.extractor, model.box
    pooled = extractor.region_features(extractor.pool_regions(features, rois, roi_indices, model.roi_size))
    if box.averages:
        aligned = extractor.pool(features[0], rois[:1], roi_indices[:1], model.roi_size, 1 / 16)
        stages = {'pool5': aligned, 'res5_pool': F.mean(pooled, axis=(2, 3), keepdims=True)}
    else:
        fc6 = F.relu(box.fc6(pooled))
        stages = {'roi_feat': pooled, 'fc6': fc6, 'fc7': F.relu(box.fc7(fc6))}
    logits, deltas = model.box_head(features, rois, roi_indices)
    probabilities = F.softmax(logits).array
    boxes = class_boxes(rois, deltas.array, size)
    groups = deltas.array.reshape(len(rois), -1, 4)
    return {**stages, 'cls_score': logits, 'cls_prob': probabilities,
            'cls_prob_max': probabilities.max(axis=1),
            'bbox_pred': groups[:, :, XYXY].reshape(deltas.shape),
            'boxes': boxes[:, :, XYXY].reshape(deltas.shape)}


def mask_stages(model, features, recorded):
    """What the mask head makes of the recorded boxes."""
    logits = model.mask_head(features, *recorded_rois(recorded, 'mask_rois')).array
    chosen = logits[np.arange(len(logits)), recorded['det_classes']]
    count = len(recorded['mask_logits_of_det_class'])
    return {'mask_fcn_logits': logits, 'mask_logits_of_det_class': chosen[:count],
            'mask_probs_of_det_class': F.sigmoid(chosen)}


def keypoint_stages(model, features, recorded):
    """What the keypoint head makes of the recorded boxes."""
    rois, roi_indices = recorded_rois(recorded, 'keypoint_rois')
    h = model.extractor.pool_regions(features, rois, roi_indices, model.mask_roi_size)
    for convolution in model.keypoint.convs:
        h = F.relu(convolution(h))
    small = model.keypoint.upsample(h)
    large = double_side(small)
    return {'kps_score_lowres': small, 'kps_score': large,
            'kps_score_max': large.array.max(axis=(2, 3))}
