"""Training click segmentation from stored click maps, as the TensorFlow implementation does.

Whole images are resized to one size and the loss is taken where the network has its logits, at an
eighth of it. The stored maps are distances times a scale, cut off at 255 and rounded down, which is
what the network sees in use, too, if its ``click_scale`` is theirs.
"""

import chainer
import cv2
import numpy as np

from chainer_seg.datasets.click_files import stored_scale
from chainer_seg.errors import TrainingError
from chainer_seg.functions import resize_bilinear
from chainer_seg.links import DeviceChain
from chainer_seg.models.deeplab.preparation import network_image
from chainer_seg.models.deeplab.train_chain import mean_iou, weighted_cross_entropy


class ClickMapSamples:
    """Makes a training sample of an image, its click maps and the object.

    Called as ``transform(example, rng)`` by the training iterator; nothing is random.

    Args:
        size: (height, width) that whole images are resized to; 321x321 is published.
        mean: Subtracted from the maps, the model's ``click_mean``; 131 is published.

    Returns:
        A tuple: ``x`` (5, height, width) float32, the network's input, and ``target``
        (height, width) int32, 1 on the object and 0 elsewhere.
    """

    def __init__(self, size: tuple[int, int] = (321, 321), mean: float = 131.0) -> None:
        self.size, self.mean = tuple(size), np.float32(mean)

    def __call__(self, example, rng=None):
        image, maps, label = example
        maps = self._resized(maps.transpose(1, 2, 0), cv2.INTER_LINEAR).transpose(2, 0, 1)
        target = self._resized(label.view(np.uint8), cv2.INTER_NEAREST)
        colours = network_image(self._resized(image, cv2.INTER_LINEAR))
        return np.concatenate([colours, maps - self.mean]), target.astype(np.int32)

    def _resized(self, array, method):
        return cv2.resize(np.ascontiguousarray(array), self.size[::-1], interpolation=method)


class ClickMapTrainChain(DeviceChain):
    """The loss of the TensorFlow implementation: weighted cross entropy at the size of the logits.

    Args:
        model: A :class:`ClickSegmenter`.
        positive_weight: How much more a pixel of the object counts.
        loss_scale: The mean cross entropy is multiplied by this.
        freeze_bn: Whether batch normalisation uses its running statistics and learns nothing.

    Called with a batch of what :class:`ClickMapSamples` makes. Returns the scalar loss and reports
    ``loss`` and the batch's mean ``iou``, which is that of the upsampled logits.
    """

    def __init__(self, model, positive_weight=5.0, loss_scale=20.0, freeze_bn=True):
        super().__init__()
        self.positive_weight, self.loss_scale = positive_weight, loss_scale
        self.freeze_bn = freeze_bn
        with self.init_scope():
            self.model = model

    def forward(self, x, target):
        loss, iou = self.measure(x, target)
        chainer.report({'loss': loss, 'iou': iou}, self)
        return loss

    def measure(self, x, target):
        """The loss, and the mean intersection over union; arguments as those of the chain."""
        with chainer.using_config('train', chainer.config.train and not self.freeze_bn):
            logits = self.model.forward(x)
        small = nearest_labels(target, logits.shape[2:])
        loss = self.loss_scale * weighted_cross_entropy(logits[:, 0], small, self.positive_weight)
        with chainer.no_backprop_mode():
            upsampled = resize_bilinear(logits.array, target.shape[1:]).array[:, 0]
        return loss, mean_iou(upsampled, target)


def nearest_labels(labels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Labels (B, H, W) at ``size`` = (h, w), from every H / h-th row and W / w-th column.

    These are the pixels that TensorFlow's resize_nearest_neighbor takes.
    """
    rows, columns = (np.arange(few) * many // few for few, many in zip(size, labels.shape[1:]))
    return labels[:, rows[:, None], columns]


def check_encoding(model, dataset):
    """Tells where a model sees clicks otherwise than the files of a data set have them.

    Args:
        model: A :class:`ClickSegmenter`.
        dataset: A :class:`chainer_seg.datasets.ClickFilesDataset`.

    Raises:
        chainer_seg.errors.TrainingError: The model cannot be trained from these files.
    """
    if model.mask_input or model.click_encoding != 'distance':
        raise TrainingError('Click files contain distances only; train a model with --mask-input or disks '
                            'from images and objects, or use another model.')
    scales = (stored_scale(dataset[number][1]) for number in range(len(dataset)))
    scale = next((scale for scale in scales if scale is not None), None)
    if scale not in (None, int(model.click_scale)):
        raise TrainingError(f'The maps of {dataset.path} are distances times {scale}, but the model '
                            f'expects them times {model.click_scale:g}; use --click-scale {scale}, or '
                            f'sample clicks with --energy-scale {model.click_scale:g}.')


def evaluate_maps(chain, dataset, samples, count):
    """The mean loss and intersection over union of a train chain on samples that it is not trained on.

    Args:
        chain: A :class:`ClickMapTrainChain`.
        dataset: As :func:`check_encoding` takes it.
        samples: A :class:`ClickMapSamples`.
        count: Maximum number of samples, spread over the data set.

    Returns:
        ``{'loss': float, 'iou': float}``.
    """
    figures = []
    for number in np.linspace(0, len(dataset) - 1, min(count, len(dataset))).astype(int):
        x, target = (chain.device.send(array[None]) for array in samples(dataset[number]))
        with chainer.using_config('train', False), chainer.no_backprop_mode():
            loss, iou = chain.measure(x, target)
        figures.append((float(loss.array), float(iou)))
    return dict(zip(('loss', 'iou'), np.mean(figures, axis=0)))
