"""Click segmentation from stored click maps, as the TensorFlow code for arXiv 1603.04042 does it."""

import chainer
import numpy as np

from chainer_seg.datasets.click_files import stored_scale
from chainer_seg.errors import ClickError
from chainer_seg.images import fit_within, resize
from chainer_seg.models.deeplab.preparation import network_image
from chainer_seg.models.deeplab.stored_clicks import stored_clicks
from chainer_seg.models.inference import inference


def segment_maps(model, image, maps):
    """The object that stored maps mean.

    A network that was made for such maps is given them as they are; any other one, of another scale or
    with other inputs, is given the clicks that the maps show.

    Args:
        model: A :class:`ClickSegmenter`.
        image: (H, W, 3) uint8 RGB.
        maps: (2, H, W) uint8, as :func:`chainer_seg.datasets.click_files.read_maps` gives them.

    Returns:
        (H, W) float32, the probability that a pixel belongs to the object.

    Raises:
        chainer_seg.errors.ClickError: The maps are not as large as the image, or show no positive
            click.
    """
    if maps.shape[1:] != image.shape[:2]:
        raise ClickError(f'The click maps are {_written(maps.shape[1:])} pixels, but the image is '
                         f'{_written(image.shape[:2])}; both must have the same size.')
    if maps[0].all():
        raise ClickError('The click maps show no positive click; in the first of them, a click on the '
                         'object is where it is 0.')
    if not takes_maps(model, maps):
        return model.segment(image, stored_clicks(maps))
    size = fit_within(image.shape[:2], model.longest_side)
    # The distances are not measured anew where the image is shrunk: so the network was trained.
    shrunk = resize(np.ascontiguousarray(maps.transpose(1, 2, 0), np.float32), size)
    x = np.concatenate([network_image(resize(image, size)),
                        shrunk.transpose(2, 0, 1) - np.float32(model.click_mean)])
    with inference():
        logits = chainer.backends.cuda.to_cpu(model(model.device.send(x[None])).array[0])
    model.check_finite(logits)
    return model.decode(logits, image.shape[:2])


def takes_maps(model, maps):
    """Whether the network of a :class:`ClickSegmenter` was made for stored maps of this scale."""
    return (model.click_encoding == 'distance' and not model.mask_input and
            stored_scale(maps) in (None, model.click_scale))


def _written(size):
    return 'x'.join(map(str, size))
