"""Writes resnext.pth and resnext.npz: python make_resnext.py. Needs torchvision; 0.28 wrote them.

A narrow ResNeXt of torchvision's own bottlenecks, 2 groups, whose output is 4/3 as wide as the 3x3
convolutions; and what it computes.
"""

import numpy as np
import torch
from torch import nn
from torchvision.models.resnet import Bottleneck, conv1x1


class ResNeXt(nn.Module):
    """torchvision's ResNet with other widths, which its own constructor fixes."""

    def __init__(self, planes=2, blocks=(2, 1, 1, 1), groups=2, base_width=96, classes=5):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 5, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(5)
        inputs = 5
        for number, count in enumerate(blocks):
            width, stride = planes * 2 ** number, 2 if number else 1
            outputs = width * Bottleneck.expansion
            downsample = nn.Sequential(conv1x1(inputs, outputs, stride), nn.BatchNorm2d(outputs))
            stage = [Bottleneck(inputs, width, stride, downsample, groups, base_width)]
            stage += [Bottleneck(outputs, width, 1, None, groups, base_width) for _ in range(count - 1)]
            setattr(self, f'layer{number + 1}', nn.Sequential(*stage))
            inputs = outputs
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x):
        x = torch.max_pool2d(torch.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        maps = [x := getattr(self, f'layer{number}')(x) for number in range(1, 5)]
        return maps, self.fc(x.mean((2, 3)))


if __name__ == '__main__':
    torch.manual_seed(0)
    network = ResNeXt()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                for tensor, low in ((module.weight, 0.5), (module.bias, -0.5), (module.running_mean, -0.5),
                                    (module.running_var, 0.5)):
                    tensor.uniform_(low, low + 1)
        image = torch.randn(1, 3, 64, 48)
        maps, logits = network.eval()(image)
    torch.save(network.state_dict(), 'resnext.pth')
    arrays = {f'res{number}': x.numpy() for number, x in enumerate(maps, start=2)}
    np.savez_compressed('resnext.npz', image=image.numpy(), logits=logits.numpy(), **arrays)
