"""Click segmentation: an image and clicks in, the probability of the object out (arXiv 1603.04042)."""

from collections.abc import Sequence
from typing import Any, Literal

import chainer
import numpy as np

from chainer_seg.functions import resize_bilinear
from chainer_seg.images import ImageLike, as_image, fit_within, resize
from chainer_seg.models.click_model import ClickModel
from chainer_seg.models.deeplab.clicks import Click, click_points, disk_maps, point_maps
from chainer_seg.models.deeplab.decoder import Decoder
from chainer_seg.models.deeplab.model import DeepLab
from chainer_seg.models.deeplab.preparation import network_image
from chainer_seg.models.deeplab.refine import Refinement
from chainer_seg.models.deeplab.session import NetworkSession
from chainer_seg.models.inference import inference, network
from chainer_seg.schema import (
    Above, Channels, Count, Dilations, Finite, InputSide, Padding, Positive, Stages)

# Scales probabilities to the range of the other channels, and the channels to about 1 for the decoder.
_HALF_RANGE = 127.5

CLICK_ENCODINGS = ('distance', 'disk')


class ClickSegmenter(ClickModel):
    """DeepLab with two more input channels that encode the clicks.

    An image goes through :meth:`prepare`, :meth:`forward` and :meth:`decode`.

    Args:
        click_scale, click_mean: The encoding of the clicks, as in :func:`click_maps`: 1 and 0 in the
            paper, 6 and 131 in the TensorFlow implementation.
        click_encoding: ``'distance'`` to the nearest click, as published, or ``'disk'``, which
            ignores ``click_scale`` (:func:`disk_maps`).
        click_radius: Radius of the disks in pixels of the network's input.
        longest_side: Images are shrunk until their longer side is at most this many pixels; the
            probability is enlarged to the size of the image.
        zoom_side: Side in pixels of a second pass over a crop around the object (the zoom-in of
            f-BRS, arXiv 2001.10331, section 4); None for the whole image only.
        local_side: Side in pixels of one more pass, from the third click on, over a crop around what the
            last click changed (the focus crop of FocalClick, arXiv 2204.02574, section 3.2); None for
            no such pass.
        mask_input: Whether a sixth input channel is the probability before the last click (arXiv
            2102.06583, section 3.2).
        decoder: Width of a :class:`Decoder`, which gives logits at a quarter of the input's
            size; None for the published network, whose logits are at an eighth.
        flip: Whether the logits are averaged with those of the mirrored image: twice the work
            for each click.
        blocks, width, stem_width, out_width, groups, stride_on: As those of :class:`DeepLab`.
        padding, norm, pooling, pool_pad, stem_bias, pyramid, seed: As those of :class:`DeepLab`.

    ``forward`` takes (B, 5 or 6, H, W) float32 (blue, green, red minus their mean, positive and
    negative click map, the probability before the last click) and returns logits (B, 1, h, w).
    """

    def __init__(self, click_scale: Finite = 1.0, click_mean: Finite = 0.0,
                 longest_side: Positive = 512, zoom_side: InputSide | None = None,
                 mask_input: bool = False, decoder: Channels | None = None,
                 blocks: Stages = (3, 4, 23, 3), width: Channels = 64,
                 stride_on: Literal['1x1', '3x3'] = '1x1', padding: Padding = 'zero',
                 norm: Literal['batch', 'affine'] = 'batch',
                 pooling: Literal['ceil', 'floor'] = 'ceil', pool_pad: Literal[0, 1] = 1,
                 stem_bias: bool = False, pyramid: Dilations = (6, 12, 18, 24), seed: Count = 0,
                 click_encoding: Literal['distance', 'disk'] = 'distance', click_radius: Above = 5.0,
                 flip: bool = False, local_side: InputSide | None = None,
                 stem_width: Channels | None = None, out_width: Channels | None = None,
                 groups: Channels = 1) -> None:
        if click_encoding not in CLICK_ENCODINGS:
            raise ValueError(f'click_encoding must be one of {", ".join(CLICK_ENCODINGS)}')
        super().__init__()
        self.click_scale, self.click_mean = click_scale, click_mean
        self.click_encoding, self.click_radius = click_encoding, click_radius
        self.longest_side, self.zoom_side, self.flip = longest_side, zoom_side, flip
        self.local_side, self.mask_input = local_side, mask_input
        with self.init_scope():
            self.net = DeepLab(1, 6 if mask_input else 5, blocks, width, stride_on, padding, norm,
                               pooling, pool_pad, stem_bias, pyramid, seed, stem_width=stem_width,
                               out_width=out_width, groups=groups)
            if decoder is not None:
                channels = self.net.resnet.out_channels
                self.decoder = Decoder(channels[-1], channels[0], 3 if mask_input else 2, decoder, seed)

    @network
    def forward(self, x: chainer.Variable | np.ndarray) -> chainer.Variable:
        """The logits (B, 1, h, w) of the network's input (B, 5 or 6, H, W) float32."""
        if self.config['decoder'] is None:
            return self.net(x)
        features = self.net.resnet(x)
        logits = self.net.pyramid(features[-1])
        return self.decoder(logits, features[-1], features[0], x[:, 3:] / _HALF_RANGE)

    def encode(self, images: np.ndarray, points: np.ndarray, previous: np.ndarray) -> np.ndarray:
        """The network's input for a batch, on the device of the arrays.

        Args:
            images: (B, 3, H, W) float32, as of :func:`network_image`.
            points: (B, K, 3) float32, the clicks as of :func:`click_points`, in pixels of ``images``;
                rows with sign 0 are padding.
            previous: (B, H, W) float32, the probability before the last click; 0 before the first.
                Ignored without ``mask_input``.

        Returns:
            (B, 5 or 6, H, W) float32.
        """
        xp = chainer.backend.get_array_module(images)
        parts = [images, self._click_maps(points, images.shape[2:])]
        if self.mask_input:
            parts.append((previous[:, None] - np.float32(0.5)) * np.float32(2 * _HALF_RANGE))
        return xp.concatenate(parts, axis=1)

    def _click_maps(self, points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        if self.click_encoding == 'disk':
            return disk_maps(points, size, radius=self.click_radius, mean=self.click_mean)
        return point_maps(points, size, scale=self.click_scale, mean=self.click_mean)

    def prepare(self, image: np.ndarray, clicks: Sequence[Click], previous: np.ndarray | None = None,
                side: int | None = None, flip: bool | None = None) -> np.ndarray:
        """The network's input for one image.

        Args:
            image: (H, W, 3) uint8 RGB.
            clicks: The clicks, in pixels of the image.
            previous: (H, W) float32, the probability before the last click; None before the first.
            side: Length of the longer side to which the image is resized, in pixels. By default it is
                shrunk to ``longest_side`` if larger, and never enlarged.
            flip: Whether to add the mirrored image; None for the model's setting.

        Returns:
            (1 or 2, 5 or 6, h, w) float32 on the model's device.
        """
        size = image.shape[:2]
        inner = fit_within(size, self.longest_side) if side is None else _scaled(size, side)
        if previous is None:
            previous = np.zeros(inner, np.float32)
        else:
            previous = resize(previous, inner)
        points = click_points(_moved(clicks, size, inner))
        x = self.encode(network_image(resize(image, inner))[None], points[None], previous[None])
        flip = self.flip if flip is None else flip
        return self.device.send(np.concatenate([x, x[:, :, :, ::-1]]) if flip else x)

    def decode(self, logits: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """The probability of the object.

        Args:
            logits: (1 or 2, 1, h, w) float32 on the CPU; the second is that of the mirrored image.
            size: (H, W) of the image.

        Returns:
            (H, W) float32.
        """
        if len(logits) == 2:
            logits = (logits[:1] + logits[1:, :, :, ::-1]) / 2
        return chainer.functions.sigmoid(resize_bilinear(logits, size)).array[0, 0]

    def predict_logits(self, image: np.ndarray, clicks: Sequence[Click], previous: np.ndarray | None = None,
                       side: int | None = None, flip: bool | None = None) -> np.ndarray:
        """Runs :meth:`prepare`, whose arguments it takes, and :meth:`forward`.

        Returns:
            (1 or 2, 1, h, w) float32 on the CPU, for :meth:`decode`.

        Raises:
            chainer_seg.errors.ModelError: The network returned values that are not finite.
        """
        with inference():
            x = self.prepare(image, clicks, previous, side, flip)
            logits = chainer.backends.cuda.to_cpu(self.forward(x).array)
        self.check_finite(logits)
        return logits

    def session(self, image: ImageLike, refinement: str | Refinement | None = None,
                flip: bool | None = None) -> NetworkSession:
        """Starts a session on an image.

        Args:
            image: As that of :meth:`segment`.
            refinement: Refinement of the probabilities, or None; see
                :class:`chainer_seg.models.click_session.ClickSession`.
            flip: Whether to average the logits with those of mirrored images; None for the model's
                setting.
        """
        return NetworkSession(self, as_image(image), refinement, flip)

    def click_settings(self) -> dict[str, Any]:
        return {'flip': self.flip, 'zoom_side': self.zoom_side, 'local_side': self.local_side}


def _scaled(size: tuple[int, int], side: int) -> tuple[int, int]:
    scale = side / max(size)
    return max(8, round(size[0] * scale)), max(8, round(size[1] * scale))


def _moved(clicks: Sequence[Click], size: tuple[int, int], inner: tuple[int, int]) -> list[Click]:
    """Clicks in pixels of an image of ``size``, resized to ``inner``; pixel centres are half a pixel in."""
    ratio_y, ratio_x = inner[0] / size[0], inner[1] / size[1]
    return [Click((click.y + 0.5) * ratio_y - 0.5, (click.x + 0.5) * ratio_x - 0.5,
                  click.positive) for click in clicks]
