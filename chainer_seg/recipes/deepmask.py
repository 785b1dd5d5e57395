"""The recipes of DeepMask (Pinheiro et al., arXiv 1506.06204) and SharpMask (arXiv 1603.08695)."""

import dataclasses
import functools
import typing
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from chainer_seg.errors import TrainingError
from chainer_seg.recipes.base import Parts, Recipe
from chainer_seg.recipes.data import Data
from chainer_seg.recipes.options import Blocks, Count, Flat, NotNegative, Positive, Share, option
from chainer_seg.recipes.rules import (
    DATA_RULES, MOMENTUM_RULE, OF_SYNTHETIC, VALIDATION_RULES, Rule, When, only, without)
from chainer_seg.recipes.run import Run
from chainer_seg.recipes.start import find_resnet, load_as
from chainer_seg.recipes.training import Training

if typing.TYPE_CHECKING:
    from chainer_seg.models.deepmask import DeepMask, SharpMask
    from chainer_seg.training import Schedule

# The published learning rate, and the epochs after which Torch's train.lua lowers it, by which factor.
PUBLISHED_LR = 1e-3
FIRST_DROP = (50, 0.5)

VALIDATED_EPOCHS = 2  # Torch validates after every second epoch.


@dataclasses.dataclass(frozen=True)
class ImageData(Data):
    """The data.

    Attributes:
        synthetic_images: Number of synthetic images to train on.
    """

    synthetic_images: Annotated[int, option(metavar='N')] = 2000

    skips_empty: ClassVar[bool] = False

    def _open(self, examples: int, seed: int, keypoints: bool | None) -> tuple[Any, Any]:
        return super()._open(self.synthetic_images, seed, keypoints)


@dataclasses.dataclass(frozen=True)
class Samples:
    """The samples.

    Attributes:
        shift: Maximum shift of an object, in pixels.
        scale: Objects are larger or smaller by a factor of up to 2 to this power.
        hfreq: Share of the batches that train the score.
        testmaxload: Batches of a validation.
    """

    shift: float = 16
    scale: float = 0.25
    hfreq: Share = 0.5
    testmaxload: Positive = 500


@dataclasses.dataclass(frozen=True)
class PatchTraining(Training):
    """The training, with the defaults of Torch's train.lua.

    Attributes:
        iterations: Number of updates; --maxepoch epochs if not given.
        maxload: Updates of an epoch.
        maxepoch: Number of epochs.
        lr: Base learning rate; 0 takes the published schedule: 1e-3, then 5e-4 from epoch 50, then 1e-4
            from epoch 120 (DeepMask) or 80 (SharpMask).
        schedule: Shape of the learning rate over the run, if one is given.
        warm_up: Updates over which a given learning rate rises linearly to its base.
        mask_weight: Weight of the mask loss; the batch size, as published, if not given.
        snapshot_every: Updates between snapshots; an epoch if not given.
        copy_every: Epochs between copies of the model that are kept, model_50.npz and so on; 0 for none.
    """

    # Both follow from maxload if not given, which only these recipes have.
    iterations: Annotated[Positive | None, option(metavar='N')] = None  # type: ignore[assignment]
    batch_size: Annotated[int, Meta(ge=1, le=4096), option('--batch')] = 32
    optimizer: Literal['adam', 'momentum'] = 'momentum'
    lr: NotNegative = 0.0
    weight_decay: Annotated[NotNegative, option('--wd')] = 5e-4
    schedule: Literal['constant', 'cosine', 'poly'] = 'constant'
    warm_up: Count = 0
    snapshot_every: Annotated[Positive | None, option(metavar='N')] = None  # type: ignore[assignment]
    copy_every: Annotated[Count, option(metavar='N')] = 50
    maxload: Positive = 4000
    maxepoch: Positive = 300
    mask_weight: NotNegative | None = None

    second_drop: ClassVar[tuple[int, float]] = (120, 0.2)

    def make_schedule(self) -> 'Schedule':
        if self.lr:
            return super().make_schedule()
        from chainer_seg import training
        first, second = (training.Steps((epoch * self.maxload,), factor)
                         for epoch, factor in (FIRST_DROP, self.second_drop))
        return first * second

    def settings(self) -> dict[str, object]:
        return {**super().settings(), 'lr': self.lr or PUBLISHED_LR,
                'iterations': self.iterations or self.maxload * self.maxepoch,
                'snapshot_every': self.snapshot_every or self.maxload,
                'evaluate_every': VALIDATED_EPOCHS * self.maxload, 'shuffle': False,
                'epoch_length': self.maxload, 'copy_every': self.copy_every or None}


@dataclasses.dataclass(frozen=True)
class SharpMaskTraining(PatchTraining):
    """The training, with the defaults of Torch's train.lua for SharpMask."""

    momentum: Share = 0.0
    weight_decay: Annotated[NotNegative, option('--wd')] = 0.0

    second_drop: ClassVar[tuple[int, float]] = (80, 0.2)


@dataclasses.dataclass(frozen=True)
class DeepMaskNetwork:
    """The network.

    Attributes:
        trunk: Model file whose ResNet the network starts from, with its sizes, such as a converted
            resnet-50.t7.
        scratch: Start from random weights.
        iSz: Side of the input patch, in pixels.
        oSz: Side of the predicted mask, in pixels.
        gSz: Side of the true masks, in pixels.
        blocks: Blocks of the three stages.
        width: Channels of the stem.
        norm: Fixed scale and shift, or batch normalisation; affine with --trunk, batch with --scratch.
        bottleneck: Channels behind the last stage.
        features: Length of the feature vector.
        hidden: Hidden units of the score.
    """

    trunk: Annotated[str | None, option(metavar='MODEL')] = None
    scratch: bool = False
    iSz: int = 160  # noqa: N815 - Torch's name
    oSz: int = 56  # noqa: N815
    gSz: int = 112  # noqa: N815
    blocks: tuple[Blocks, Blocks, Blocks] = (3, 4, 6)
    width: int = 64
    norm: Literal['affine', 'batch'] | None = None
    bottleneck: int = 128
    features: int = 512
    hidden: int = 1024


@dataclasses.dataclass(frozen=True)
class SharpMaskNetwork:
    """The network.

    Attributes:
        dm: Trained DeepMask whose trunk and score are taken over.
        km: Channels of the coarse mask.
        ks: Channels of the skip connections before they are halved; must equal --km.
        skip_channels: Channels of the first convolution of a skip connection.
    """

    dm: Annotated[str | None, option('-dm', metavar='MODEL')] = None
    km: int = 32
    ks: int | None = None
    skip_channels: int = 64


@dataclasses.dataclass(frozen=True)
class PatchRecipe(Recipe):
    """What the recipes of DeepMask and SharpMask share."""

    if typing.TYPE_CHECKING:  # both systems have these sections, with defaults of their own
        samples: 'Samples'
        training: PatchTraining

    data: ClassVar[type] = ImageData
    rules: ClassVar[tuple[Rule, ...]] = (
        *DATA_RULES, *VALIDATION_RULES, MOMENTUM_RULE,
        only(OF_SYNTHETIC, '--synthetic-images'), only(without('--trunk'), '--blocks', '--width'),
        only(When('with an --lr above 0', lambda options: options['lr']), '--schedule', '--warm-up'))

    def make_model(self, seed: int = 0) -> 'DeepMask | SharpMask':
        """The network to train."""
        raise NotImplementedError  # both systems have their own

    def parts(self, train: Any, validation: Any, run: Run) -> Parts:
        from chainer_seg.datasets import ObjectIndex
        from chainer_seg.evaluation import evaluate_patches
        from chainer_seg.models.deepmask import DeepMaskTrainChain, PatchSamples, SharpMaskTrainChain
        from chainer_seg.models.deepmask.samples import NUMBERS, stack_patches
        model, samples, training = self.make_model(run.seed), self.samples, self.training
        train, validation = (each if isinstance(each, ObjectIndex) else ObjectIndex(each)
                             for each in (train, validation))
        batch_size = training.batch_size * run.ranks.size
        weight = batch_size if training.mask_weight is None else training.mask_weight
        chain = {'deepmask': DeepMaskTrainChain, 'sharpmask': SharpMaskTrainChain}[self.system]
        return Parts(
            model, chain(model, weight), NUMBERS,
            PatchSamples(train, model.patch_size, model.target_size, samples.shift, samples.scale,
                         samples.hfreq, batch_size, run.seed),
            functools.partial(evaluate_patches, dataset=validation, shift=samples.shift,
                              scale=samples.scale, n=samples.testmaxload * batch_size, loop=run.ranks.loop),
            ('validation/iou@0.7', 'max'), {'converter': stack_patches})


@dataclasses.dataclass(frozen=True)
class DeepMaskRecipe(PatchRecipe):
    """Train DeepMask: object proposals with masks. Options have the names of Torch's train.lua."""

    network: Flat[DeepMaskNetwork] = DeepMaskNetwork()
    samples: Flat[Samples] = Samples()
    training: Flat[PatchTraining] = PatchTraining()

    system: ClassVar[str] = 'deepmask'
    title: ClassVar[str] = 'DeepMask: object proposals with masks'

    def make_model(self, seed: int = 0) -> 'DeepMask':
        """A new DeepMask whose trunk comes from ``trunk`` or, with ``scratch``, has random weights."""
        from chainer_seg.links import copy_resnet
        from chainer_seg.models.deepmask import DeepMask
        from chainer_seg.models.deepmask.trunk import STRIDE
        net = self.network
        if bool(net.trunk) == net.scratch:
            raise TrainingError('Give either --trunk, a model file with a ResNet to start from, or '
                                '--scratch.')
        if net.iSz % STRIDE:
            raise TrainingError(f'--iSz is {net.iSz}; give a multiple of {STRIDE}.')
        source = find_resnet(net.trunk) if net.trunk else None
        blocks: tuple[int, ...] = net.blocks
        width = net.width
        if source is not None:
            blocks = tuple(len(source[name]) for name in source.stage_names[:3])
            width = source.stem.conv.W.shape[0]
        norm = net.norm or ('batch' if source is None else 'affine')
        model = DeepMask(net.iSz, net.oSz, net.gSz, blocks, width, norm, net.bottleneck, net.features,
                         net.hidden, seed=seed)
        if source is not None:
            copy_resnet(source, model.trunk.resnet)
        return model


@dataclasses.dataclass(frozen=True)
class SharpMaskRecipe(PatchRecipe):
    """Train SharpMask, which refines the masks of a DeepMask. Options have the names of train.lua."""

    network: Flat[SharpMaskNetwork] = SharpMaskNetwork()
    samples: Flat[Samples] = Samples(hfreq=0.0)
    training: Flat[SharpMaskTraining] = SharpMaskTraining()

    rules: ClassVar[tuple[Rule, ...]] = tuple(
        rule for rule in PatchRecipe.rules if '--width' not in rule.flags)
    system: ClassVar[str] = 'sharpmask'
    title: ClassVar[str] = 'SharpMask: refines the masks of a DeepMask'

    def make_model(self, seed: int = 0) -> 'SharpMask':
        """A SharpMask with the trunk, score and coarse masks of ``dm``, and a new refinement."""
        from chainer_seg.models.deepmask import DeepMask, SharpMask
        from chainer_seg.models.deepmask.model import STEPS
        from chainer_seg.models.deepmask.train_chain import begin_at_prior
        net = self.network
        if self.samples.hfreq:
            raise TrainingError('SharpMask takes the score of its DeepMask over; omit --hfreq.')
        if net.dm is None:
            raise TrainingError('SharpMask needs --dm, the trained DeepMask that it refines.')
        deepmask = load_as(net.dm, DeepMask, 'DeepMask', 'train one first: chainer-seg train deepmask')
        if net.ks not in (None, net.km):
            raise TrainingError(f'--km is {net.km} and --ks {net.ks}, but the maps of both are added; '
                                f'give one number for both.')
        if net.km % 2 ** STEPS:
            raise TrainingError(f'--km is {net.km}; give a multiple of {2 ** STEPS}.')
        config = {name: value for name, value in deepmask.config.items() if name != 'target_size'}
        model = SharpMask(**{**config, 'mask_channels': net.km, 'skip_channels': net.skip_channels,
                             'seed': seed})
        for name in ('trunk', 'score', 'mask'):
            model[name].copyparams(deepmask[name])
        begin_at_prior(model.refine)
        return model
