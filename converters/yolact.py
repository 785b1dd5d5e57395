"""YOLACT and YOLACT++ as the original saves them: the state dict of the whole network (PyTorch's .pth).

Widths, depths and numbers of classes are read from the weights. The input size and the anchors are not in
them: they are those of the published network with the same shapes, or given as a configuration, with the
arguments of :class:`chainer_seg.models.yolact.Yolact` or the original's option names.
"""

import inspect
import pathlib
import re
from collections.abc import Collection, Mapping
from typing import Any

from chainer_seg.models.yolact import Yolact
from chainer_seg.models.yolact.backbones import find_backbone
from chainer_seg.published_classes import COCO_NAMES, PASCAL_NAMES
from chainer_seg.recipes.yolact import YolactRecipe
from converters.class_names import class_names
from converters.torch_checkpoint import prefix_of, skip_training
from converters.torch_state import State
from converters.trees import named_arrays
from converters.weight_mapping import WeightMapping
from converters.yolact_backbones import STEM, darknet_sizes, fill_darknet
from converters.yolact_configuration import WORDS, translate

HEAD = 'prediction_layers.0'
_STAGE = 'backbone.layers.{}'

# The layers of the protonet; between them are ReLUs and the upsampling.
_PROTONET = {0: 'conv1', 2: 'conv2', 4: 'conv3', 8: 'conv4', 10: 'prototypes'}
_HEAD = {'upfeature.0': 'shared', 'bbox_layer': 'codes', 'conf_layer': 'logits',
         'mask_layer': 'coefficients'}

# The published networks; of several with the same shapes the first is assumed, unless the file name or the
# number of classes decides.
_PUBLISHED = ('base', 'im700', 'im400', 'resnet50', 'resnet50_pascal', 'darknet53', 'plus_base',
              'plus_resnet50')
_PASCAL_CLASSES = 20

_CLASS_NAMES = {80: (COCO_NAMES, "COCO's"),
                _PASCAL_CLASSES: (PASCAL_NAMES, "Pascal VOC's")}

_DEFAULTS = {name: parameter.default
             for name, parameter in inspect.signature(Yolact).parameters.items()}

# Arrays of genuine files that later versions of the original drop on loading.
_DROPPED = {
    r'backbone\.layer\d+\.': 'second copy of the backbone under its old name',
    r'fpn\.downsample_layers\.([2-9]|\d\d+)\.': 'unused level of the pyramid',
}


def recognise(tree: object) -> str | None:
    """The name of the network in a tree; None if this module does not recognise it."""
    names = named_arrays(tree)
    prefix = _prefix(names)
    if prefix is None or f'{prefix}{HEAD}.bbox_layer.weight' not in names:
        return None
    return 'YOLACT++' if f'{prefix}maskiou_net.maskiou_net.0.weight' in names else 'YOLACT'


def build(tree: object, mapping: WeightMapping, config: dict[str, Any]) -> Yolact:
    """The :class:`~chainer_seg.models.yolact.Yolact` of a file.

    Args:
        tree: As returned by the reader of the format.
        mapping: The :class:`~converters.weight_mapping.WeightMapping` of its arrays.
        config: Arguments of the class and ``class_names``; the original's configuration, as
            :func:`converters.configuration.join` passes it; or ``published``, the name of a published
            configuration.
    """
    state = State(tree, mapping, _prefix(named_arrays(tree)) or '')
    found = _arguments(state)
    config = translate(config, found['backbone'], mapping)
    published, names = config.pop('published', None), config.pop('class_names', None)
    if published is not None or 'anchor_scales' not in config:
        config = {**_published(state, found, published), **config}
    model = mapping.make(Yolact, {**found, **config}, 'class_names', 'published', *WORDS)
    _fill(model, state)
    _skip_dropped(state)
    skip_training(tree, mapping)
    model.class_names = class_names(names, model.classes, mapping,
                                    *_CLASS_NAMES.get(model.classes, ()))
    return model


def _prefix(names: Collection[str]) -> str | None:
    """The prefix of the network's names, as in a checkpoint with other parts; or None."""
    return prefix_of(names, 'proto_net.0.weight')


def _arguments(state: State) -> dict[str, Any]:
    """The arguments of the class that the weights determine."""
    classes, channels, _, _ = state.shape('semantic_seg_conv.weight', 4)
    arguments = {'classes': classes, 'fpn_channels': channels,
                 'prototypes': state.shape('proto_net.10.bias', 1)[0],
                 'rescoring': _rescoring_channels(state)}
    if f'backbone.{STEM}' in state:
        return {**arguments, 'backbone': 'darknet53', **darknet_sizes(state, 'backbone.')}
    return {**arguments, **_resnet_arguments(state)}


def _resnet_arguments(state: State) -> dict[str, Any]:
    stages = state.count(_STAGE + '.0.conv1.weight')
    blocks = tuple(state.count(f'{_STAGE.format(stage)}.{{}}.conv1.weight') for stage in range(stages))
    arguments: dict[str, Any] = {'backbone': 'resnet101' if blocks == (3, 4, 23, 3) else 'resnet50',
                 'width': state.shape('backbone.conv1.weight', 4)[0]}
    if blocks not in ((3, 4, 6, 3), (3, 4, 23, 3)):
        arguments['blocks'] = blocks
    deformable = tuple(_interval(state, stage, count) for stage, count in enumerate(blocks))
    return {**arguments, 'deformable': deformable} if any(deformable) else arguments


def _interval(state: State, stage: int, blocks: int) -> int:
    """n if every n-th block of a stage, from the first, is deformable; 0 if none is."""
    numbers = [block for block in range(blocks)
               if f'{_STAGE.format(stage)}.{block}.conv2.conv_offset_mask.weight' in state]
    if not numbers:
        return 0
    interval = numbers[1] if len(numbers) > 1 else blocks
    if numbers != list(range(0, blocks, interval)):
        state.mapping.fail(f'the blocks {numbers} of its stage {stage} are deformable, expected '
                           f'every n-th one')
    return interval


def _rescoring_channels(state: State) -> tuple[int, ...]:
    """The channels of the strided convolutions of the net that scores masks."""
    name = 'maskiou_net.maskiou_net.{}.bias'
    channels, number = [], 0
    while name.format(number) in state:
        channels.append(state.shape(name.format(number), 1)[0])
        number += 2
    return tuple(channels[:-1])


def _published(state: State, found: dict[str, Any], wanted: str | None) -> dict[str, Any]:
    """The arguments of the wanted published network, or of the most likely one."""
    models = {name: YolactRecipe.load(name).to_tables()['model'] for name in _PUBLISHED}
    anchors = state.shape(f'{HEAD}.bbox_layer.bias', 1)[0] // len(_DEFAULTS['anchor_ratios']) // 4
    shapes = _shapes({**_DEFAULTS, **found}, anchors)
    fitting = [name for name, arguments in models.items()
               if _shapes({**_DEFAULTS, **arguments}) == shapes]
    if wanted is not None:
        if wanted not in fitting:
            others = ' and '.join(f'yolact_{name}' for name in fitting) or 'no published network'
            state.mapping.fail(f'its shapes are not those of yolact_{wanted}, but those of {others}')
        return models[wanted]
    if not fitting:
        state.mapping.fail('its shapes match no published network; give its configuration '
                           'with --config FILE')
    name, reason = _most_likely(fitting, pathlib.Path(state.mapping.path).stem, found['classes'])
    state.mapping.assume(f'yolact_{name} {reason}; override with --config')
    return models[name]


def _most_likely(fitting: list[str], stem: str, classes: int) -> tuple[str, str]:
    """One of several published networks, and why; the original also uses the file name."""
    model = model_name(stem)
    named = [name for name in fitting if re.match(rf'yolact_{name}(?![a-z0-9])', model)]
    if named:
        return max(named, key=len), 'from the file name'
    pascal = classes == _PASCAL_CLASSES
    likely = [name for name in fitting if name.endswith('pascal') == pascal]
    if pascal and likely:
        return likely[0], f'from its {classes} classes'
    return (likely or fitting)[0], 'from its shapes, because its name contains no configuration'


def model_name(stem: str) -> str:
    """The model's name in a file name, in lower case: without the epoch and the iteration at the end, and
    without the suffix of an interrupted training run."""
    return re.sub(r'_\d+_\d+$', '', stem.lower().removesuffix('_interrupt'))


def _shapes(arguments: Mapping[str, Any], anchors: int | None = None) -> tuple:
    """Everything that the shapes of the weights depend on, except the number of classes."""
    return (arguments['backbone'], arguments['width'] or find_backbone(arguments['backbone']).width,
            anchors or len(arguments['anchor_scales'][0]),
            arguments['fpn_channels'], arguments['prototypes'],
            *(tuple(arguments[name] or ()) for name in ('blocks', 'deformable', 'rescoring')))


def _fill(model: Yolact, state: State) -> None:
    if f'backbone.{STEM}' in state:
        fill_darknet(model.backbone, state, 'backbone.')
    else:
        stages = [f'layers.{number}' for number in range(len(model.backbone.stage_names))]
        state.fill_resnet(model.backbone, 'backbone.', stages)
    for theirs, ours in (('lat_layers', 'lateral'), ('pred_layers', 'output')):
        layers = model.pyramid[ours]
        for number in range(len(layers)):  # The original counts from the deepest.
            state.fill_convolution(layers[-1 - number], f'fpn.{theirs}.{number}')
    for number, link in enumerate(model.pyramid.extra):
        state.fill_convolution(link, f'fpn.downsample_layers.{number}')
    for number, name in _PROTONET.items():
        state.fill_convolution(model.protonet[name], f'proto_net.{number}')
    for theirs, ours in _HEAD.items():
        state.fill_convolution(model.head[ours], f'{HEAD}.{theirs}')
    state.fill_convolution(model.semantic, 'semantic_seg_conv')
    if model.rescores:
        for number, link in enumerate(model.rescoring.layers):
            state.fill_convolution(link, f'maskiou_net.maskiou_net.{2 * number}')


def _skip_dropped(state: State) -> None:
    for name, array in state.arrays.items():
        for pattern, reason in _DROPPED.items():
            if re.match(pattern, name):
                state.mapping.skip(array, reason)
