"""The recipe of YOLACT (Bolya et al., arXiv 1904.02689) and YOLACT++ (arXiv 1912.06218)."""

import dataclasses
import functools
import logging
import typing
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta
from tyro.conf import arg

from chainer_seg import schema
from chainer_seg.errors import TrainingError, shortened
from chainer_seg.models.yolact.settings import Augmentation, LossWeights, Thresholds
from chainer_seg.recipes.base import Parts, Recipe
from chainer_seg.recipes.data import PreparedData, check_classes
from chainer_seg.recipes.options import (
    TOML, Blocks, Count, Flat, NotNegative, Positive, Share, option, value_of_option)
from chainer_seg.recipes.rules import (
    DATA_RULES, MOMENTUM_RULE, OF_FILES, STEP_RULE, VALIDATION_RULES, only, with_any, without)
from chainer_seg.recipes.run import Run
from chainer_seg.recipes.start import load_as, log_start
from chainer_seg.recipes.training import StepTraining
from chainer_seg.recipes.validation import yolact_figures
from chainer_seg.recipes.yolact_names import CONFIG_NAMES, with_our_values

if typing.TYPE_CHECKING:
    from chainer_seg.models.yolact import Yolact, YolactSamples, YolactTrainChain

log = logging.getLogger(__name__)

# Multiplies the loss in mixed precision, so that small gradients do not vanish.
LOSS_SCALE = 128

# The parameters of a network that a recipe may ask for: 1 GB, four times the published ones.
MAX_PARAMETERS = 2 ** 28

Scales = Annotated[tuple[tuple[float, ...], ...], TOML]


@dataclasses.dataclass(frozen=True)
class Model:
    """The network.

    Attributes:
        backbone: Backbone: resnet50, resnet101, darknet53, mobilenetv2, efficientnet-b0, or one that was
            registered.
        image_size: Side, in pixels, to which images are resized; their aspect ratio is not kept.
        width: Width of the backbone; the published one if not given.
        blocks: Blocks of each stage of the backbone; the published numbers if not given.
        deformable: For each stage of a ResNet, 0, or n to make every n-th 3x3 convolution deformable.
        fpn_channels: Channels of the pyramid and of the layers behind it (FPN_CHANNELS).
        prototypes: Number of prototype masks (NUM_MASK).
        prototype_scale: Side of the prototypes in sides of the map P3.
        anchor_scales: Sides of the anchors of each of the maps P3 to P7, in pixels.
        anchor_ratios: Width over height of the anchors.
        square_anchors: Make the heights of anchors equal to their widths: a bug of the published models
            for COCO that their weights need.
        rescoring: Channels of the network that scores masks, for YOLACT++.
        anchor_threshold: Score that the best class of an anchor must exceed at inference.
        score_threshold: Score that a detection must exceed (CONF_THRESHOLD).
        nms_threshold: Overlap from which the lower-scored of two boxes is suppressed (NMS_THRESHOLD).
        max_detections: Maximum number of detections of an image (MAX_NUM_DETECTION).
        suppression: Kind of non-maximum suppression.
        top_k: Candidates of a class before suppression (TOP_K).
        rescore: Multiply scores with the mask scores of YOLACT++.
    """

    backbone: Annotated[str, arg(name='backbone-name')] = 'resnet101'
    image_size: int = 550
    width: int | float | None = None
    blocks: tuple[Blocks, ...] | None = None
    deformable: tuple[int, ...] | None = None
    fpn_channels: int = 256
    prototypes: int = 32
    prototype_scale: int = 2
    anchor_scales: Scales = ((24,), (48,), (96,), (192,), (384,))
    anchor_ratios: tuple[float, ...] = (1, 0.5, 2)
    square_anchors: bool = True
    rescoring: tuple[int, ...] = ()
    anchor_threshold: float = 0.05
    score_threshold: float = 0.05
    nms_threshold: float = 0.5
    max_detections: int = 100
    suppression: Literal['fast', 'cross_class', 'traditional'] = 'fast'
    top_k: int = 200
    rescore: bool = True


@dataclasses.dataclass(frozen=True)
class Losses(LossWeights):
    """The losses.

    Attributes:
        negative_ratio: Background anchors in the class loss for each positive one (NEG_POS_RATIO).
        max_masks: Maximum number of masks of an image in the mask loss.
    """

    negative_ratio: NotNegative = 3
    max_masks: Annotated[int, Meta(ge=1, le=10_000)] = 100


@dataclasses.dataclass(frozen=True)
class Samples:
    """The samples.

    Attributes:
        least_side: Omit boxes with a shorter side, as a share of the image; 4 pixels of 550.
        max_objects: Train on the largest objects of an image, up to this number (NUM_MAX_PAD).
    """

    least_side: Share = 0.00727
    max_objects: Annotated[int, Meta(ge=1, le=10_000)] = 100


@dataclasses.dataclass(frozen=True)
class YolactTraining(StepTraining):
    """The training.

    Attributes:
        lr: Base learning rate, for a batch of 8.
        weight_decay: Rate of L2 weight decay, of all parameters.
        warm_up: Updates over which the learning rate rises linearly from a tenth to its base.
        snapshot_every: Updates between snapshots and validations.
        least_norm_batch: Freeze batch normalisation if a device sees fewer images per update.
        mixed_precision: Compute in half precision and update in single precision; on a GPU.
    """

    iterations: Positive = 800_000
    optimizer: Literal['adam', 'momentum'] = 'momentum'
    weight_decay: NotNegative = 5e-4
    warm_up: Count = 500
    snapshot_every: Annotated[Positive, option('--save-interval', metavar='N')] = 10_000
    keep_last: Positive = 5
    lr_step: Annotated[tuple[Positive, ...], option('--steps')] = (280_000, 600_000, 700_000, 750_000)
    least_norm_batch: Count = 6
    mixed_precision: bool = False

    warm_up_start: ClassVar[float] = 0.1


@dataclasses.dataclass(frozen=True)
class Start:
    """Weights to start from.

    Attributes:
        weights: YOLACT to start from, with its sizes; classes are matched by name, and new ones start from
            random weights.
        backbone_weights: Model file from whose network the backbone starts: of the kind and sizes of
            --backbone-name.
        backbone_channels: What that model was trained on: "rgb" as YOLACT; "bgr" in 0..255 as Caffe, for
            the click model and models converted from Caffe.
    """

    weights: Annotated[str | None, option(metavar='MODEL')] = None
    backbone_weights: Annotated[str | None, option('--backbone', metavar='MODEL')] = None
    backbone_channels: Literal['rgb', 'bgr'] = 'rgb'


@dataclasses.dataclass(frozen=True)
class YolactRecipe(Recipe):
    """Train YOLACT: instance segmentation from prototypes. Defaults are those of yolact_base."""

    model: Flat[Model] = Model()
    matching: Thresholds = Thresholds()
    losses: Losses = Losses()
    augmentation: Augmentation = Augmentation()
    samples: Samples = Samples()
    training: Flat[YolactTraining] = YolactTraining()
    start: Flat[Start] = Start()

    system: ClassVar[str] = 'yolact'
    title: ClassVar[str] = 'instance segmentation with YOLACT'
    data: ClassVar[type] = PreparedData
    rules: ClassVar = (
        *DATA_RULES, *VALIDATION_RULES, MOMENTUM_RULE,
        only(OF_FILES, '--data-folder', '--categories'),
        only(without('--data-folder'), '--annotations', '--images'),
        only(with_any('--backbone-weights'), '--backbone-channels'),
        STEP_RULE)
    usual: ClassVar[str] = 'resnet50'
    other_names: ClassVar = CONFIG_NAMES

    def replace(self, **values: Any) -> 'YolactRecipe':
        return super().replace(**with_our_values(values, self.model.image_size))

    def parts(self, train: Any, validation: Any, run: Run) -> Parts:
        from chainer_seg.datasets import Dataset
        from chainer_seg.models.yolact import stack_examples
        self._check_precision(run)
        check_classes(train, validation)
        report_unseen_classes(train)
        model = self.make_model(train.class_names, run.seed)
        self._load_weights(model)
        batch = self.training.batch_size // self.training.sub_batches
        if run.sync_batch_norm:
            batch *= run.ranks.size
        return Parts(
            model, self.make_train_chain(model, batch), train, self.make_samples(model),
            functools.partial(yolact_figures, dataset=validation, loop=run.ranks.loop),
            ('validation/segm/AP', 'max'),
            {'converter': stack_examples, 'weight_decay_exclude': (),
             'loss_scale': LOSS_SCALE if self.training.mixed_precision else None},
            train.category_ids if isinstance(train, Dataset) else None)

    def started_from(self, arguments: typing.Sequence[str]) -> 'YolactRecipe':
        """The recipe with the sizes of the YOLACT in ``--weights``; options can change them."""
        path = value_of_option(arguments, '--weights')
        if path is None:
            return self
        return self.with_model(_load_yolact(path))

    def with_model(self, model: 'Yolact') -> 'YolactRecipe':
        """The recipe with the sizes of a model."""
        names = {field.name for field in dataclasses.fields(Model)}
        return self.replace(**{f'model__{name}': value for name, value in model.config.items()
                               if name in names})

    def make_model(self, class_names: typing.Sequence[str], seed: int = 0) -> 'Yolact':
        """A new :class:`Yolact` for these classes; in half precision if training is mixed.

        Raises:
            chainer_seg.errors.TrainingError: There is no such network.
        """
        import chainer

        from chainer_seg.models.yolact import Yolact
        from chainer_seg.compat.blank import TooManyParameters, blank_parameters
        dtype = chainer.mixed16 if self.training.mixed_precision else chainer.config.dtype
        config = {'classes': len(class_names), 'seed': seed, **dataclasses.asdict(self.model)}
        schema.check_arguments(Yolact, config, 'The model of the recipe', TrainingError)
        try:
            with chainer.using_config('dtype', dtype):
                with blank_parameters(MAX_PARAMETERS):
                    Yolact(**config)
                model = Yolact(**config)
        except (TooManyParameters, MemoryError) as error:
            raise TrainingError(f'The YOLACT of the recipe is too large: {error}; choose a smaller width, '
                                f'fpn_channels or backbone.') from error
        except (TypeError, ValueError, LookupError, ArithmeticError) as error:
            raise TrainingError(f'There is no YOLACT of these sizes: {shortened(str(error))}.') from error
        model.class_names = tuple(class_names)
        return model

    def make_train_chain(self, model: 'Yolact', batch_size: int) -> 'YolactTrainChain':
        """The :class:`YolactTrainChain` for batches of which a device sees ``batch_size`` images."""
        from chainer_seg.models.yolact import YolactTrainChain
        return YolactTrainChain(
            model, self.losses, self.matching, self.losses.negative_ratio, self.losses.max_masks,
            freeze_norm=batch_size < self.training.least_norm_batch)

    def make_samples(self, model: 'Yolact') -> 'YolactSamples':
        """The :class:`YolactSamples` for a model."""
        from chainer_seg.models.yolact import YolactSamples
        from chainer_seg.models.yolact.backbones import find_backbone
        # Not the model's own method: the samples are sent to other processes.
        normalise = find_backbone(model.config['backbone']).normalise
        return YolactSamples(model.image_size, normalise, model.classes, self.augmentation,
                             self.samples.least_side, self.samples.max_objects)

    def _check_precision(self, run: Run) -> None:
        from chainer_seg.devices import get_device
        if self.training.mixed_precision and get_device(run.device_name).name == '@numpy':
            raise TrainingError('Half precision is slower than single precision on a CPU; omit '
                                '--mixed-precision, or name a GPU by --device.')

    def _load_weights(self, model: 'Yolact') -> None:
        """Copies the weights to start from, and logs what was copied."""
        from chainer_seg.model_file import load_model
        from chainer_seg.models.yolact import start_backbone, start_from
        start = self.start
        if start.weights:
            log_start(start_from(_load_yolact(start.weights), model), model, start.weights)
        if start.backbone_weights:
            start_backbone(load_model(start.backbone_weights), model, start.backbone_channels)
            log.info('the backbone comes from %s', start.backbone_weights)


def _load_yolact(path: str) -> 'Yolact':
    from chainer_seg.models.yolact import Yolact
    return load_as(path, Yolact, 'YOLACT', 'to start from its ResNet alone give --backbone')


def report_unseen_classes(train: Any) -> None:
    """Logs the classes that cannot be learned, because no object has them."""
    if not train.has_files:
        return  # Synthetic images have all classes, and would have to be made to count them.
    from chainer_seg.datasets import ObjectIndex
    seen = set(ObjectIndex(train).labels.tolist())
    unseen = [name for label, name in enumerate(train.class_names) if label not in seen]
    if unseen:
        log.warning('No object to learn from: %s', ', '.join(unseen))
