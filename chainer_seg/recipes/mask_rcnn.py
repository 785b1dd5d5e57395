"""The recipe of Mask R-CNN (He et al., arXiv 1703.06870), after its Chainer implementation."""

import dataclasses
import functools
import typing
from typing import Annotated, Any, ClassVar, Literal

from chainer_seg.errors import TrainingError
from chainer_seg.recipes.base import Parts, Recipe
from chainer_seg.recipes.data import CocoData, check_classes
from chainer_seg.recipes.mask_rcnn_training import MaskRCNNTraining
from chainer_seg.recipes.options import Blocks, Flat, NotNegative, Positive, option
from chainer_seg.recipes.rules import (
    DATA_RULES, MOMENTUM_RULE, VALIDATION_RULES, When, only, where, with_any)
from chainer_seg.recipes.run import Run
from chainer_seg.recipes.start import find_resnet, in_order, load_as, resnet_sizes, start_from
from chainer_seg.recipes.validation import mask_rcnn_figures

if typing.TYPE_CHECKING:
    from chainer_seg.links import ResNet
    from chainer_seg.models.mask_rcnn import MaskRCNN

BLOCKS = {'resnet50': (3, 4, 6, 3), 'resnet101': (3, 4, 23, 3)}

# The stages that Detectron leaves as they come from ImageNet (TRAIN.FREEZE_AT 2).
PUBLISHED_FROZEN = 2

# The published weights that --pretrained imagenet means, and what stands for random ones.
IMAGENET, RANDOM = 'imagenet', 'none'
IMAGENET_WEIGHTS = {'resnet50': 'detectron-r50', 'resnet101': 'detectron-r101'}


@dataclasses.dataclass(frozen=True)
class Network:
    """The network.

    Attributes:
        pretrained: Model whose ResNet a new network starts from; "imagenet" stands for the published weights
            detectron-r50 or detectron-r101, which are downloaded, and "none" for random weights.
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
        freeze_at: Do not train the stem (1) and the stages up to this; 2 for a new network with --pretrained,
            otherwise 0.
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

    pretrained: Annotated[str, option('-p', metavar='MODEL')] = IMAGENET
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
    roi_size: Annotated[Positive | None, option('-r', metavar='N')] = None
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


def _model_in(resume: str | None) -> str | None:
    """The model file that --resume names; None for a snapshot."""
    from chainer_seg.model_file import is_model_file
    return resume if resume not in (None, 'auto') and is_model_file(resume) else None


_RULES = (
    *DATA_RULES, *VALIDATION_RULES, MOMENTUM_RULE,
    only(where('--schedule', 'chainer', 'steps'), '--lr-step'),
    only(where('--dataset', 'coco2017'), '--coco-folder'),
    only(When('without --dataset coco2017, which has its files in --coco-folder',
              lambda options: options['dataset'] != 'coco2017'),
         '--annotations', '--images', '--val-annotations', '--val-images'),
    only(When('without a model file to --resume', lambda options: not _model_in(options['resume'])),
         '--init'),
    only(When('to a new model, and not with --init or a model file to --resume',
              lambda options: not options['init'] and not _model_in(options['resume'])),
         '--pretrained', '--extractor', '--neck', '--blocks', '--width', '--stride-on', '--bn2affine',
         '--roialign', '--roi-size', '--fpn-channels', '--box-features', '--mask-channels', '--no-masks',
         '--keypoint-channels', '--anchor-sizes', '--canonical-size', '--test-side', '--test-proposals'),
    only(When('without --blocks, and with --pretrained imagenet or none',
              lambda options: not options['blocks'] and options['pretrained'] in (IMAGENET, RANDOM)),
         '--extractor'),
    only(where('--pretrained', RANDOM), '--blocks', '--width'),
    only(where('--neck', 'fpn'), '--fpn-channels', '--box-features', '--canonical-size'),
    only(with_any('--keypoints'), '--keypoint-channels'),
    only(When('without --no-masks', lambda options: options['masks']), '--mask-channels', '--gamma'),
)


@dataclasses.dataclass(frozen=True)
class MaskRCNNRecipe(Recipe):
    """Train Mask R-CNN: boxes, masks and keypoints of objects.

    Defaults are those of the Chainer implementation; ``--recipe detectron`` is Detectron's training of
    R-50-FPN.
    """

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
        return _model_in(run.resume)

    def parts(self, train: Any, validation: Any, run: Run) -> Parts:
        from chainer_seg.datasets import Dataset
        from chainer_seg.models.mask_rcnn import (
            DetectionSamples, MaskRCNNTrainChain, PolygonDataset, batch_samples)
        from chainer_seg.models.mask_rcnn.train_chain import TRAINING_LIMITS
        check_classes(train, validation)
        resumed = self.model_to_evaluate(run)
        model = in_order(load_mask_rcnn(resumed), train.class_names, resumed) if resumed else (
            self.make_model(train, run.seed))
        # Without a learning rate, running statistics stay as well: the model is only evaluated.
        limits = TRAINING_LIMITS[model.config['neck']]._replace(
            **dict(zip(('before_nms', 'after_nms'), self.samples.proposals or ())))
        chain = MaskRCNNTrainChain(
            model, self.samples.gamma, self.samples.rpn_anchors, self.samples.rois, limits=limits,
            freeze_bn=self.network.freeze_bn or self.training.lr == 0)
        kind = 'keypoints' if model.keypoints else 'segm' if model.with_masks else 'bbox'
        return Parts(
            model, chain, PolygonDataset(train),
            DetectionSamples(self.samples.min_side, self.samples.max_side, half_open=model.half_open),
            functools.partial(mask_rcnn_figures, dataset=validation, loop=run.ranks.loop),
            (f'validation/{kind}/AP', 'max'),
            {'converter': functools.partial(batch_samples, multiple=model.size_multiple),
             'evaluate_every': self.training.evaluate_every,
             'lr_multipliers': self.frozen(model.extractor.resnet)},
            train.category_ids if isinstance(train, Dataset) else None)

    def make_model(self, dataset: Any, seed: int = 0) -> 'MaskRCNN':
        """The model of ``init``, or a new one with the ResNet of ``pretrained`` or random weights."""
        names, keypoints = tuple(dataset.class_names), self._keypoints_of(dataset)
        if not self.network.init:
            return self._new_model(names, keypoints, seed)
        source = load_mask_rcnn(self.network.init)
        model = _build(names, **{**source.config, 'keypoints': keypoints})
        start_from(source, model, self.network.init)
        return model

    def frozen(self, resnet: 'ResNet') -> dict[str, float]:
        """Learning-rate factors of 0 for the parameters that are not trained, by patterns of paths."""
        from chainer_seg.links import BatchNorm
        stages = self.network.freeze_at
        if stages is None:
            stages = 0 if self.network.init or self.network.pretrained == RANDOM else PUBLISHED_FROZEN
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

    def _new_model(self, names: tuple[str, ...], keypoints: int, seed: int) -> 'MaskRCNN':
        from chainer_seg.links import copy_resnet
        net = self.network
        path = IMAGENET_WEIGHTS[net.extractor] if net.pretrained == IMAGENET else net.pretrained
        source = None if path == RANDOM else find_resnet(path)
        model = _build(
            names, neck=net.neck, **self._resnet_config(source),
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
        if source is None:
            if net.bn2affine:
                raise TrainingError('--bn2affine turns the batch normalisation of --pretrained into a fixed '
                                    'scale and shift; give --pretrained or omit --bn2affine.')
            return {'blocks': net.blocks or BLOCKS[net.extractor], 'width': net.width, 'norm': 'batch'}
        affine = {'norm': 'affine'} if net.bn2affine else {}
        return {**resnet_sizes(source), **affine}


def load_mask_rcnn(path: str) -> 'MaskRCNN':
    """The Mask R-CNN in a model file."""
    from chainer_seg.models.mask_rcnn import MaskRCNN
    return load_as(path, MaskRCNN, 'Mask R-CNN', 'to start from its ResNet alone give --pretrained')


def _build(names: tuple[str, ...], **config: Any) -> 'MaskRCNN':
    """A new Mask R-CNN for classes of these names."""
    from chainer_seg.models.mask_rcnn import MaskRCNN
    try:
        model = MaskRCNN(**{**config, 'classes': len(names)})
    except ValueError as error:
        raise TrainingError(f'There is no Mask R-CNN of these sizes: {error}.') from error
    model.class_names = names
    return model
