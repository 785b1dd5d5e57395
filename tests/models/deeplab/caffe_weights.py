"""Puts the weights of a genuine .caffemodel into our networks, by layer name."""

import numpy as np
from chainer.links.caffe.protobuf3 import caffe_pb2


def read_blobs(path):
    """{layer name: arrays} of the layers that have any."""
    net = caffe_pb2.NetParameter()
    net.ParseFromString(path.read_bytes())
    return {layer.name: [np.array(blob.data, np.float32).reshape(list(blob.shape.dim))
                         for blob in layer.blobs] for layer in net.layer if layer.blobs}


def load_conv_norm(target, blobs, conv, suffix):
    """A convolution, its BatchNorm and its Scale layer into a ConvNorm."""
    target.conv.W.array[...] = blobs[conv][0]
    if len(blobs[conv]) > 1:
        target.conv.b.array[...] = blobs[conv][1]
    mean, variance, factor = blobs[f'bn{suffix}']
    target.norm.avg_mean[...] = mean / factor[0]
    target.norm.avg_var[...] = variance / factor[0]
    target.norm.gamma.array[...], target.norm.beta.array[...] = blobs[f'scale{suffix}']


def load_resnet(net, blobs, block_names):
    """All layers of a ResNet; ``block_names(stage, count)`` gives Caffe's names of the blocks."""
    load_conv_norm(net.stem, blobs, 'conv1', '_conv1')
    for stage in net.stage_names:
        names = block_names(stage, len(net[stage]))
        for block, name in zip(net[stage], names):
            for ours, theirs in (('reduce', 'branch2a'), ('middle', 'branch2b'),
                                 ('expand', 'branch2c'), ('shortcut', 'branch1')):
                if hasattr(block, ours):
                    load_conv_norm(block[ours], blobs, f'{name}_{theirs}',
                                   f'{name.removeprefix("res")}_{theirs}')


def deeplab_block_names(stage, count):
    """res2a, res2b, res2c for short stages; res4a, res4b1, res4b2, ... for long ones."""
    if stage in ('res2', 'res5'):
        return [f'{stage}{letter}' for letter in 'abc'[:count]]
    return [f'{stage}a'] + [f'{stage}b{number}' for number in range(1, count)]
