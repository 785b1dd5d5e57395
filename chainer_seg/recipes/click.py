"""The recipe of deep interactive object selection (Xu et al., arXiv 1603.04042)."""

import dataclasses
import functools
import logging
import typing
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from chainer_seg.errors import TrainingError
from chainer_seg.recipes.base import Parts, Recipe
from chainer_seg.recipes.click_data import ClickData
from chainer_seg.recipes.data import FILE_SETS
from chainer_seg.recipes.options import (
    Blocks, Count, Flat, NotNegative, Positive, Share, Size, Switch, option)
from chainer_seg.recipes.rules import (
    DATA_RULES, MOMENTUM_RULE, OF_SYNTHETIC, POWER_RULE, When, only, where, with_any, without)
from chainer_seg.recipes.run import Run
from chainer_seg.recipes.sampling import Sampling
from chainer_seg.recipes.start import find_resnet
from chainer_seg.recipes.training import SmoothTraining, Training
from chainer_seg.recipes.validation import VALIDATED_OBJECTS, click_figures

if typing.TYPE_CHECKING:
    from chainer_seg.models.deeplab import ClickSegmenter

log = logging.getLogger(__name__)

COLOURS = 3  # inputs of a network before those that say where the clicks are

# The parameters that the TensorFlow implementation calls conv1 and fc.
ENDS = ('/model/net/resnet/stem/conv/*', '/model/net/pyramid/*')


@dataclasses.dataclass(frozen=True)
class Model:
    """The model.

    Attributes:
        init: Click model to start from, with its sizes.
        not_restore_last: Start the last layers from random weights, also with --init.
        init_trunk: Model whose fitting weights a new model starts from.
        backbone: Model file whose ResNet a new model starts from; the weights of the click inputs start
            at zero.
        blocks: Blocks of the four stages; 3 4 23 3 is ResNet-101.
        width: Channels of the stem; published: 64.
        longest_side: Images are downscaled to this longer side at inference, in pixels; 256, or as --init.
        zoom_side: Zoom in from the second click on, to crops of this size, in pixels.
        local_side: From the third click on, add a pass over a crop of this size around what the last click
            changed, in pixels.
        click_scale: Factor of the click distances; 1, or as --init.
        click_mean: Subtracted from the click maps; 0, or as --init.
        click_encoding: Distances to the clicks, or disks around them; distance, or as --init.
        click_radius: Radius of the disks, in pixels; 5, or as --init.
        mask_input: Feed the previous mask to the network.
        decoder: Channels of a decoder for fine details; none if not given.
    """

    init: Annotated[str | None, option(metavar='MODEL')] = None
    not_restore_last: Switch = False
    init_trunk: Annotated[str | None, option(metavar='MODEL')] = None
    backbone: Annotated[str | None, option(metavar='MODEL')] = None
    blocks: tuple[Blocks, Blocks, Blocks, Blocks] = (2, 2, 3, 2)
    width: int = 16
    longest_side: Annotated[int | None, option(metavar='PX')] = None
    zoom_side: Annotated[int | None, option(metavar='PX')] = None
    local_side: Annotated[int | None, option(metavar='PX')] = None
    click_scale: Annotated[float | None, option(metavar='FACTOR')] = None
    click_mean: Annotated[float | None, option(metavar='VALUE')] = None
    click_encoding: Literal['distance', 'disk'] | None = None
    click_radius: Annotated[float | None, option(metavar='PX')] = None
    mask_input: bool = False
    decoder: Annotated[int | None, option(metavar='CHANNELS')] = None


@dataclasses.dataclass(frozen=True)
class Samples:
    """The samples.

    Attributes:
        crop: Size of the samples, in pixels.
        object_scale: Side of a sample in sides of its object, random between these two.
        whole_images: Resize whole images to --crop instead of cropping.
        max_positive: Maximum number of positive clicks of --sampling few.
        max_negative: Maximum number of negative clicks of --sampling few.
        simulated_clicks: A simulated user adds up to this many clicks to what the model finds.
        start_masks: Share of these samples that start from a wrong mask.
        composites: Share of the samples whose object is composed of neighbouring ones.
    """

    crop: Size = (192, 192)
    object_scale: Annotated[tuple[float, float], option(metavar='MIN MAX')] = (1.2, 4.0)
    whole_images: bool = False
    max_positive: int = 5
    max_negative: int = 5
    simulated_clicks: Annotated[Count, option(metavar='N')] = 0
    start_masks: Annotated[Share, option(metavar='SHARE')] = 0.0
    composites: Annotated[Share, option(metavar='SHARE')] = 0.0


@dataclasses.dataclass(frozen=True)
class Losses:
    """The loss.

    Attributes:
        jaccard_weight: Weight of the soft Jaccard loss beside the cross entropy.
        positive_weight: Weight of the pixels of the object.
        loss_scale: Factor of the mean cross entropy.
        ends_lr: Learning rate of the first convolution and of the pyramid, in units of --lr.
        freeze_bn: Keep the statistics, scales and shifts of batch normalisation.
    """

    jaccard_weight: NotNegative = 0.0
    positive_weight: NotNegative = 1.0
    loss_scale: NotNegative = 1.0
    ends_lr: Annotated[float, option(metavar='FACTOR')] = 1.0
    freeze_bn: bool = False


@dataclasses.dataclass(frozen=True)
class ClickTraining(SmoothTraining):
    """The training.

    Attributes:
        iterations: Number of updates; 2000 if neither it nor --epochs is given.
        epochs: Passes over a data set of files, instead of --iterations.
        val_objects: Maximum number of objects to validate on; 80, or two for each synthetic image.
    """

    iterations: Annotated[Positive | None, option(metavar='N')] = None  # type: ignore[assignment]
    epochs: Annotated[float | None, option(metavar='N')] = None
    val_objects: Annotated[int | None, option(metavar='N')] = None

    def settings(self) -> dict[str, object]:
        if self.iterations is None and self.epochs is not None:
            return {**super().settings(), 'epochs': self.epochs}
        return {**super().settings(), 'iterations': self.iterations or Training.iterations}


def _encodes(encoding: str) -> When:
    """Where clicks are encoded like this: by --click-encoding, or as --init does it."""
    def holds(options: Mapping[str, Any]) -> bool:
        if options['click_encoding'] is None and options['init']:
            from chainer_seg.model_file import read_description
            return read_description(options['init'])['config'].get('click_encoding', 'distance') == encoding
        return (options['click_encoding'] or 'distance') == encoding
    return When(f'to clicks that are encoded as {encoding}', holds)


_SAMPLING_FLAGS = tuple(f'--{field.name.replace("_", "-")}' for field in dataclasses.fields(Sampling))

_RULES = (
    *DATA_RULES, MOMENTUM_RULE, POWER_RULE, only(with_any('--init'), '--not-restore-last'),
    only(where('--dataset', 'click-files'), '--list', '--data', '--val-list'),
    only(When('without --dataset click-files', lambda options: options['dataset'] != 'click-files'),
         '--annotations', '--val-annotations', '--object-scale', '--whole-images', '--simulated-clicks',
         '--start-masks', '--composites', '--jaccard-weight', *_SAMPLING_FLAGS),
    only(OF_SYNTHETIC, '--val-n'), only(with_any('--val-annotations', '--val-list'), '--val-images'),
    only(where('--dataset', *FILE_SETS, 'click-files'), '--epochs'),
    only(without('--iterations'), '--epochs'),
    only(without('--init'), '--init-trunk', '--backbone', '--blocks', '--width', '--mask-input', '--decoder'),
    only(without('--whole-images'), '--object-scale'),
    only(where('--sampling', 'few'), '--max-positive', '--max-negative'),
    only(_encodes('disk'), '--click-radius'), only(_encodes('distance'), '--click-scale'),
)


@dataclasses.dataclass(frozen=True)
class ClickRecipe(Recipe):
    """Train click segmentation. ``--recipe tensorflow`` is the training of the TensorFlow code."""

    model: Flat[Model] = Model()
    samples: Flat[Samples] = Samples()
    sampling: Flat[Sampling] = Sampling()
    losses: Flat[Losses] = Losses()
    training: Flat[ClickTraining] = ClickTraining()

    system: ClassVar[str] = 'click'
    title: ClassVar[str] = 'click segmentation'
    data: ClassVar[type] = ClickData
    rules: ClassVar = _RULES

    def parts(self, train: Any, validation: Any, run: Run) -> Parts:
        from chainer_seg.datasets import ClickFilesDataset
        model = self.make_model(run.seed)
        build = self._file_parts if isinstance(train, ClickFilesDataset) else self._object_parts
        return build(model, train, validation, run)

    def make_model(self, seed: int = 0) -> 'ClickSegmenter':
        """The model of ``init``, or a new one, with the inference settings that are given."""
        from chainer_seg.model_file import load_model
        model = load_model(self.model.init) if self.model.init else self._new_model(seed)
        if self.model.not_restore_last:
            fresh = type(model)(**{**model.config, 'seed': seed})
            model.net.pyramid.copyparams(fresh.net.pyramid)
        if self.samples.start_masks and not model.mask_input:
            raise TrainingError('--start-masks shows the network a mask, and this one takes none; add '
                                '--mask-input, or omit it.')
        settings = dataclasses.asdict(self.model)
        for name in ('longest_side', 'zoom_side', 'local_side', 'click_scale', 'click_mean',
                     'click_encoding', 'click_radius'):
            value = settings[name]
            if value is not None:
                setattr(model, name, value)
                model.config[name] = value
        return model

    def _new_model(self, seed: int) -> 'ClickSegmenter':
        from chainer_seg.links import copy_resnet
        from chainer_seg.model_file import copy_matching, load_model
        from chainer_seg.models.deeplab import ClickSegmenter
        net = self.model
        model = ClickSegmenter(longest_side=256, mask_input=net.mask_input, decoder=net.decoder,
                               blocks=net.blocks, width=net.width, seed=seed)
        if net.init_trunk:
            copied = copy_matching(load_model(net.init_trunk), model)
            log.info('%d arrays of the model come from %s', copied, net.init_trunk)
        if net.backbone:
            resnet = model.net.resnet
            copy_resnet(find_resnet(net.backbone), resnet)
            # At first, the inputs beyond the colours count for nothing.
            resnet.stem.conv.W.array[:, COLOURS:] = 0
            log.info('the ResNet comes from %s', net.backbone)
        return model

    def _object_parts(self, model: 'ClickSegmenter', train: Any, validation: Any, run: Run) -> Parts:
        from chainer_seg.models.deeplab import ClickSamples, ClickTrainChain
        samples, losses = self.samples, self.losses
        transform = ClickSamples(
            samples.crop, samples.object_scale, samples.max_positive, samples.max_negative,
            simulated_clicks=samples.simulated_clicks,
            start_masks=samples.start_masks, composites=samples.composites,
            sampling=self.sampling.chosen(), whole_images=samples.whole_images)
        chain = ClickTrainChain(model, losses.positive_weight, losses.jaccard_weight, losses.loss_scale,
                                losses.freeze_bn)
        return Parts(model, chain, train, transform,
                     functools.partial(click_figures, dataset=validation, objects=self.training.val_objects,
                                       loop=run.ranks.loop),
                     ('validation/iou@3', 'max'),
                     {'lr_multipliers': self.lr_factors(model)})

    def _file_parts(self, model: 'ClickSegmenter', train: Any, validation: Any, run: Run) -> Parts:
        from chainer_seg.models.deeplab.map_training import (
            ClickMapSamples, ClickMapTrainChain, check_encoding, evaluate_maps)
        samples, losses = self.samples, self.losses
        for name, value in (('simulated_clicks', samples.simulated_clicks),
                            ('start_masks', samples.start_masks), ('composites', samples.composites),
                            ('jaccard_weight', losses.jaccard_weight)):
            if value:
                raise TrainingError(f'--{name.replace("_", "-")} needs images with their objects, not '
                                    f'click files; omit it or use --dataset coco.')
        check_encoding(model, train)
        transform = ClickMapSamples(samples.crop, model.click_mean)
        chain = ClickMapTrainChain(model, losses.positive_weight, losses.loss_scale, losses.freeze_bn)
        return Parts(model, chain, train, transform,
                     lambda model: evaluate_maps(chain, validation, transform,
                                                 self.training.val_objects or VALIDATED_OBJECTS,
                                                 run.ranks.loop),
                     ('validation/iou', 'max'), {'lr_multipliers': self.lr_factors(model)})

    def lr_factors(self, model: 'ClickSegmenter') -> dict[str, float]:
        """Learning-rate factors of parameters with a rate of their own, by patterns of paths.

        Raises:
            chainer_seg.errors.TrainingError: Batch normalisation would keep statistics of no data.
        """
        from chainer_seg.links import BatchNorm
        factors = dict.fromkeys(ENDS, self.losses.ends_lr)
        if not self.losses.freeze_bn:
            return factors
        if not (self.model.init or self.model.init_trunk or self.model.backbone):
            raise TrainingError('--freeze-bn, which --recipe tensorflow sets, needs a model that has been '
                                'trained; name one with --init or --backbone, or add --no-freeze-bn.')
        if any(isinstance(link, BatchNorm) for link in model.links()):
            factors.update(dict.fromkeys(('/model/*/gamma', '/model/*/beta'), 0.0))
        return factors
