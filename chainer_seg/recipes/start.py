"""Where a network of a training starts from: the weights of another one."""

import os
import typing

from chainer_seg.errors import TrainingError

if typing.TYPE_CHECKING:
    from chainer_seg.links import ResNet


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
