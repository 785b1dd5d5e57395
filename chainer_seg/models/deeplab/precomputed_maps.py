"""Click segmentation from precomputed click maps, as in the TensorFlow implementation of arXiv 1603.04042."""

from collections.abc import Sequence

import chainer
import numpy as np

from chainer_seg.datasets.click_files import stored_scale
from chainer_seg.errors import ClickError
from chainer_seg.images import fit_within, resize
from chainer_seg.models.click_model import ClickModel
from chainer_seg.models.deeplab.preparation import network_image
from chainer_seg.models.deeplab.precomputed_clicks import clicks_of_maps
from chainer_seg.models.deeplab.segmenter import ClickSegmenter
from chainer_seg.models.inference import inference


def segment_maps(model: ClickModel, image: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """Segments the object that precomputed maps indicate.

    A network that expects maps of this encoding and scale gets the maps themselves; any other one gets
    the clicks of the maps.

    Args:
        model: The click model.
        image: (H, W, 3) uint8 RGB.
        maps: (2, H, W) uint8, as of :func:`chainer_seg.datasets.click_files.read_maps`.

    Returns:
        (H, W) float32, the probability that a pixel belongs to the object.

    Raises:
        chainer_seg.errors.ClickError: The maps differ in size from the image, or have no positive click.
    """
    if maps.shape[1:] != image.shape[:2]:
        raise ClickError(f'The click maps are {_written(maps.shape[1:])} pixels, but the image is '
                         f'{_written(image.shape[:2])}; both must have the same size.')
    if maps[0].all():
        raise ClickError('The click maps have no positive click; the first map must be 0 where the object '
                         'was clicked.')
    if not isinstance(model, ClickSegmenter) or not takes_maps(model, maps):
        return model.segment(image, clicks_of_maps(maps))
    size = fit_within(image.shape[:2], model.longest_side)
    # Distances are shrunk with the image, not recomputed, because the network was trained like that.
    shrunk = resize(np.ascontiguousarray(maps.transpose(1, 2, 0), np.float32), size)
    x = np.concatenate([network_image(resize(image, size)),
                        shrunk.transpose(2, 0, 1) - np.float32(model.click_mean)])
    with inference():
        logits = chainer.backends.cuda.to_cpu(model.forward(model.device.send(x[None])).array)
    model.check_finite(logits)
    return model.decode(logits, image.shape[:2])


def takes_maps(model: ClickSegmenter, maps: np.ndarray) -> bool:
    """Whether a model expects precomputed maps of this scale."""
    return (model.click_encoding == 'distance' and not model.mask_input and
            stored_scale(maps) in (None, model.click_scale))


def _written(size: Sequence[int]) -> str:
    return 'x'.join(map(str, size))
