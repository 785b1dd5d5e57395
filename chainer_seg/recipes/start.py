"""Where a network of a training starts from: the weights of another one."""

import contextlib
import logging
import os
import typing
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from chainer_seg.class_names import first_difference, listed
from chainer_seg.errors import TrainingError

if typing.TYPE_CHECKING:
    import chainer

    from chainer_seg.links import ResNet
    from chainer_seg.models.base import Model

log = logging.getLogger(__name__)

M = TypeVar('M')


def load_as(path: str | os.PathLike, kind: type[M], name: str, remedy: str) -> M:
    """The model in a file, which must be of a certain class.

    Args:
        path: A model file, or the name of a model.
        kind: The class.
        name: The class in words.
        remedy: What to do about a model of another class, as a part of a sentence.

    Raises:
        chainer_seg.errors.TrainingError: The model is of another class.
    """
    from chainer_seg.model_file import load_model
    model = load_model(path)
    if not isinstance(model, kind):
        raise TrainingError(f'{path} holds a {type(model).__name__}, not a {name}; {remedy}.')
    return model


def start_from(source: Any, model: 'Model', path: str | os.PathLike) -> None:
    """Copies the weights that fit from a model of the same class, by the names of classes, and logs it."""
    from chainer_seg.models.class_transfer import start_by_names
    log_start(start_by_names(source, model).shared, model, path)


@contextlib.contextmanager
def left_as_it_is(link: 'chainer.Link') -> Iterator[None]:
    """A block of work after which the link has the parameters of before."""
    kept = link.copy(mode='copy')
    yield
    link.copyparams(kept)


def in_order(source: Any, class_names: Sequence[str], path: str | os.PathLike) -> Any:
    """A model of a file with its classes in the order of ``class_names``.

    Raises:
        chainer_seg.errors.TrainingError: It has other classes.
    """
    from chainer_seg.models.class_transfer import class_labels, start_by_names
    model = type(source)(**{**source.config, 'classes': len(class_names)})
    model.class_names = tuple(class_names)
    if not len(class_labels(source, model)[0]) == source.classes == len(class_names):
        difference = first_difference(source.class_names or range(source.classes), model.class_names)
        raise TrainingError(f'{path} has other classes than the data set: {difference}; give the data set '
                            f'that it was made for, or start from it by --init.')
    start_by_names(source, model)
    return model


def log_start(shared: Sequence[str], model: 'Model', path: str | os.PathLike) -> None:
    """Logs where the weights of a model come from, and for which of its classes."""
    log.info('the weights come from %s, those of %d of %d classes by name: %s', path, len(shared),
             len(model.class_names), listed(shared))


def find_resnet(path: str | os.PathLike) -> 'ResNet':
    """The ResNet in a model file, for another network to start from.

    Raises:
        chainer_seg.errors.TrainingError: There is none.
    """
    from chainer_seg.links import ResNet
    from chainer_seg.model_file import load_model
    for link in load_model(path).links():
        if isinstance(link, ResNet):
            return link
    raise TrainingError(f'{path} holds no ResNet to start from; give a converted ResNet-50 or a model '
                        f'that has one.')


def resnet_sizes(resnet: 'ResNet') -> dict[str, Any]:
    """The arguments of :class:`chainer_seg.links.ResNet` that make one of the same sizes."""
    from chainer_seg.links import FrozenAffine
    return {'blocks': tuple(len(resnet[name]) for name in resnet.stage_names),
            'width': resnet.width, 'stem_width': resnet.stem.conv.W.shape[0],
            'out_width': resnet.out_channels[0], 'groups': resnet.groups,
            'norm': 'affine' if isinstance(resnet.stem.norm, FrozenAffine) else 'batch'}
