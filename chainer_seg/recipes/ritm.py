"""The recipe of RITM, iterative click segmentation with mask guidance (arXiv 2102.06583)."""

import dataclasses
import functools
import typing
from typing import Annotated, Any, ClassVar, Literal

from chainer_seg.recipes.base import Parts, Recipe
from chainer_seg.recipes.options import Blocks, Count, Flat, NotNegative, Positive, Share, Size, option
from chainer_seg.recipes.rules import (
    DATA_RULES, MOMENTUM_RULE, STEP_RULE, VALIDATION_RULES, only, where, without)
from chainer_seg.recipes.run import Run
from chainer_seg.recipes.start import find_resnet, load_as
from chainer_seg.recipes.training import StepTraining
from chainer_seg.recipes.validation import click_figures

if typing.TYPE_CHECKING:
    from chainer_seg.models.ritm import RitmSegmenter

# What the authors train with a tenth of the learning rate: what starts from ImageNet, and in HRNet also
# the layers of both logits, which lie among it.
_SLOW = {
    'RitmHRNet': ('/model/backbone/*', '/model/context/guess/*', '/model/context/guess_logits/*',
                  '/model/context/logits/*'),
    'RitmDeepLab': ('/model/resnet/*',),
}

Range = Annotated[tuple[float, float], option(metavar='MIN MAX')]


@dataclasses.dataclass(frozen=True)
class Network:
    """The network.

    Attributes:
        init: RITM model to start from, with its sizes; "ritm-hrnet18s" and others are published.
        backbone: Model file whose ResNet a new DeepLab starts from, such as a converted ResNet-34 of PyTorch.
        network: HRNet with object context, or DeepLab v3+ on a ResNet of basic blocks.
        width: Channels of HRNet's finest branch, or of the ResNet's stem; published: 18 or 32, DeepLab 64.
        branch_blocks: Blocks of each of HRNet's branches; published: 2 or 4.
        modules: Modules of HRNet's stages; published: 1 3 2 or 1 4 3.
        ocr_width: Channels of the object context; published: 48, 64 or 128.
        stem_width: Channels of HRNet's stem; published: 64.
        blocks: Blocks of the ResNet's stages; published: 3 4 6 3.
        channels: Channels of DeepLab's decoder; published: 128.
        click_encoding: Disks around the clicks, or distances to them.
        click_radius: Radius of the disks, or what distances are measured in, in pixels.
        mask_input: Feed the previous mask to the network.
        fusion: Add features of the clicks to those of the image, or mix the clicks into its colours.
        zoom_side: Longer side of the crop that is zoomed in on at inference, in pixels.
    """

    init: Annotated[str | None, option(metavar='MODEL')] = None
    backbone: Annotated[str | None, option(metavar='MODEL')] = None
    network: Literal['hrnet', 'deeplab'] = 'hrnet'
    width: Positive = 8
    branch_blocks: Blocks = 1
    modules: tuple[Blocks, ...] = (1, 1, 1)
    ocr_width: Positive = 16
    stem_width: Positive = 16
    blocks: tuple[Blocks, Blocks, Blocks, Blocks] = (2, 2, 2, 2)
    channels: Positive = 32
    click_encoding: Literal['disk', 'distance'] = 'disk'
    click_radius: Annotated[float, option(metavar='PX')] = 5.0
    mask_input: bool = True
    fusion: Literal['features', 'colors'] = 'features'
    zoom_side: Annotated[Positive, option(metavar='PX')] = 400


@dataclasses.dataclass(frozen=True)
class Samples:
    """The samples.

    Attributes:
        crop: Size of the samples, in pixels; published: 320 480.
        random_scale: Images are resized by a random factor between these two.
        max_clicks: Maximum numbers of positive and of negative random clicks.
        click_decay: Probability of one more click, relative to that of as many as there are.
        simulated_clicks: A simulated user adds up to this many clicks where the network is wrong.
        merged_objects: Share of the samples whose object is two objects.
        least_area: Minimum area of an object in a sample, in pixels; published: 1000.
    """

    crop: Size = (128, 128)
    random_scale: Range = (0.75, 1.4)
    max_clicks: Positive = 24
    click_decay: Share = 0.8
    simulated_clicks: Annotated[Count, option(metavar='N')] = 3
    merged_objects: Annotated[Share, option(metavar='SHARE')] = 0.15
    least_area: Annotated[Positive, option(metavar='PX')] = 200


@dataclasses.dataclass(frozen=True)
class Losses:
    """The losses.

    Attributes:
        alpha: Weight of the object's pixels in the focal loss, the others having the rest to 1.
        gamma: Exponent of the focal loss.
        aux_weight: Weight of the cross entropy of HRNet's auxiliary logits.
        backbone_lr: Learning rate of the HRNet or the ResNet, in units of --lr; published: 0.1, from
            ImageNet's weights.
    """

    alpha: Share = 0.5
    gamma: NotNegative = 2.0
    aux_weight: NotNegative = 0.4
    backbone_lr: Annotated[NotNegative, option(metavar='FACTOR')] = 1.0


@dataclasses.dataclass(frozen=True)
class RitmTraining(StepTraining):
    """The training.

    Attributes:
        val_objects: Maximum number of objects to validate on.
    """

    iterations: Positive = 2000
    weight_decay: NotNegative = 0.0
    schedule: Literal['steps', 'cosine', 'constant'] = 'cosine'
    lr_step: Annotated[tuple[Positive, ...], option('--steps')] = (1600, 1800)
    val_objects: Annotated[Positive, option(metavar='N')] = 80


_HRNET = ('--branch-blocks', '--modules', '--ocr-width', '--stem-width', '--aux-weight')
_DEEPLAB = ('--blocks', '--channels', '--backbone')
_SIZES = ('--network', '--width', *_HRNET[:-1], *_DEEPLAB, '--click-encoding', '--click-radius',
          '--mask-input', '--fusion')


@dataclasses.dataclass(frozen=True)
class RitmRecipe(Recipe):
    """Train RITM: click segmentation in which the network corrects its own last mask.

    The defaults train a small network on a CPU in minutes; ``--recipe hrnet18s``, ``hrnet18``, ``hrnet32``
    and ``resnet34`` are the trainings of the authors, but for ImageNet's weights to start from.
    """

    network: Flat[Network] = Network()
    samples: Flat[Samples] = Samples()
    losses: Flat[Losses] = Losses()
    training: Flat[RitmTraining] = RitmTraining()

    system: ClassVar[str] = 'ritm'
    title: ClassVar[str] = 'iterative click segmentation (RITM)'
    rules: ClassVar = (
        *DATA_RULES, *VALIDATION_RULES, MOMENTUM_RULE,
        only(without('--init'), *_SIZES),
        only(where('--network', 'hrnet'), *_HRNET), only(where('--network', 'deeplab'), *_DEEPLAB),
        STEP_RULE)

    def parts(self, train: Any, validation: Any, run: Run) -> Parts:
        from chainer_seg.models.ritm.samples import RitmSamples
        from chainer_seg.models.ritm.train_chain import RitmTrainChain
        samples, losses = self.samples, self.losses
        model = self.make_model(run.seed)
        chain = RitmTrainChain(model, losses.alpha, losses.gamma, losses.aux_weight)
        transform = RitmSamples(samples.crop, samples.random_scale, samples.max_clicks, samples.click_decay,
                                samples.simulated_clicks, samples.merged_objects, samples.least_area)
        return Parts(
            model, chain, train, transform,
            functools.partial(click_figures, dataset=validation, objects=self.training.val_objects,
                              loop=run.ranks.loop),
            ('validation/iou@3', 'max'),
            {'lr_multipliers': dict.fromkeys(_SLOW[type(model).__name__], losses.backbone_lr)})

    def make_model(self, seed: int = 0) -> 'RitmSegmenter':
        """The model of ``init``, or a new one."""
        from chainer_seg.models.ritm import RitmDeepLab, RitmHRNet, RitmSegmenter
        net = self.network
        if net.init:
            model = load_as(net.init, RitmSegmenter, 'RITM model',
                            'name one that chainer-seg train ritm or convert wrote')
            model.zoom_side = model.config['zoom_side'] = net.zoom_side
            return model
        clicks = {name: getattr(net, name) for name in (
            'click_encoding', 'click_radius', 'mask_input', 'fusion', 'zoom_side')}
        if net.network == 'hrnet':
            return RitmHRNet(net.width, net.branch_blocks, net.modules, net.ocr_width, net.stem_width,
                             seed=seed, **clicks)
        model = RitmDeepLab(net.blocks, net.width, net.channels, seed=seed, **clicks)
        if net.backbone:
            from chainer_seg.links import copy_resnet
            copy_resnet(find_resnet(net.backbone), model.resnet)
        return model
