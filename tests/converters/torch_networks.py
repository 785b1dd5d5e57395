"""Networks in the form in which Torch saves them, made by hand for the tests."""

import numpy as np

from converters.formats.torch7_values import Object, Table


def module(class_name, *modules, **fields):
    """An nn module with the modules inside it and its other fields."""
    table = Table(fields)
    if modules:
        table['modules'] = Table(enumerate(modules, start=1))
    return Object(class_name, table)


def convolution(rng, inputs, outputs, size, stride=1, **fields):
    weight = rng.normal(0, (inputs * size * size) ** -0.5, (outputs, inputs, size, size))
    return module('cudnn.SpatialConvolution', weight=weight.astype(np.float32), kW=size, kH=size,
                  dW=stride, dH=stride, padW=size // 2, padH=size // 2, groups=1, **fields)


def batch_norm(rng, channels, class_name='cudnn.SpatialBatchNormalization', eps=1e-5):
    values = {name: rng.uniform(0.5, 1.5, channels).astype(np.float32)
              for name in ('weight', 'bias', 'running_mean', 'running_var')}
    return module(class_name, eps=eps, **values)


def block(rng, inputs, width, stride, norm=batch_norm):
    outputs = 4 * width
    main = module('nn.Sequential', convolution(rng, inputs, width, 1), norm(rng, width),
                  module('cudnn.ReLU'), convolution(rng, width, width, 3, stride), norm(rng, width),
                  module('cudnn.ReLU'), convolution(rng, width, outputs, 1), norm(rng, outputs))
    shortcut = module('nn.Identity')
    if inputs != outputs:
        shortcut = module('nn.Sequential', convolution(rng, inputs, outputs, 1, stride),
                          norm(rng, outputs))
    return module('nn.Sequential', module('nn.ConcatTable', main, shortcut),
                  module('nn.CAddTable'), module('cudnn.ReLU'))


def resnet(rng, blocks, width, n_class, norm=batch_norm):
    """A ResNet as fb.resnet.torch saves it, its layers cleared of what they computed."""
    stages, channels = [], width
    for i, count in enumerate(blocks):
        inner = width * 2 ** i
        stages.append(module('nn.Sequential', *(
            block(rng, channels if number == 0 else 4 * inner, inner,
                  2 if i and number == 0 else 1, norm) for number in range(count))))
        channels = 4 * inner
    head = module('nn.Linear', weight=rng.normal(size=(n_class, channels)).astype(np.float32),
                  bias=rng.normal(size=n_class).astype(np.float32), gradInput=np.float32([]))
    pooling = module('nn.SpatialMaxPooling', kW=3, kH=3, dW=2, dH=2, padW=1, padH=1, ceil_mode=False)
    return module('nn.Sequential', convolution(rng, 3, width, 7, 2), norm(rng, width),
                  module('cudnn.ReLU'), pooling, *stages,
                  module('cudnn.SpatialAveragePooling'), module('nn.View'), head)
