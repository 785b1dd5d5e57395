"""The recipe of DeepLab-v2 (Chen et al., arXiv 1606.00915)."""

import contextlib
import dataclasses
import functools
import pathlib
import typing
from collections.abc import Callable, Sequence
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from chainer_seg.errors import DatasetError, TrainingError
from chainer_seg.label_images import VOID_PIXEL
from chainer_seg.recipes.base import Parts, Recipe
from chainer_seg.recipes.data import OBJECT_SETS, SYNTHETIC, Data, check_classes
from chainer_seg.recipes.options import Blocks, Flat, Positive, Share, Size, Switch, chosen, option
from chainer_seg.recipes.rules import (
    DATA_RULES, MOMENTUM_RULE, POWER_RULE, VALIDATION_RULES, When, only, with_any, without)
from chainer_seg.recipes.run import Run
from chainer_seg.recipes.start import find_resnet, left_as_it_is, load_as, resnet_sizes, start_from
from chainer_seg.recipes.training import SmoothSchedules, SmoothTraining

if typing.TYPE_CHECKING:
    from chainer_seg.models.deeplab import DeepLab

STAGES = 4  # of the ResNet

# The weights and the biases of the pyramid.
LAST_LAYERS = ('/model/pyramid/*/W', '/model/pyramid/*/b')


@dataclasses.dataclass(frozen=True)
class SemanticData(Data):
    """The data.

    Attributes:
        sbd: Folder of SBD, which has the classes of images that VOC has not labelled.
        class_names: Names of the classes from 1 on, for label images of your own.
        ignore_label: Pixels with this label do not count; those with 255, which is void, never do.
    """

    dataset: Annotated[str | None, chosen(OBJECT_SETS), option()] = None
    sbd: Annotated[pathlib.Path | None, option(metavar='D')] = None
    class_names: Annotated[tuple[str, ...] | None, option(metavar='NAME')] = None
    ignore_label: Annotated[int, Meta(ge=0, le=255)] = VOID_PIXEL

    def _open(self, examples: int, seed: int, keypoints: bool | None) -> tuple[Any, Any]:
        from chainer_seg.datasets import SemanticDataset
        if self.dataset not in SYNTHETIC:
            return self._open_labels()
        train, validation = super()._open(examples, seed, keypoints)
        return SemanticDataset(train, self.ignore_label), SemanticDataset(validation, self.ignore_label)

    def _open_labels(self) -> tuple[Any, Any]:
        from chainer_seg.datasets import SemanticDataset, open_semantic
        if not self.annotations:
            raise DatasetError(f'--dataset {self.dataset} needs --annotations, and --images with a COCO '
                               f'JSON file.')
        open_files: Callable[..., SemanticDataset] = functools.partial(
            open_semantic, sbd=self.sbd, class_names=self.class_names, ignore_label=self.ignore_label,
            **self.reading)
        train = open_files(self.annotations, self.images)
        if not self.val_annotations:
            return train, train
        validation = open_files(self.val_annotations, self.validation_images)
        check_classes(train, validation)
        return train, validation


@dataclasses.dataclass(frozen=True)
class Network:
    """The network.

    Attributes:
        init: DeepLab to start from, with its sizes; classes keep the weights of those of the same name, and
            new ones start from random weights.
        not_restore_last: Start the last layers from random weights, also with --init.
        backbone: Model file whose ResNet the network starts from, with its sizes; "click" and
            "mask-rcnn" come with the package.
        blocks: Blocks of the four stages; published: 3 4 23 3.
        width: Channels of the stem; published: 64.
        pyramid: Dilations of the last layers.
        longest_side: Larger images are downscaled to this longer side at inference, in pixels; 513, or
            as --init.
    """

    init: Annotated[str | None, option(metavar='MODEL')] = None
    not_restore_last: Switch = False
    backbone: Annotated[str | None, option(metavar='MODEL')] = None
    blocks: tuple[Blocks, Blocks, Blocks, Blocks] = (2, 2, 3, 2)
    width: int = 16
    pyramid: tuple[int, ...] = (6, 12, 18, 24)
    longest_side: Annotated[int | None, option(metavar='PX')] = None


@dataclasses.dataclass(frozen=True)
class Method:
    """Samples and losses.

    Attributes:
        msc: Train at the scales 1, 0.75 and 0.5, and on their maximum.
        fine_tune: Train the last layers only.
        batch_norm: Train batch normalisation, or keep its statistics, scales and shifts; published:
            frozen.
        last_lr: Learning rates of the weights and of the biases of the last layers, in units of --lr;
            published: 10 20.
        crop: Size of the samples, in pixels; published: 321.
        random_scale: Images are resized by a random factor between these two.
        mirror: Share of the samples that are mirrored.
    """

    msc: bool = False
    fine_tune: bool = False
    batch_norm: Literal['train', 'frozen'] = 'train'
    last_lr: Annotated[tuple[float, float], option(metavar='WEIGHTS BIASES')] = (1.0, 1.0)
    crop: Size = (161, 161)
    random_scale: Annotated[tuple[float, float], option(metavar='MIN MAX')] = (0.5, 1.5)
    mirror: Annotated[Share, option(metavar='SHARE')] = 0.5


@dataclasses.dataclass(frozen=True)
class DeepLabTraining(SmoothTraining):
    """The training."""

    iterations: Positive = 1500
    schedule: SmoothSchedules = 'poly'


@dataclasses.dataclass(frozen=True)
class DeepLabRecipe(Recipe):
    """Train DeepLab: the class of every pixel.

    The defaults train a small network on a CPU in minutes; ``--recipe published --backbone RESNET101`` is
    the training of the authors.
    """

    network: Flat[Network] = Network()
    method: Flat[Method] = Method()
    training: Flat[DeepLabTraining] = DeepLabTraining()

    system: ClassVar[str] = 'deeplab'
    title: ClassVar[str] = 'semantic segmentation with DeepLab'
    data: ClassVar[type] = SemanticData
    rules: ClassVar = (
        *DATA_RULES, *VALIDATION_RULES, MOMENTUM_RULE, POWER_RULE,
        only(with_any('--init'), '--not-restore-last'),
        only(When('to a list of images', lambda options: str(options['annotations']).endswith('.txt')),
             '--sbd', '--class-names'),
        only(without('--init'), '--backbone', '--blocks', '--width', '--pyramid'),
        only(without('--backbone'), '--blocks', '--width'))

    def parts(self, train: Any, validation: Any, run: Run) -> Parts:
        from chainer_seg.evaluation import evaluate_semantic
        from chainer_seg.models.deeplab import SemanticSamples, SemanticTrainChain
        from chainer_seg.models.deeplab.multi_scale import SCALES
        method = self.method
        model = self.make_model(train.class_names, run.seed)
        chain = SemanticTrainChain(model, SCALES if method.msc else (1,),
                                   frozen_norm=method.batch_norm == 'frozen',
                                   last_layers=method.fine_tune)
        factors = {**dict(zip(LAST_LAYERS, method.last_lr)), **dict.fromkeys(chain.fixed, 0.0)}
        return Parts(
            model, chain, train, SemanticSamples(method.crop, method.random_scale, method.mirror),
            functools.partial(evaluate_semantic, dataset=validation, loop=run.ranks.loop, per_class=False),
            ('validation/miou', 'max'), {'lr_multipliers': factors})

    def make_model(self, class_names: Sequence[str], seed: int = 0) -> 'DeepLab':
        """The model of ``init``, or a new one, perhaps with the ResNet of ``backbone``."""
        if self.network.init:
            model = self._model_to_start_from(self.network.init, class_names, seed)
        else:
            model = self._new_model(class_names, seed)
        model.class_names = tuple(class_names)
        return model

    def _model_to_start_from(self, path: str, class_names: Sequence[str], seed: int) -> 'DeepLab':
        from chainer_seg.models.deeplab import DeepLab
        source = load_as(path, DeepLab, 'DeepLab', 'to start from its ResNet alone give --backbone')
        model = DeepLab(**{**source.config, 'n_class': len(class_names), 'seed': seed,
                           'longest_side': self.network.longest_side or source.longest_side})
        model.class_names = tuple(class_names)
        with left_as_it_is(model.pyramid) if self.network.not_restore_last else contextlib.nullcontext():
            start_from(source, model, path)
        return model

    def _new_model(self, class_names: Sequence[str], seed: int) -> 'DeepLab':
        from chainer_seg.links import copy_resnet
        from chainer_seg.models.deeplab import DeepLab
        net = self.network
        sizes: dict[str, Any] = {'blocks': net.blocks, 'width': net.width}
        source = find_resnet(net.backbone) if net.backbone else None
        if source is not None:
            sizes = resnet_sizes(source)
            if len(sizes['blocks']) != STAGES:
                raise TrainingError(f'The ResNet in {net.backbone} has {len(sizes["blocks"])} stages, but '
                                    f'DeepLab needs {STAGES}; choose a model with all of them, such as a '
                                    f'converted ResNet.')
        model = DeepLab(len(class_names), pyramid=net.pyramid, seed=seed,
                        longest_side=net.longest_side or 513, **sizes)
        if source is not None:
            copy_resnet(source, model.resnet)
        return model
