"""RITM's click networks as the original saves them: a state dict and the arguments of its class (.pth)."""

from collections.abc import Iterable, Mapping
from typing import Any

import chainer
import msgspec
import numpy as np

from chainer_seg import schema
from chainer_seg.errors import WeightFileError, quoted
from chainer_seg.models.ritm import RitmDeepLab, RitmHRNet, RitmSegmenter
from chainer_seg.models.ritm.segmenter import IMAGE_MEAN, IMAGE_STD
from converters.torch_checkpoint import prefix_of, skip_training
from converters.torch_state import State
from converters.trees import named_arrays
from converters.weight_mapping import WeightMapping

HRNET, DEEPLAB = 'HRNetModel', 'DeeplabModel'
_NETWORKS = {HRNET: 'RITM on HRNet', DEEPLAB: 'RITM on DeepLab v3+'}

# An array that each network has.
_ENDINGS = {HRNET: 'ocr_distri_head.conv_bn_dropout.0.weight', DEEPLAB: 'aspp.concurent.0.0.weight'}

_PREFIX = 'feature_extractor.'
_OCR = _PREFIX + 'ocr_distri_head.'
SLOPE = 0.2  # Of the original's leaky ReLUs.


class _Parameter(msgspec.Struct):
    """An argument as the original stores it, beside its type."""

    value: Any = None


class _Configuration(msgspec.Struct):
    """The entry ``config`` of a checkpoint."""

    class_: schema.Text = msgspec.field(name='class')
    params: dict[schema.Text, _Parameter]


class _Options(msgspec.Struct):
    """The arguments of the original's classes that the weights do not determine, with their defaults."""

    use_rgb_conv: bool = True
    use_disks: bool = False
    norm_radius: schema.Above = 260
    use_leaky_relu: bool = False
    aspp_dropout: schema.Share = 0.5
    # No published network uses these.
    binary_prev_mask: bool = False
    conv_extend: bool = False
    clicks_groups: list | None = None
    norm_mean_std: tuple[list[float], list[float]] = (list(IMAGE_MEAN), list(IMAGE_STD))


# What no weights tell; given by the user, they stand for a missing configuration.
_NEEDED = ('click_encoding', 'click_radius', 'slope')


def recognise(tree: object) -> str | None:
    """The name of the network in a tree; None if this module does not recognise it."""
    if isinstance(tree, list) and tree:
        return recognise(tree[0])
    named = _class_of(tree.get('config')) if isinstance(tree, dict) and 'state_dict' in tree else None
    if named is not None:
        return _NETWORKS.get(named, 'RITM')
    network = _network_of(named_arrays(tree))
    return None if network is None else _NETWORKS[network]


def build(tree: Any, mapping: WeightMapping, config: dict[str, Any]) -> RitmSegmenter:
    """The :class:`~chainer_seg.models.ritm.RitmHRNet` or :class:`~chainer_seg.models.ritm.RitmDeepLab`.

    Args:
        tree: As returned by the reader of the format.
        mapping: The :class:`~converters.weight_mapping.WeightMapping` of its arrays.
        config: Arguments of the class that override those found in the file.
    """
    if isinstance(tree, list):
        mapping.fail(f'it has {len(tree)} networks, one for each number of clicks; expected one network')
    names = named_arrays(tree)
    network = _network_of(names)
    arguments = _click_arguments(tree, mapping, config)
    if network is None:
        mapping.fail('it has the configuration of a RITM network, but not its weights')
    state = State(tree, mapping, prefix_of(names, _PREFIX + _ENDINGS[network]) or '')
    arguments['mask_input'] = _takes_mask(state, arguments)
    if network == HRNET:
        model: RitmSegmenter = mapping.make(RitmHRNet, {**_hrnet_arguments(state), **arguments, **config})
    else:
        model = mapping.make(RitmDeepLab, {**_deeplab_arguments(state), **arguments, **config})
    _fill_clicks(model, state)
    fill = _fill_hrnet if network == HRNET else _fill_deeplab
    fill(model, state)
    skip_training(tree, mapping)
    return model


def _class_of(config: object) -> str | None:
    """The class that a checkpoint names, without its module; None if there is none."""
    named = config.get('class') if isinstance(config, dict) else None
    return named.rpartition('.')[2] if isinstance(named, str) and named.startswith('isegm.') else None


def _network_of(names: Iterable[str]) -> str | None:
    found = [name for name, ending in _ENDINGS.items() if prefix_of(names, _PREFIX + ending) is not None]
    return found[0] if found else None


def _click_arguments(tree: object, mapping: WeightMapping, config: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments about the clicks, from the original's configuration."""
    stored = tree.get('config') if isinstance(tree, dict) else None
    if stored is None:
        missing = [name for name in _NEEDED if name not in config]
        if missing:
            mapping.fail(f"it has no 'config' beside its state_dict, which says how clicks are shown to the "
                         f'network; give {", ".join(missing)} with --config or --set')
        return {}
    where = f'The configuration in {mapping.path}'
    known = schema.check(stored, _Configuration, where, WeightFileError)
    if _class_of(stored) not in _NETWORKS:
        mapping.fail(f'it is a {quoted(known.class_)}, expected a {" or a ".join(_NETWORKS)}')
    values = {name: parameter.value for name, parameter in known.params.items()}
    options = schema.check(values, _Options, where, WeightFileError)
    _refuse_unused(options, mapping)
    return {'click_encoding': 'disk' if options.use_disks else 'distance',
            'click_radius': options.norm_radius,
            'fusion': 'colors' if options.use_rgb_conv else 'features',
            'slope': SLOPE if options.use_leaky_relu else 0,
            **({'dropout': options.aspp_dropout} if _class_of(stored) == DEEPLAB else {})}


def _refuse_unused(options: '_Options', mapping: WeightMapping) -> None:
    for name, used in (('binary_prev_mask', options.binary_prev_mask), ('conv_extend', options.conv_extend),
                       ('clicks_groups', options.clicks_groups)):
        if used:
            mapping.fail(f'its configuration has {name}, which is not supported; no published network '
                         f'has it')
    if not np.allclose(options.norm_mean_std, (IMAGE_MEAN, IMAGE_STD)):
        mapping.fail(f"its configuration has the norm_mean_std {options.norm_mean_std}, expected "
                     f"ImageNet's, {IMAGE_MEAN} and {IMAGE_STD}")


def _takes_mask(state: State, arguments: dict[str, Any]) -> bool:
    """Whether the previous mask is among the inputs: three maps instead of two."""
    colors = 'rgb_conv.0.weight' in state
    arguments['fusion'] = 'colors' if colors else 'features'
    channels = state.shape('rgb_conv.0.weight' if colors else 'maps_transform.0.weight', 4)[1]
    maps = channels - 3 if colors else channels
    if maps not in (2, 3):
        state.mapping.fail(f'its clicks are shown in {maps} maps, expected 2, or 3 with the previous mask')
    if not colors:
        arguments['click_width'] = state.shape('maps_transform.0.weight', 4)[0]
    return maps == 3


def _hrnet_arguments(state: State) -> dict[str, Any]:
    name = _PREFIX + 'stage{}.0.branches.0.0.conv1.weight'
    stages = state.count(name, first=2)
    return {'width': state.shape(name.format(2), 4)[0],
            'blocks': state.count(_PREFIX + 'layer1.{}.conv1.weight'),
            'modules': [state.count(f'{_PREFIX}stage{stage}.{{}}.branches.0.0.conv1.weight')
                        for stage in range(2, 2 + stages)],
            'stem_width': state.shape(_PREFIX + 'conv1.weight', 4)[0],
            'ocr_width': state.shape(_OCR + 'object_context_block.f_down.0.weight', 4)[0]}


def _deeplab_arguments(state: State) -> dict[str, Any]:
    backbone = _PREFIX + 'backbone.'
    if f'{backbone}layer1.0.conv3.weight' in state:
        state.mapping.fail('its ResNet has bottlenecks, expected basic blocks as in ResNet-34, the only one '
                           'that was published with it')
    stages = state.count(backbone + 'layer{}.0.conv1.weight', first=1)
    return {'blocks': [state.count(f'{backbone}layer{stage}.{{}}.conv1.weight')
                       for stage in range(1, 1 + stages)],
            'width': state.shape(f'{backbone}conv1.weight', 4)[0],
            'channels': state.shape(_PREFIX + 'aspp.project.0.weight', 4)[0]}


def _fill_clicks(model: RitmSegmenter, state: State) -> None:
    if model.colors_only:
        state.fill_convolution(model.clicks.first, 'rgb_conv.0')
        state.fill_norm(model.clicks.norm, 'rgb_conv.1')
        state.fill_convolution(model.clicks.second, 'rgb_conv.3')
        return
    state.fill_convolution(model.clicks.first, 'maps_transform.0')
    state.fill_convolution(model.clicks.second, 'maps_transform.2')
    state.mapping.fill(model.clicks.scale.array, state['maps_transform.3.scale'])


def _fill_hrnet(model: Any, state: State) -> None:
    net = model.backbone
    for number, link in enumerate((net.stem1, net.stem2), start=1):
        state.fill_conv_norm(link, f'{_PREFIX}conv{number}', f'{_PREFIX}bn{number}')
    state.fill_blocks(net.stage1, _PREFIX + 'layer1')
    for number, name in enumerate(net.stage_names):
        stage, transition = net[name], f'{_PREFIX}transition{number + 1}'
        for branch, link in enumerate(stage.projections):
            _fill_pair(link, f'{transition}.{branch}', state)
        _fill_pair(stage.down, f'{transition}.{len(stage.projects)}.0', state)
        for index, module in enumerate(stage.modules):
            _fill_module(module, f'{_PREFIX}{name}.{index}', state)
    _fill_context(model.context, state)


def _fill_module(module: Any, name: str, state: State) -> None:
    for branch, blocks in enumerate(module.branches):
        state.fill_blocks(blocks, f'{name}.branches.{branch}')
    for target, links in enumerate(module.fusions):
        sources = [source for source in range(len(module.branches)) if source != target]
        for source, link in zip(sources, links):
            fusion = f'{name}.fuse_layers.{target}.{source}'
            if source > target:
                _fill_pair(link, fusion, state)
                continue
            for step, each in enumerate(link):
                _fill_pair(each, f'{fusion}.{step}', state)


def _fill_pair(link: chainer.Link, name: str, state: State) -> None:
    state.fill_conv_norm(link, f'{name}.0', f'{name}.1')


def _fill_context(context: Any, state: State) -> None:
    for link, name in ((context.guess, 'aux_head'), (context.pixels, 'conv3x3_ocr')):
        _fill_pair(link, _PREFIX + name, state)
    state.fill_convolution(context.guess_logits, _PREFIX + 'aux_head.3')
    block = _OCR + 'object_context_block.'
    for link, name, number in (
            (context.query1, 'f_pixel', 0), (context.query2, 'f_pixel', 2), (context.key1, 'f_object', 0),
            (context.key2, 'f_object', 2), (context.value, 'f_down', 0), (context.context, 'f_up', 0)):
        state.fill_conv_norm(link, f'{block}{name}.{number}', f'{block}{name}.{number + 1}.0')
    state.fill_conv_norm(context.merge, _OCR + 'conv_bn_dropout.0', _OCR + 'conv_bn_dropout.1.0')
    state.fill_convolution(context.logits, _PREFIX + 'cls_head')


def _fill_deeplab(model: Any, state: State) -> None:
    stages = [f'layer{number + 1}' for number in range(len(model.resnet.stage_names))]
    state.fill_resnet(model.resnet, _PREFIX + 'backbone.', stages)
    branches = _PREFIX + 'aspp.concurent.'
    for number, link in enumerate((model.pyramid.point, *model.pyramid.dilated)):
        _fill_pair(link, f'{branches}{number}', state)
    pooled = f'{branches}{1 + len(model.pyramid.dilated)}.gap'
    state.fill_conv_norm(model.pyramid.mean, f'{pooled}.1', f'{pooled}.2')
    _fill_pair(model.pyramid.project, _PREFIX + 'aspp.project', state)
    _fill_pair(model.skip, _PREFIX + 'skip_project.skip_project', state)
    for head, name in ((model.decoder, _PREFIX + 'head.block'), (model.logits, 'head.layers')):
        for number, link in enumerate((head.first, head.second)):
            state.fill_convolution(link.depthwise, f'{name}.{number}.body.0')
            state.fill_convolution(link.pointwise, f'{name}.{number}.body.1')
            state.fill_norm(link.norm, f'{name}.{number}.body.2')
        state.fill_convolution(head.last, f'{name}.2')
