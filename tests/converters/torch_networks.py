"""Networks in the form in which Torch saves them, made by hand for the tests."""

import numpy as np
from chainer import functions as F

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


def basic_block(rng, inputs, width, stride, shortcut='B'):
    """A block of two 3x3 convolutions with a shortcut of a kind of fb.resnet.torch's shortcutType."""
    main = module('nn.Sequential', convolution(rng, inputs, width, 3, stride), batch_norm(rng, width),
                  module('cudnn.ReLU'), convolution(rng, width, width, 3), batch_norm(rng, width))
    if shortcut == 'C' or shortcut == 'B' and inputs != width:
        around = module('nn.Sequential', convolution(rng, inputs, width, 1, stride),
                        batch_norm(rng, width))
    elif inputs != width:
        around = module(
            'nn.Sequential', module('nn.SpatialAveragePooling', kW=1, kH=1, dW=stride, dH=stride),
            module('nn.Concat', module('nn.Identity'), module('nn.MulConstant', constant_scalar=0.0),
                   dimension=2))
    else:
        around = module('nn.Identity')
    return module('nn.Sequential', module('nn.ConcatTable', main, around), module('nn.CAddTable'),
                  module('cudnn.ReLU'))


def basic_resnet(rng, blocks, width, n_class, shortcut='B', small_images=False):
    """A ResNet of basic blocks as fb.resnet.torch saves it; without logits where n_class is None."""
    stages, channels = [], width
    for i, count in enumerate(blocks):
        inner = width * 2 ** i
        stages.append(module('nn.Sequential', *(
            basic_block(rng, channels if number == 0 else inner, inner,
                        2 if i and number == 0 else 1, shortcut) for number in range(count))))
        channels = inner
    if small_images:
        stem = [convolution(rng, 3, width, 3), batch_norm(rng, width), module('cudnn.ReLU')]
    else:
        stem = [convolution(rng, 3, width, 7, 2), batch_norm(rng, width), module('cudnn.ReLU'),
                pooling()]
    head = [] if n_class is None else [module('nn.View'), linear(rng, channels, n_class)]
    return module('nn.Sequential', *stem, *stages, module('cudnn.SpatialAveragePooling'), *head)


def linear(rng, inputs, outputs):
    return module('nn.Linear', weight=rng.normal(size=(outputs, inputs)).astype(np.float32),
                  bias=rng.normal(size=outputs).astype(np.float32), gradInput=np.float32([]))


def pooling():
    return module('nn.SpatialMaxPooling', kW=3, kH=3, dW=2, dH=2, padW=1, padH=1, ceil_mode=False)


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
    return module('nn.Sequential', convolution(rng, 3, width, 7, 2), norm(rng, width),
                  module('cudnn.ReLU'), pooling(), *stages,
                  module('cudnn.SpatialAveragePooling'), module('nn.View'),
                  linear(rng, channels, n_class))


def run(network, x):
    """What Torch computes for a module in evaluation, by its definition."""
    name, fields = network.class_name.partition('.')[2], network.fields
    inside = [fields['modules'][key] for key in fields.get('modules', ())]
    if name == 'Sequential':
        for child in inside:
            x = run(child, x)
        return x
    if name == 'DataParallelTable':
        return run(inside[0], x)
    if name == 'ConcatTable':
        return [run(child, x) for child in inside]
    if name == 'Concat':
        return np.concatenate([run(child, x) for child in inside], fields['dimension'] - 1)
    if name == 'SpatialAveragePooling' and fields.get('kW') == 1:
        return x[:, :, ::fields['dH'], ::fields['dW']]
    if name == 'SpatialConvolution':
        return F.convolution_2d(x, fields['weight'], fields.get('bias'), fields['dW'],
                                fields['padW']).array
    if name == 'SpatialBatchNormalization':
        gamma, beta, mean, variance = (fields[key].reshape(-1, 1, 1) for key in (
            'weight', 'bias', 'running_mean', 'running_var'))
        return gamma * (x - mean) / np.sqrt(variance + fields['eps']) + beta
    if name == 'Linear':
        return x @ fields['weight'].T + fields['bias']
    return {'Identity': lambda x: x, 'CAddTable': sum,
            'MulConstant': lambda x: x * fields['constant_scalar'],
            'LogSoftMax': lambda x: x, 'Dropout': lambda x: x, 'ReLU': lambda x: np.maximum(x, 0),
            'SpatialMaxPooling': lambda x: F.max_pooling_2d(x, 3, 2, 1, cover_all=False).array,
            'SpatialAveragePooling': lambda x: x.mean(axis=(2, 3)), 'View': lambda x: x}[name](x)
