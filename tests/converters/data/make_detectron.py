"""Writes detectron_gn.pkl.xz and detectron_gn.npz: python make_detectron.py. Needs detectron2.

A narrow ResNeXt with group normalisation, a feature pyramid, and box and mask heads of detectron2 (commit
02b5c4e2), by the names of Detectron's own files, which detectron2 reads (convert_c2_detectron_names); and
what its modules compute. The weights are rounded to half precision.
"""

import lzma
import pathlib
import pickle

import numpy as np
import torch
from detectron2.checkpoint.c2_model_loading import convert_c2_detectron_names
from detectron2.layers import ShapeSpec
from detectron2.modeling.backbone.fpn import FPN, LastLevelMaxPool
from detectron2.modeling.backbone.resnet import BasicStem, BottleneckBlock, ResNet
from detectron2.modeling.roi_heads.box_head import FastRCNNConvFCHead
from detectron2.modeling.roi_heads.mask_head import MaskRCNNConvUpsampleHead
from torch import nn

GROUPS, CLASSES, CHANNELS, SIDE = 2, 3, 4, 3
CONFIGURATION = f'''
FPN: {{FPN_ON: true, USE_GN: true}}
GROUP_NORM: {{NUM_GROUPS: {GROUPS}, DIM_PER_GP: -1}}
RESNETS: {{NUM_GROUPS: 2, STRIDE_1X1: false}}
MODEL: {{MASK_ON: true, NUM_CLASSES: {CLASSES + 1}}}
'''


def norm(channels):
    return nn.GroupNorm(GROUPS, channels)


def network():
    stages, inputs = [], 4
    for number in range(4):
        stages.append(ResNet.make_stage(
            BottleneckBlock, 1, stride_per_block=[2 if number else 1], in_channels=inputs,
            out_channels=6 * 2 ** number, bottleneck_channels=4 * 2 ** number, num_groups=2,
            stride_in_1x1=False, norm=norm))
        inputs = 6 * 2 ** number
    names = ['res2', 'res3', 'res4', 'res5']
    bottom_up = ResNet(BasicStem(3, 4, norm), stages, out_features=names)
    shape = ShapeSpec(channels=CHANNELS, height=SIDE, width=SIDE)
    return nn.ModuleDict({
        'backbone': FPN(bottom_up, names, CHANNELS, norm=norm, top_block=LastLevelMaxPool()),
        'box_head': FastRCNNConvFCHead(shape, conv_dims=[4] * 4, fc_dims=[8], conv_norm=norm),
        'mask_head': MaskRCNNConvUpsampleHead(shape, num_classes=CLASSES, conv_dims=[4] * 5, conv_norm=norm)})


def detectron_name(name):
    """The name in Detectron's files of a weight of the network."""
    parts = name.split('.')
    kind = {'weight': '_w', 'bias': '_b'}[parts[-1]]
    if 'norm' in parts:
        kind = {'_w': '_gn_s', '_b': '_gn_b'}[kind]
        parts.remove('norm')
    layer = parts[-2]
    if parts[0] == 'box_head':
        return (f'head_{layer}' if layer.startswith('conv') else 'fc6') + kind
    if parts[0] == 'mask_head':
        return {'deconv': 'conv5_mask', 'predictor': 'mask_fcn_logits'}.get(layer, f'_{layer}') + kind
    if layer.startswith('fpn_'):
        stage = f'res{layer[-1]}_0_sum'
        middle = 'inner_' if 'lateral' in layer else ''
        return f'fpn_{middle}{stage}' + ('_lateral' if middle and layer[-1] != '5' else '') + kind
    if 'stem' in parts:
        return f'conv1{kind}'
    branch = {'shortcut': '1', 'conv1': '2a', 'conv2': '2b', 'conv3': '2c'}[layer]
    return f'{parts[2]}_{parts[3]}_branch{branch}{kind}'


def other_blobs():
    """The proposal network and the last layers of the box head, which other tests compare."""
    shapes = {'conv_rpn_fpn2': (4, 4, 3, 3), 'rpn_cls_logits_fpn2': (3, 4, 1, 1),
              'rpn_bbox_pred_fpn2': (12, 4, 1, 1), 'cls_score': (CLASSES + 1, 8),
              'bbox_pred': (4 * (CLASSES + 1), 8)}
    weights = {f'{name}_w': torch.randn(shape) for name, shape in shapes.items()}
    return weights | {f'{name}_b': torch.randn(shape[0]) for name, shape in shapes.items()}


if __name__ == '__main__':
    torch.manual_seed(0)
    network = network().eval()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if 'norm' in name:
                parameter.uniform_(0.5, 1.5) if name.endswith('weight') else parameter.uniform_(-0.5, 0.5)
            parameter.copy_(parameter.half())
        image, regions = torch.randn(1, 3, 64, 96), torch.randn(2, CHANNELS, SIDE, SIDE)
        maps = network['backbone'](image)
        box, mask = network['box_head'](regions), network['mask_head'].layers(regions)
    blobs = {detectron_name(name): tensor for name, tensor in network.state_dict().items()}
    for name in ('mask_fcn_logits_w', 'mask_fcn_logits_b'):  # Detectron's first mask is the background's.
        blobs[name] = torch.cat([torch.zeros_like(blobs[name][:1]), blobs[name]])
    converted, _ = convert_c2_detectron_names({**blobs, **other_blobs()})
    known = {name.removeprefix('backbone.bottom_up.').removeprefix('backbone.')
             for name in network.state_dict()}
    assert known <= converted.keys(), known - converted.keys()
    arrays = {name: blob.half().numpy() for name, blob in {**blobs, **other_blobs()}.items()}
    tree = {'blobs': arrays, 'cfg': CONFIGURATION}
    pathlib.Path('detectron_gn.pkl.xz').write_bytes(lzma.compress(pickle.dumps(tree, 2)))
    np.savez_compressed('detectron_gn.npz', image=image.numpy(), regions=regions.numpy(), box=box.numpy(),
                        mask=mask.numpy(), **{name: x.numpy() for name, x in maps.items()})
