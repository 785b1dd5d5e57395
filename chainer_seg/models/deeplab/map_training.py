"""Training click segmentation from precomputed click maps, as the TensorFlow implementation does.

Whole images are resized to one size, and the loss is computed at the size of the logits, an eighth of it.
The maps are distances times a scale, truncated to 255 and rounded down; in use, the network sees the same
if its ``click_scale`` equals that scale.
"""

import chainer
import cv2
import numpy as np

from chainer_seg.bad_images import Loop, each_image
from chainer_seg.datasets.click_files import ClickFilesDataset, stored_scale
from chainer_seg.errors import TrainingError
from chainer_seg.functions import resize_bilinear
from chainer_seg.links import DeviceChain
from chainer_seg.models.deeplab.preparation import network_image
from chainer_seg.models.deeplab.segmenter import ClickSegmenter
from chainer_seg.models.deeplab.train_chain import mean_iou, weighted_cross_entropy


class ClickMapSamples:
    """Turns an image, its click maps and the object's mask into a training sample.

    Called as ``transform(example, rng)`` by the training iterator; nothing is random.

    Args:
        size: (height, width) to which whole images are resized; 321x321 is published.
        mean: Subtracted from the maps, the model's ``click_mean``; 131 is published.

    Returns:
        A tuple: ``x`` (5, height, width) float32, the network's input, and ``target``
        (height, width) int32, 1 on the object and 0 elsewhere.
    """

    def __init__(self, size: tuple[int, int] = (321, 321), mean: float = 131.0) -> None:
        self.size, self.mean = size, np.float32(mean)

    def __call__(self, example: tuple[np.ndarray, np.ndarray, np.ndarray],
                 rng: np.random.Generator | None = None) -> tuple[np.ndarray, np.ndarray]:
        image, maps, label = example
        maps = self._resized(maps.transpose(1, 2, 0), cv2.INTER_LINEAR).transpose(2, 0, 1)
        target = self._resized(label.view(np.uint8), cv2.INTER_NEAREST)
        colours = network_image(self._resized(image, cv2.INTER_LINEAR))
        return np.concatenate([colours, maps - self.mean]), target.astype(np.int32)

    def _resized(self, array: np.ndarray, method: int) -> np.ndarray:
        return cv2.resize(np.ascontiguousarray(array), self.size[::-1], interpolation=method)


class ClickMapTrainChain(DeviceChain):
    """The loss of the TensorFlow implementation: weighted cross entropy at the size of the logits.

    Args:
        model: The model to train.
        positive_weight: Weight of a pixel of the object, others having 1.
        loss_scale: Weight of the mean cross entropy.
        freeze_bn: Whether batch normalisation uses its running statistics and is not trained.

    Called with a batch of :class:`ClickMapSamples`. Returns the scalar loss and reports ``loss`` and the
    mean ``iou`` of the upsampled logits.
    """

    def __init__(self, model: ClickSegmenter, positive_weight: float = 5.0, loss_scale: float = 20.0,
                 freeze_bn: bool = True) -> None:
        super().__init__()
        self.positive_weight, self.loss_scale = positive_weight, loss_scale
        self.freeze_bn = freeze_bn
        with self.init_scope():
            self.model = model

    def forward(self, x: np.ndarray, target: np.ndarray) -> chainer.Variable:
        loss, iou = self.measure(x, target)
        chainer.report({'loss': loss, 'iou': iou}, self)
        return loss

    def measure(self, x: np.ndarray, target: np.ndarray) -> tuple[chainer.Variable, np.ndarray]:
        """The loss and the mean intersection over union; the arguments are those of the chain."""
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


def check_encoding(model: ClickSegmenter, dataset: ClickFilesDataset) -> None:
    """Checks that a model encodes clicks as the files of a data set do.

    Raises:
        chainer_seg.errors.TrainingError: The encodings differ.
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


def evaluate_maps(chain: ClickMapTrainChain, dataset: ClickFilesDataset, samples: ClickMapSamples,
                  count: int, loop: Loop = each_image) -> dict[str, float]:
    """The mean loss and intersection over union of a train chain on a validation set.

    Args:
        chain: The train chain.
        dataset: The validation set.
        samples: Turns examples into samples.
        count: Maximum number of samples, spread evenly over the data set.
        loop: The loop over the samples; see :data:`chainer_seg.bad_images.Loop`.

    Returns:
        ``{'loss': float, 'iou': float}``.
    """
    def measure(number: int) -> tuple[float, float]:
        x, target = (chain.device.send(array[None]) for array in samples(dataset[number]))
        with chainer.using_config('train', False), chainer.no_backprop_mode():
            loss, iou = chain.measure(x, target)
        return float(loss.array), float(iou)

    numbers = np.linspace(0, len(dataset) - 1, min(count, len(dataset))).astype(int)
    figures = [found for _, found in loop(numbers.tolist(), measure)]
    return dict(zip(('loss', 'iou'), np.mean(figures, axis=0).tolist()))
