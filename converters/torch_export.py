"""DeepMask and SharpMask of this package as the trees that the Torch implementation saves.

``torch7_writer.write(path, torch_tree(model))`` writes a .t7 file in the form of the published ones, with nn
modules instead of cudnn, without Lua or a GPU. :func:`converters.convert` restores the same model.
"""

from typing import Any

import chainer
import numpy as np

from chainer_seg.errors import UserError
from chainer_seg.links import FrozenAffine
from chainer_seg.models.deepmask import DeepMask, SharpMask
from chainer_seg.models.deepmask.model import SCORE_FLOOR, STEPS
from chainer_seg.models.deepmask.trunk import STRIDE
from converters.formats.torch7_values import Object, Storage, Table


def torch_tree(model: chainer.Chain) -> Table:
    """The tree of a DeepMask or SharpMask: a table of ``model`` and ``config``.

    Raises:
        chainer_seg.errors.UserError: The model is of another class.
    """
    if not isinstance(model, (DeepMask, SharpMask)):
        raise UserError(f'A {type(model).__name__} cannot be exported to Torch; expected a DeepMask or a '
                        f'SharpMask.')
    model = model.copy(mode='copy')
    model.to_device('@numpy')
    side = model.patch_size // STRIDE
    fields: dict[str, Any] = {
        'fSz': side, 'trunk': _trunk(model.trunk, side), 'scoreBranch': _score(model.score)}
    config = {'iSz': model.patch_size, 'gSz': model.target_size, 'batch': 1}
    if model.mask_size is not None:
        config['oSz'] = model.mask_size
    if isinstance(model, DeepMask):
        fields['maskBranch'] = _mask(model)
        name = 'nn.DeepMask'
    else:
        config['km'] = config['ks'] = model.refine.mask_channels
        fields.update(_refinement(model.refine, side), km=config['km'], ks=config['ks'])
        if model.mask_size is not None:
            fields['maskBranchDM'] = _mask(model)
        name = 'nn.SharpMask'
    return Table({'model': Object(name, Table(fields)), 'config': Table(config)})


def _module(class_name: str, *modules: Object, **fields: Any) -> Object:
    table = Table(fields)
    if modules:
        table['modules'] = Table(enumerate(modules, start=1))
    return Object(class_name, table)


def _sequential(*modules: Object) -> Object:
    return _module('nn.Sequential', *modules)


def _relu() -> Object:
    return _module('nn.ReLU', inplace=True, threshold=0, val=0)


def _padding(name: str, pixels: int) -> Object:
    return _module(name, pad_l=pixels, pad_r=pixels, pad_t=pixels, pad_b=pixels)


def _convolution(link: chainer.Link, mirrored: int = 0) -> Object:
    """A convolution, behind its symmetric padding if it has one."""
    outputs, inputs = link.W.shape[:2]
    fields = {'weight': link.W.array, 'nInputPlane': inputs, 'nOutputPlane': outputs,
              'kW': link.ksize, 'kH': link.ksize, 'dW': link.stride[1], 'dH': link.stride[0],
              'padW': link.pad[1], 'padH': link.pad[0]}
    if link.b is not None:
        fields['bias'] = link.b.array
    convolution = _module('nn.SpatialConvolution', **fields)
    if not mirrored:
        return convolution
    return _sequential(_padding('nn.SpatialSymmetricPadding', mirrored), convolution)


def _linear(link: chainer.Link) -> Object:
    """The nn.Linear of a convolution that covers its whole input."""
    return _module('nn.Linear', weight=link.W.array.reshape(len(link.W), -1), bias=link.b.array)


def _conv_norm(link: chainer.Link) -> tuple[Object, Object]:
    return _convolution(link.conv, link.mirrored), _norm(link.norm)


def _norm(link: chainer.Link) -> Object:
    if isinstance(link, FrozenAffine):
        return _module('inn.ConstAffine', a=link.scale, b=link.shift, inplace=False)
    return _module('nn.SpatialBatchNormalization', weight=link.gamma.array, bias=link.beta.array,
                   running_mean=link.avg_mean, running_var=link.avg_var, eps=float(link.eps),
                   momentum=0.1, affine=True, nDim=4)


def _trunk(trunk: chainer.Chain, side: int) -> Object:
    resnet = trunk.resnet
    stages = [_sequential(*map(_block, resnet[name])) for name in resnet.stage_names]
    pooling = _module('nn.SpatialMaxPooling', kW=3, kH=3, dW=2, dH=2, padW=resnet.pool_pad,
                      padH=resnet.pool_pad, ceil_mode=False)
    length = trunk.bottleneck.W.shape[0] * side ** 2
    return _sequential(*_conv_norm(resnet.stem), _relu(), pooling, *stages,
                       _padding('nn.SpatialZeroPadding', -1), _convolution(trunk.bottleneck), _relu(),
                       _view(length), _linear(trunk.features))


def _block(block: chainer.Chain) -> Object:
    main = _sequential(*_conv_norm(block.reduce), _relu(), *_conv_norm(block.middle), _relu(),
                       *_conv_norm(block.expand))
    shortcut = (_sequential(*_conv_norm(block.shortcut)) if block.projects
                else _module('nn.Identity'))
    return _sequential(_module('nn.ConcatTable', main, shortcut),
                       _module('nn.CAddTable', inplace=True), _relu())


def _view(*size: int) -> Object:
    return _module('nn.View', size=Storage('torch.LongStorage', np.array((1, *size), np.int64)))


def _score(score: chainer.Chain) -> Object:
    dropout = _module('nn.Dropout', p=score.dropout, v2=True)
    return _sequential(dropout, _linear(score.hidden),
                       _module('nn.Threshold', threshold=0, val=float(SCORE_FLOOR), inplace=False),
                       _module('nn.Dropout', p=score.dropout, v2=True), _linear(score.logit))


def _mask(model: DeepMask) -> Object:
    side, target = model.mask_size, model.target_size
    enlarge = _module('nn.SpatialReSamplingEx', owidth=target, oheight=target, xDim=3, yDim=2,
                      mode='bilinear')
    return _sequential(_sequential(_linear(model.mask)),
                       _sequential(_view(side, side), enlarge, _view(target ** 2)))


def _refinement(refine: chainer.Chain, side: int) -> dict[str, Any]:
    """The nets of the refinement: neths and netvs, and refs, which consists of them."""
    netvs = {0: _sequential(_linear(refine.coarse), _view(refine.mask_channels, side, side))}
    neths, refs = {}, {0: netvs[0]}
    last = (_padding('nn.SpatialSymmetricPadding', 1), _convolution(refine.logit),
            _view((STRIDE * side) ** 2))
    for k in range(1, STEPS + 1):
        crop = [_padding('nn.SpatialZeroPadding', -2 ** (k - 1))] if k > 1 else []
        neths[k] = _sequential(*crop, *_convolutions(refine[f'horizontal{k}']))
        netvs[k] = _sequential(*_convolutions(refine[f'vertical{k}']))
        refs[k] = _sequential(
            _module('nn.ParallelTable', neths[k], netvs[k]), _module('nn.CAddTable', inplace=False),
            _relu(), _module('nn.SpatialUpSamplingNearest', scale_factor=2),
            *(last if k == STEPS else ()))
    return {'neths': Table(neths), 'netvs': Table(netvs), 'refs': Table(refs),
            'skpos': [8, 6, 5, 3], 'inps': Table()}


def _convolutions(chain: chainer.ChainList) -> list[Object]:
    """Convolutions behind symmetric padding, with ReLU between them."""
    modules = []
    for name in chain.names:
        modules += [_padding('nn.SpatialSymmetricPadding', 1), _convolution(chain[name]), _relu()]
    return modules[:-1]
