"""Writes mobilenetv2, efficientnet and darknet (.pth.xz, .npz): python make_backbones.py.

Needs torchvision, 0.28 wrote them, and the file backbone.py of dbolya/yolact (commit 902073d) on the path.
The networks of torchvision have a tenth of their channels, DarkNet two of 32 and three stages; what
classifies images is left out, and weights are rounded to half precision.
"""

import functools
import io
import lzma
import pathlib

import numpy as np
import torch
from backbone import DarkNetBackbone, DarkNetBlock, darknetconvlayer
from torch import nn
from torchvision.models.efficientnet import EfficientNet, MBConvConfig
from torchvision.models.mobilenetv2 import MobileNetV2

# Rows of table 1 of arXiv 1905.11946 as torchvision's efficientnet_b0 has them.
ROWS = ((1, 3, 1, 32, 16, 1), (6, 3, 2, 16, 24, 2), (6, 5, 2, 24, 40, 2), (6, 3, 2, 40, 80, 3),
        (6, 5, 1, 80, 112, 3), (6, 5, 2, 112, 192, 4), (6, 3, 1, 192, 320, 1))


def efficientnet():
    row = functools.partial(MBConvConfig, width_mult=0.1, depth_mult=1.0)
    return EfficientNet([row(*values) for values in ROWS], dropout=0.2)


class NarrowDarkNet(DarkNetBackbone):
    """The original's DarkNet with other sizes, which its own constructor fixes."""

    def __init__(self, width=2, blocks=(1, 2, 1)):
        nn.Module.__init__(self)
        self.layers, self.channels, self.in_channels = nn.ModuleList(), [], width
        self._preconv = darknetconvlayer(3, width, kernel_size=3, padding=1)
        for number, count in enumerate(blocks):
            self._make_layer(DarkNetBlock, width * 2 ** number, count)


def randomise(network):
    """Other statistics than those of a new network."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor, low in ((module.weight, 0.5), (module.bias, -0.5), (module.running_mean, -0.5),
                                (module.running_var, 0.5)):
                tensor.data.uniform_(low, low + 1)


def write(name, network, features, maps):
    """Writes the weights of the features, and the last map that they give for an image."""
    randomise(network)
    network.half().float()
    image = torch.randn(1, 3, 48, 32)
    with torch.no_grad():
        last = maps(network.eval(), image)
    state = {key: value for key, value in network.half().state_dict().items() if key.startswith(features)}
    file = io.BytesIO()
    torch.save(state, file, _use_new_zipfile_serialization=False)
    pathlib.Path(f'{name}.pth.xz').write_bytes(lzma.compress(file.getvalue()))
    np.savez_compressed(f'{name}.npz', image=image.numpy(), last=last.numpy())


if __name__ == '__main__':
    torch.manual_seed(0)
    for name, network in (('mobilenetv2', MobileNetV2(width_mult=0.1)), ('efficientnet', efficientnet())):
        last = len(network.features) - 1
        network.features = network.features[:last]  # Without the convolution in front of the classifier.
        write(name, network, 'features.', lambda network, image: network.features(image))
    write('darknet', NarrowDarkNet(), ('_preconv.', 'layers.'), lambda network, image: network(image)[-1])
