"""The recipe of Mask R-CNN (He et al., arXiv 1703.06870), after its Chainer implementation."""

import dataclasses
import functools
import logging
import typing
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from chainer_seg.class_names import first_difference, listed
from chainer_seg.errors import TrainingError
from chainer_seg.recipes.base import Parts, Recipe
from chainer_seg.recipes.data import CocoData, check_classes
from chainer_seg.recipes.options import Blocks, Count, Flat, NotNegative, Positive, option
from chainer_seg.recipes.rules import (
    DATA_RULES, MOMENTUM_RULE, VALIDATION_RULES, When, only, where, with_any, without)
from chainer_seg.recipes.run import Run
from chainer_seg.recipes.training import STEP_FACTOR, Training

if typing.TYPE_CHECKING:
    from chainer_seg.links import ResNet
    from chainer_seg.models.mask_rcnn import MaskRCNN, ProposalLimits
    from chainer_seg.training import Schedule

log = logging.getLogger(__name__)

BLOCKS = {'resnet50': (3, 4, 6, 3), 'resnet101': (3, 4, 23, 3)}

# The stages that Detectron leaves as they come from ImageNet (TRAIN.FREEZE_AT 2).
PUBLISHED_FROZEN = 2

# The published weights that --pretrained imagenet means.
IMAGENET = {'resnet50': 'detectron-r50', 'resnet101': 'detectron-r101'}

# The validation figures that are logged, for each kind of thing that the model finds.
EVALUATED = ('AP', 'AP50', 'AP75')


@dataclasses.dataclass(frozen=True)
class Network:
    """The network.

    Attributes:
        pretrained: Model whose ResNet the network starts from; "imagenet" stands for the published weights
            detectron-r50 or detectron-r101, which are downloaded.
        init: Mask R-CNN to start from, with its sizes; classes keep the weights of those of the same name,
            and new ones start from random weights.
        extractor: Backbone.
        neck: "c4" runs the last stage on each region, as the Chainer implementation does; "fpn" is a
            feature pyramid.
        blocks: Blocks of the four stages, instead of those of --extractor.
        width: Channels of the stem.
        stride_on: Convolution of a block that carries its stride.
        freeze_bn: Keep the statistics, scales and shifts of batch normalisation.
        bn2affine: Turn the batch normalisation of --pretrained into a fixed scale and shift.
        freeze_at: Do not train the stem (1) and the stages up to this; 2 with --pretrained, 0 without.
        roialign: Use RoIAlign; RoI pooling otherwise.
        roi_size: Side of a region's features; 14 with C4, 7 with FPN.
        fpn_channels: Channels of the feature pyramid.
        box_features: Units of the box head of FPN.
        mask_channels: Channels of the mask head.
        masks: Train a mask head; boxes only otherwise.
        keypoints: Train a keypoint head; FPN only.
        keypoint_channels: Channels of the keypoint head.
        anchor_sizes: Square roots of the anchors' areas, in pixels.
        canonical_size: Side of a region, in pixels, that FPN takes from the level of stride 16.
        test_side: Shorter side of an image at inference, in pixels; the largest of --min-side.
        test_proposals: Proposals of a level before suppression, and of an image after it, at inference;
            6000 1000 with C4, 1000 1000 with FPN.
    """

    pretrained: Annotated[str | None, option(metavar='MODEL')] = None
    init: Annotated[str | None, option(metavar='MODEL')] = None
    extractor: Literal['resnet50', 'resnet101'] = 'resnet50'
    neck: Literal['c4', 'fpn'] = 'c4'
    blocks: Annotated[tuple[Blocks, Blocks, Blocks, Blocks] | None, option(metavar='N N N N')] = None
    width: int = 64
    stride_on: Literal['1x1', '3x3'] = '1x1'
    freeze_bn: bool = False
    bn2affine: bool = False
    freeze_at: Annotated[int | None, option(metavar='STAGE')] = None
    roialign: bool = True
    roi_size: Positive | None = None
    fpn_channels: int = 256
    box_features: int = 1024
    mask_channels: int = 256
    masks: bool = True
    keypoints: bool = False
    keypoint_channels: int = 512
    anchor_sizes: tuple[float, ...] = (32, 64, 128, 256, 512)
    canonical_size: float = 224
    test_side: int | None = None
    test_proposals: Annotated[tuple[Positive, Positive] | None, option(metavar='BEFORE AFTER')] = None


@dataclasses.dataclass(frozen=True)
class Samples:
    """Images, anchors, proposals and regions of interest.

    Attributes:
        min_side: Shorter side of an image, in pixels; sampled per image if several are given.
        max_side: Maximum longer side, in pixels.
        rpn_anchors: Anchors of an image in the loss of the region proposal network.
        rois: Regions of interest of an image in the losses of the heads.
        proposals: Proposals of a level before suppression, and of an image after it, in training;
            12000 2000 with C4, 2000 2000 with FPN.
        gamma: Weight of the mask loss.
    """

    min_side: tuple[int, ...] = (800,)
    max_side: int = 1333
    rpn_anchors: Positive = 256
    rois: Positive = 512
    proposals: Annotated[tuple[Positive, Positive] | None, option(metavar='BEFORE AFTER')] = None
    gamma: NotNegative = 1.0


@dataclasses.dataclass(frozen=True)
class MaskRCNNTraining(Training):
    """The training, with the defaults of the Chainer implementation.

    Attributes:
        lr: Base learning rate; 0 trains nothing.
        lr_step: Updates after which --schedule steps multiplies the learning rate by 0.1.
        warm_up: Updates over which the learning rate rises linearly from a tenth to its base.
        evaluate_every: Updates between validations.
    """

    iterations: Annotated[Positive, option('--iteration')] = 800_000
    batch_size: Annotated[int, Meta(ge=1, le=4096), option('--batchsize')] = 8
    sub_batches: Annotated[Positive, option('--subdivision')] = 1
    optimizer: Literal['adam', 'momentum'] = 'momentum'
    lr: NotNegative = 1e-4
    schedule: Literal['steps', 'cosine', 'constant'] = 'steps'
    warm_up: Annotated[Count, option('--lr-initialchange')] = 800
    snapshot_every: Annotated[Positive, option('--snapshot', metavar='N')] = 4000
    lr_step: tuple[Positive, ...] = (480_000,)
    evaluate_every: Annotated[Positive, option('--validation', '--validate-every', metavar='N')] = 30_000

    warm_up_start: ClassVar[float] = 0.1

    def _after_warm_up(self) -> 'Schedule':
        from chainer_seg import training
        if self.schedule == 'steps':
            return training.Steps(self.lr_step, STEP_FACTOR)
        return super()._after_warm_up()


def _resumes_model(options: Mapping[str, Any]) -> bool:
    """Whether --resume names a model file rather than a snapshot."""
    from chainer_seg.model_file import is_model_file
    return options['resume'] not in (None, 'auto') and is_model_file(options['resume'])


_RULES = (
    *DATA_RULES, *VALIDATION_RULES, MOMENTUM_RULE,
    only(where('--dataset', 'coco2017'), '--coco-folder'),
    only(When('without --dataset coco2017, which has its files in --coco-folder',
              lambda options: options['dataset'] != 'coco2017'),
         '--annotations', '--images', '--val-annotations', '--val-images'),
    only(When('without a model file to --resume', lambda options: not _resumes_model(options)), '--init'),
    only(When('to a new model, and not with --init or a model file to --resume',
              lambda options: not options['init'] and not _resumes_model(options)),
         '--pretrained', '--extractor', '--neck', '--blocks', '--width', '--stride-on', '--bn2affine',
         '--roialign', '--roi-size', '--fpn-channels', '--box-features', '--mask-channels', '--no-masks',
         '--keypoint-channels', '--anchor-sizes', '--canonical-size', '--test-side', '--test-proposals'),
    only(When('without --blocks, and with --pretrained only if that is imagenet',
              lambda options: not options['blocks'] and options['pretrained'] in (None, 'imagenet')),
         '--extractor'),
    only(without('--pretrained'), '--blocks', '--width'),
    only(where('--neck', 'fpn'), '--fpn-channels', '--box-features', '--canonical-size'),
    only(with_any('--keypoints'), '--keypoint-channels'),
    only(When('without --no-masks', lambda options: options['masks']), '--mask-channels', '--gamma'),
    only(where('--schedule', 'steps'), '--lr-step'),
)


@dataclasses.dataclass(frozen=True)
class MaskRCNNRecipe(Recipe):
    """Train Mask R-CNN: boxes, masks and keypoints of objects. Defaults are as published."""

    network: Flat[Network] = Network()
    samples: Flat[Samples] = Samples()
    training: Flat[MaskRCNNTraining] = MaskRCNNTraining()

    data: ClassVar[type] = CocoData
    rules: ClassVar = _RULES
    system: ClassVar[str] = 'mask-rcnn'
    title: ClassVar[str] = 'instance segmentation and keypoints with Mask R-CNN'

    @property
    def wants_keypoints(self) -> bool:
        return self.network.keypoints

    def model_to_evaluate(self, run: Run) -> str | None:
        from chainer_seg.model_file import is_model_file
        return run.resume if run.resume not in (None, 'auto') and is_model_file(run.resume) else None

    def parts(self, train: Any, validation: Any, run: Run) -> Parts:
        from chainer_seg.datasets import Dataset
        from chainer_seg.models.mask_rcnn import (
            DetectionSamples, MaskRCNNTrainChain, PolygonDataset, batch_samples)
        check_classes(train, validation)
        resumed = self.model_to_evaluate(run)
        model = load_for(resumed, train.class_names) if resumed else self.make_model(train, run.seed)
        # Without a learning rate, running statistics stay as well: the model is only evaluated.
        chain = MaskRCNNTrainChain(
            model, self.samples.gamma, self.samples.rpn_anchors, self.samples.rois,
            limits=self._limits(model), freeze_bn=self.network.freeze_bn or self.training.lr == 0)
        kind = 'keypoints' if model.keypoints else 'segm' if model.with_masks else 'bbox'
        return Parts(
            model, chain, PolygonDataset(train),
            DetectionSamples(self.samples.min_side, self.samples.max_side),
            functools.partial(evaluate, dataset=validation), (f'validation/{kind}/AP', 'max'),
            {'converter': functools.partial(batch_samples, multiple=model.size_multiple),
             'evaluate_every': self.training.evaluate_every,
             'lr_multipliers': self.frozen(model.extractor.resnet)},
            train.category_ids if isinstance(train, Dataset) else None)

    def make_model(self, dataset: Any, seed: int = 0) -> 'MaskRCNN':
        """The model of ``init``, or a new one with the ResNet of ``pretrained`` or random weights."""
        names, keypoints = tuple(dataset.class_names), self._keypoints_of(dataset)
        if self.network.init:
            return self._model_to_start_from(self.network.init, names, keypoints)
        model = self._new_model(len(names), keypoints, seed)
        model.class_names = names
        return model

    def frozen(self, resnet: 'ResNet') -> dict[str, float]:
        """Learning-rate factors of 0 for the parameters that are not trained, by patterns of paths."""
        from chainer_seg.links import BatchNorm
        stages = self.network.freeze_at
        if stages is None:
            stages = PUBLISHED_FROZEN if self.network.pretrained else 0
        root = '/model/extractor/resnet'
        patterns = [f'{root}/{name}/*' for name in ('stem', *resnet.stage_names)[:stages]]
        if self.network.freeze_bn and isinstance(resnet.stem.norm, BatchNorm):
            patterns += [f'{root}/*/gamma', f'{root}/*/beta']
        return dict.fromkeys(patterns, 0.0)

    def _keypoints_of(self, dataset: Any) -> int:
        """The number of keypoints of an object, if they are asked for."""
        if not self.network.keypoints:
            return 0
        instances = dataset[0][1]
        if instances.keypoints is None:
            raise TrainingError('The data set has no keypoints; omit --keypoints or give a '
                                'person_keypoints file.')
        return instances.keypoints.shape[1]

    def _new_model(self, classes: int, keypoints: int, seed: int) -> 'MaskRCNN':
        from chainer_seg.links import copy_resnet
        net, source = self.network, self._pretrained_resnet()
        model = _build(
            classes=classes, neck=net.neck, **self._resnet_config(source),
            stride_on=net.stride_on, fpn_channels=net.fpn_channels, box_features=net.box_features,
            mask_channels=net.mask_channels, with_masks=net.masks, keypoints=keypoints,
            keypoint_channels=net.keypoint_channels, anchor_sizes=net.anchor_sizes,
            min_side=net.test_side or max(self.samples.min_side), max_side=self.samples.max_side,
            roi_size=net.roi_size, pooling='align' if net.roialign else 'pool',
            canonical_size=net.canonical_size, seed=seed,
            **dict(zip(('proposals_before_nms', 'proposals'), net.test_proposals or ())))
        if source is not None:
            copy_resnet(source, model.extractor.resnet)
        return model

    def _resnet_config(self, source: 'ResNet | None') -> dict[str, Any]:
        """The sizes and the normalisation of the backbone; those of ``source`` if there is one."""
        net = self.network
        if source is None and net.bn2affine:
            raise TrainingError('--bn2affine turns the batch normalisation of --pretrained into a fixed '
                                'scale and shift; give --pretrained or omit --bn2affine.')
        if source is None:
            return {'blocks': net.blocks or BLOCKS[net.extractor], 'width': net.width, 'norm': 'batch'}
        from chainer_seg.links import FrozenAffine
        from chainer_seg.links.resnet import EXPANSION
        affine = net.bn2affine or isinstance(source.stem.norm, FrozenAffine)
        return {'blocks': tuple(len(source[name]) for name in source.stage_names),
                'width': source.out_channels[0] // EXPANSION, 'stem_width': source.stem.conv.W.shape[0],
                'norm': 'affine' if affine else 'batch'}

    def _pretrained_resnet(self) -> 'ResNet | None':
        """The ResNet of ``pretrained``, or None."""
        if not self.network.pretrained:
            return None
        from chainer_seg.recipes.start import find_resnet
        return find_resnet(IMAGENET[self.network.extractor] if self.network.pretrained == 'imagenet'
                           else self.network.pretrained)

    def _model_to_start_from(self, init: str, names: tuple[str, ...], keypoints: int) -> 'MaskRCNN':
        """A model of the sizes in the file of ``init``, with its weights as far as they fit."""
        from chainer_seg.models.class_transfer import start_by_names
        source = load_mask_rcnn(init)
        model = _build(**{**source.config, 'classes': len(names), 'keypoints': keypoints})
        model.class_names = names
        started = start_by_names(source, model)
        log.info('%d arrays of the model come from %s, and the weights of %d of %d classes: %s',
                 started.arrays, init, len(started.shared), len(names), listed(started.shared))
        return model

    def _limits(self, model: 'MaskRCNN') -> 'ProposalLimits | None':
        """How many proposals there are in training; the published numbers if not given."""
        if self.samples.proposals is None:
            return None
        from chainer_seg.models.mask_rcnn.train_chain import TRAINING_LIMITS
        before, after = self.samples.proposals
        return TRAINING_LIMITS[model.config['neck']]._replace(before_nms=before, after_nms=after)


def load_mask_rcnn(path: str) -> 'MaskRCNN':
    """The Mask R-CNN in a model file.

    Raises:
        chainer_seg.errors.TrainingError: It holds another model.
    """
    from chainer_seg.model_file import load_model
    from chainer_seg.models.mask_rcnn import MaskRCNN
    model = load_model(path)
    if not isinstance(model, MaskRCNN):
        raise TrainingError(f'{path} holds a {type(model).__name__}, not a Mask R-CNN; to start from '
                            f'its ResNet alone give --pretrained.')
    return model


def load_for(path: str, class_names: Sequence[str]) -> 'MaskRCNN':
    """The Mask R-CNN in a model file, with its classes in the order of ``class_names``.

    Raises:
        chainer_seg.errors.TrainingError: It has other classes.
    """
    from chainer_seg.models.class_transfer import class_labels, start_by_names
    source, names = load_mask_rcnn(path), tuple(class_names)
    model = _build(**{**source.config, 'classes': len(names)})
    model.class_names = names
    if not len(class_labels(source, model)[0]) == source.classes == len(names):
        difference = first_difference(source.class_names or range(source.classes), names)
        raise TrainingError(f'{path} has other classes than the data set: {difference}; give the data set '
                            f'that it was made for, or start from it by --init.')
    start_by_names(source, model)
    return model


def evaluate(model: 'MaskRCNN', dataset: Any) -> dict[str, float]:
    """Average precision of boxes and of whatever else the model finds."""
    from chainer_seg.evaluation import evaluate_coco
    kinds = ['bbox'] + ['segm'] * model.with_masks + ['keypoints'] * bool(model.keypoints)
    figures = evaluate_coco(model, dataset, kinds=tuple(kinds))
    return {f'{kind}/{name}': figures[f'{kind}/{name}'] for kind in kinds for name in EVALUATED}


def _build(**config: Any) -> 'MaskRCNN':
    from chainer_seg.models.mask_rcnn import MaskRCNN
    if config['keypoints'] and config['neck'] != 'fpn':
        raise TrainingError('Keypoints need a feature pyramid; add --neck fpn.')
    try:
        return MaskRCNN(**config)
    except ValueError as error:
        raise TrainingError(f'There is no Mask R-CNN of these sizes: {error}.') from error
