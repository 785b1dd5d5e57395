"""Writes detectron2_*.pth.xz or .pkl.xz, and .npz, of four networks: python make_detectron2.py CONFIGS.

Needs detectron2 (commit 02b5c4e2; its compiled operators are not used) and its folder ``configs``. The models
are those of detectron2's configurations, narrowed, with random weights that are rounded to eight bits; scaled
so that proposals and scores spread. Recorded is what detectron2 computes for an image.
"""

import lzma
import pathlib
import pickle
import sys

import numpy as np
import torch
from detectron2.config import get_cfg
from detectron2.data.transforms import ResizeShortestEdge
from detectron2.modeling import build_model

KINDS = {'c4': 'InstanceSegmentation/mask_rcnn_R_50_C4_1x',
         'fpn': 'InstanceSegmentation/mask_rcnn_R_50_FPN_1x',
         'resnext': 'InstanceSegmentation/mask_rcnn_X_101_32x8d_FPN_3x',
         'keypoints': 'Keypoints/keypoint_rcnn_R_50_FPN_1x'}
SIDE, LONGEST = 160, 267
SIZE = 97, 131  # of the image


def configuration(kind, folder):
    cfg = get_cfg()
    cfg.merge_from_file(f'{folder}/COCO-{KINDS[kind]}.yaml')
    model = cfg.MODEL
    model.DEVICE, model.WEIGHTS, model.RESNETS.DEPTH = 'cpu', '', 50
    model.RESNETS.RES2_OUT_CHANNELS, model.RESNETS.STEM_OUT_CHANNELS = 8, 4
    model.RESNETS.WIDTH_PER_GROUP = 2
    if kind == 'resnext':
        model.RESNETS.NUM_GROUPS, model.RESNETS.WIDTH_PER_GROUP = 4, 1
    model.FPN.OUT_CHANNELS, model.ROI_BOX_HEAD.FC_DIM, model.ROI_MASK_HEAD.CONV_DIM = 6, 8, 4
    model.ROI_KEYPOINT_HEAD.CONV_DIMS, model.ROI_KEYPOINT_HEAD.NUM_KEYPOINTS = [4] * 8, 3
    if kind != 'keypoints':
        model.ROI_HEADS.NUM_CLASSES = 3
    model.RPN.PRE_NMS_TOPK_TEST, model.RPN.POST_NMS_TOPK_TEST = 200, 60
    cfg.INPUT.MIN_SIZE_TEST, cfg.INPUT.MAX_SIZE_TEST = SIDE, LONGEST
    return cfg


def randomise(model):
    for name, weight in model.state_dict().items():
        if name.endswith('running_var') or name.endswith('norm.weight'):
            weight.uniform_(0.75, 1.25)
        elif 'norm' in name or name.endswith('bias'):
            weight.normal_(0, 0.1)
    round_weights(model)


def round_weights(model):
    """Keeps as many bits as bfloat16 has, so that the files compress."""
    for name, weight in model.state_dict().items():
        if not name.startswith('pixel'):
            weight.copy_(weight.bfloat16().float())


class Recorder:
    """Runs parts of a model for one image."""

    def __init__(self, model, image):
        self.model, self.image = model, image
        shown = np.ascontiguousarray(image[:, :, ::-1])
        resized = ResizeShortestEdge([SIDE, SIDE], LONGEST).get_transform(shown).apply_image(shown)
        tensor = torch.from_numpy(np.ascontiguousarray(resized.transpose(2, 0, 1)).astype(np.float32))
        self.inputs = [{'image': tensor, 'height': image.shape[0], 'width': image.shape[1]}]
        self.images = model.preprocess_image(self.inputs)
        self.features = model.backbone(self.images.tensor)

    def rpn(self):
        generator = self.model.proposal_generator
        found = generator.rpn_head([self.features[name] for name in generator.in_features])
        return [torch.cat([each.flatten() for each in maps]) for maps in found]

    def proposals(self):
        return self.model.proposal_generator(self.images, self.features)[0][0].proposal_boxes

    def heads(self, boxes):
        """Logits, deltas, and masks or heat maps of boxes."""
        heads = self.model.roi_heads
        if hasattr(heads, 'res5'):
            shared = heads._shared_roi_transform([self.features['res4']], [boxes])
            return *heads.box_predictor(shared.mean(dim=[2, 3])), heads.mask_head.layers(shared)
        maps = [self.features[name] for name in heads.box_in_features]
        logits, deltas = heads.box_predictor(heads.box_head(heads.box_pooler(maps, [boxes])))
        if heads.keypoint_on:
            return logits, deltas, heads.keypoint_head.layers(heads.keypoint_pooler(maps, [boxes]))
        return logits, deltas, heads.mask_head.layers(heads.mask_pooler(maps, [boxes]))

    def spread(self):
        """Scales the last layers so that their outputs have useful deviations."""
        model, heads = self.model, self.model.roi_heads
        for layer, found, deviation in zip(
                (model.proposal_generator.rpn_head.objectness_logits,
                 model.proposal_generator.rpn_head.anchor_deltas), self.rpn(), (2, 0.3)):
            layer.weight.mul_(deviation / found.std())
        points = hasattr(heads, 'keypoint_head')
        layers = (heads.box_predictor.cls_score, heads.box_predictor.bbox_pred,
                  heads.keypoint_head.score_lowres if points else heads.mask_head.predictor)
        for layer, found, deviation in zip(layers, self.heads(self.proposals()), (2, 1, 4)):
            layer.weight.mul_(deviation / found.std())
            layer.bias.sub_(deviation / found.std() * found.mean() if found.ndim == 4 else 0)
        round_weights(model)


def main(folder):
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.uniform(0, 255, (1, 3, 7, 9)))
    smooth = torch.nn.functional.interpolate(coarse, SIZE, mode='bilinear')[0].permute(1, 2, 0).numpy()
    image = np.clip(smooth + rng.normal(0, 20, smooth.shape), 0, 255).astype(np.uint8)
    for number, kind in enumerate(KINDS):
        torch.manual_seed(number)
        model = build_model(configuration(kind, folder)).eval()
        with torch.no_grad():
            randomise(model)
            recorder = Recorder(model, image)
            recorder.spread()
            boxes = recorder.proposals()
            logits, deltas, _ = recorder.heads(boxes)
            found = model(recorder.inputs)[0]['instances']
        recorded = {
            'image': image, 'proposals': boxes.tensor, 'logits': logits, 'deltas': deltas,
            'boxes': found.pred_boxes.tensor, 'scores': found.scores, 'labels': found.pred_classes,
            **({'masks': np.packbits(found.pred_masks.numpy(), axis=-1)} if kind != 'keypoints' else
               {'keypoints': found.pred_keypoints})}
        np.savez_compressed(f'detectron2_{kind}.npz', **{
            name: np.asarray(array) for name, array in recorded.items()})
        save(model, kind)
        print(kind, len(boxes), 'proposals', len(found), 'objects')


def save(model, kind):
    """As detectron2 saves trained models (.pth), or as its model zoo does (.pkl)."""
    if kind == 'c4':
        torch.save({'model': model.state_dict(), 'iteration': 7}, 'detectron2.pth')
        content = pathlib.Path('detectron2.pth').read_bytes()
        pathlib.Path('detectron2.pth').unlink()
        pathlib.Path(f'detectron2_{kind}.pth.xz').write_bytes(lzma.compress(content))
        return
    arrays = {name: weight.numpy() for name, weight in model.state_dict().items()}
    # Files of the model zoo have what was not yet left out when they were saved.
    arrays['pixel_mean'], arrays['pixel_std'] = model.pixel_mean.numpy(), model.pixel_std.numpy()
    for level, anchors in enumerate(model.proposal_generator.anchor_generator.cell_anchors):
        arrays[f'proposal_generator.anchor_generator.cell_anchors.{level}'] = anchors.numpy()
    tree = {'model': arrays, '__author__': 'Detectron2 Model Zoo'}
    pathlib.Path(f'detectron2_{kind}.pkl.xz').write_bytes(lzma.compress(pickle.dumps(tree)))


if __name__ == '__main__':
    main(sys.argv[1])
