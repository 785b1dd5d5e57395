"""The ResNets of fb.resnet.torch, as classifiers and as the trunk of DeepMask."""

from chainer_seg.links.resnet import EXPANSION
from chainer_seg.models.classifier import ResNetClassifier
from converters.formats.torch7_values import Object, Table
from converters.torch_modules import (
    BATCH_NORM, LINEAR, MAX_POOLING, check_size, children, fill_conv_norm, fill_linear, layers,
    number, outputs_of, skip_leftovers)


def recognise(tree):
    """The name of the network in a tree, None where this module does not know it."""
    network = tree.get('model') if isinstance(tree, Table) else tree
    if not isinstance(network, Object) or network.class_name != 'nn.Sequential':
        return None
    stages = [child for child in children(network) if is_stage(child)]
    ends = children(network)[-1:]
    if len(stages) < 2 or not isinstance(ends[0], Object) or ends[0].class_name not in LINEAR:
        return None
    return 'ResNet of fb.resnet.torch'


def build(tree, ledger, config):
    """The :class:`~chainer_seg.models.classifier.ResNetClassifier` of a file.

    Args:
        tree: What the reader made of the file.
        ledger: The :class:`~converters.ledger.Ledger` of its arrays.
        config: Arguments of the class that replace those found in the file.
    """
    network = tree.get('model') if isinstance(tree, Table) else tree
    modules = children(network)
    stages = [child for child in modules if is_stage(child)]
    stem = modules[:modules.index(stages[0])]
    head, = layers(modules[-1:], ledger)
    arguments = {**resnet_arguments(stem, stages, ledger), 'n_class': outputs_of(head, ledger),
                 'stride_on': '3x3', **config}
    features = EXPANSION * arguments['width'] * 2 ** (len(stages) - 1)
    check_size(count_resnet(arguments) + features * arguments['n_class'], ledger)
    model = ledger.make(ResNetClassifier, arguments)
    fill_resnet(model.resnet, stem, stages, ledger)
    fill_linear(model.logits, head, ledger)
    skip_leftovers(ledger)
    return model


def is_stage(module):
    """Whether a module is a sequence of residual blocks."""
    return bool(_blocks(module))


def resnet_arguments(stem, stages, ledger):
    """The number of blocks, the width and the norm of a ResNet, by its modules."""
    convolution, norm = _stem_layers(stem, ledger)
    _check_pooling(stem, ledger)
    return {'blocks': [len(_blocks(stage)) for stage in stages],
            'width': outputs_of(convolution, ledger),
            'norm': 'batch' if norm.module.class_name in BATCH_NORM else 'affine'}


def count_resnet(arguments):
    """The number of weights of the convolutions of a ResNet, without building it."""
    width, channels = arguments['width'], arguments['width']
    count = 3 * 7 * 7 * width
    for i, blocks in enumerate(arguments['blocks']):
        inner, outer = width * 2 ** i, EXPANSION * width * 2 ** i
        count += blocks * (9 * inner + outer) * inner + outer * channels  # and the shortcut
        count += (channels + (blocks - 1) * outer) * inner
        channels = outer
    return count


def fill_resnet(resnet, stem, stages, ledger):
    """Copies the modules of a ResNet into a :class:`chainer_seg.links.ResNet` of the same blocks."""
    fill_conv_norm(resnet.stem, *_stem_layers(stem, ledger), ledger)
    for name, stage in zip(resnet.stage_names, stages):
        for link, block in zip(resnet[name], _blocks(stage)):
            _fill_block(link, block, ledger)


def _fill_block(link, block, ledger):
    branches = [layers([branch], ledger) for branch in children(children(block)[0])]
    main, shortcut = branches if len(branches) == 2 else ([], [])
    if len(main) != 6 or len(shortcut) != 2 * link.projects:
        ledger.fail(f'a residual block has {len(main) // 2} convolutions and a shortcut with '
                    f'{len(shortcut) // 2}, where 3 and {int(link.projects)} are needed')
    for place, pair in zip((link.reduce, link.middle, link.expand), zip(main[::2], main[1::2])):
        fill_conv_norm(place, *pair, ledger)
    if link.projects:
        fill_conv_norm(link.shortcut, *shortcut, ledger)


def _check_pooling(stem, ledger):
    found = [module for module in stem if module.class_name in MAX_POOLING]
    fields = [(number(module, 'kW', ledger), number(module, 'dW', ledger),
               number(module, 'padW', ledger, default=0), module.get('ceil_mode', False))
              for module in found]
    if fields != [(3, 2, 1, False)]:
        ledger.fail('its stem does not end with one max pooling of size 3, stride 2, padding 1 and '
                    'sides rounded down')


def _stem_layers(stem, ledger):
    found = layers(stem, ledger)
    if len(found) != 2:
        ledger.fail(f'its stem has {len(found)} layers with weights where 2 are needed')
    return found


def _blocks(stage):
    """The residual blocks of a stage; none where the module is no stage."""
    if not isinstance(stage, Object) or stage.class_name != 'nn.Sequential':
        return []
    blocks = children(stage)
    return blocks if all(map(_is_block, blocks)) else []


def _is_block(module):
    if not isinstance(module, Object) or module.class_name != 'nn.Sequential':
        return False
    first = children(module)[:1]
    return bool(first) and isinstance(first[0], Object) and first[0].class_name == 'nn.ConcatTable'
