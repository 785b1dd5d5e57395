"""What both of RITM's click models share: their input, one prediction, and sessions (arXiv 2102.06583)."""

import functools
from collections.abc import Sequence
from typing import Any

import chainer
import numpy as np
from chainer import functions as F

from chainer_seg.arrays import ArrayOrVariable
from chainer_seg.functions import resize_bilinear
from chainer_seg.images import ImageLike, as_image
from chainer_seg.models.click_model import ClickModel
from chainer_seg.models.deeplab.clicks import Click
from chainer_seg.models.deeplab.refine import Refinement
from chainer_seg.models.inference import inference, network
from chainer_seg.models.ritm.answer import Answer, View
from chainer_seg.models.ritm.click_layers import ClickColors, ClickTransform
from chainer_seg.models.ritm.click_maps import click_maps, view_points
from chainer_seg.models.ritm.feature_refinement import CLICKS_SHOWN, FeatureRefinement
from chainer_seg.models.ritm.session import RitmSession
from chainer_seg.models.ritm.zoom_in import Box, ZoomIn

# Of images whose values are in 0..1, in the order red, green, blue.
IMAGE_MEAN = (0.485, 0.456, 0.406)
IMAGE_STD = (0.229, 0.224, 0.225)


class RitmSegmenter(ClickModel):
    """Base of :class:`RitmHRNet` and :class:`RitmDeepLab`, which have the features and the head.

    The arguments of the input and of the prediction, which both have, are read from ``config``; see
    :class:`RitmHRNet`.

    Args:
        stem_width: Channels behind the network's first convolution.

    ``forward`` takes (B, 5 or 6, H, W) float32: normalised red, green and blue, the probability before
    the last click where the model has ``mask_input``, and the maps of positive and negative clicks. It
    returns logits (B, 1, ceil(H / 4), ceil(W / 4)).
    """

    def __init__(self, stem_width: int) -> None:
        super().__init__()
        options = self.config
        self.click_encoding, self.click_radius = options['click_encoding'], options['click_radius']
        self.mask_input, self.flip = options['mask_input'], options['flip']
        self.longest_side, self.click_limit = options['longest_side'], options['click_limit']
        self.zoom_side, self.fbrs = options['zoom_side'], options['fbrs']
        self.colors_only = options['fusion'] == 'colors'
        rng = np.random.default_rng((options['seed'], 1))
        maps = 3 if self.mask_input else 2
        with self.init_scope():
            if self.colors_only:
                self.clicks = ClickColors(3 + maps, options['slope'], rng)
            else:
                self.clicks = ClickTransform(maps, options['click_width'], stem_width, options['slope'], rng)

    @network
    def features(self, x: Any) -> chainer.Variable:
        """The features (B, C, h, w) that the head works on; ``x`` as :meth:`forward` takes it."""
        if self.colors_only:
            return self.backbone_features(self.clicks(x), None)
        return self.backbone_features(x[:, :3], self.clicks(x[:, 3:]))

    def backbone_features(self, image: ArrayOrVariable,
                          clicks: chainer.Variable | None) -> chainer.Variable:
        """The features of an image (B, 3, H, W), with those of the clicks added behind the first layer."""
        raise NotImplementedError

    def head(self, features: ArrayOrVariable
             ) -> tuple[chainer.Variable, chainer.Variable | None]:
        """The logits (B, 1, h, w), and those of the auxiliary loss or None."""
        raise NotImplementedError

    @network
    def forward(self, x: ArrayOrVariable) -> chainer.Variable:
        return self.head(self.features(x))[0]

    @property
    def _shown(self) -> int | None:
        """The number of clicks that the network is shown; None for all."""
        return CLICKS_SHOWN if self.click_limit is None and self.fbrs else self.click_limit

    @property
    def zoom_in(self) -> ZoomIn | None:
        """The zoom-in in use; None while ``zoom_side`` is None."""
        if self.zoom_side is None:
            return None
        return ZoomIn(self.zoom_side, self.config['zoom_after'], self.config['zoom_margin'],
                      self.config['zoom_least'], self.config['zoom_square'])

    def encode(self, images: np.ndarray, points: np.ndarray, previous: np.ndarray) -> np.ndarray:
        """The network's input for a batch, on the device of the arrays.

        Args:
            images: (B, 3, H, W) float32 RGB in 0..1.
            points: (B, K, 3) float32, y, x and sign of the clicks in pixels of ``images``; rows of sign
                0 are padding.
            previous: (B, H, W) float32, the probability before the last click; 0 where nothing was
                found. Used where the model has ``mask_input``.

        Returns:
            (B, 5 or 6, H, W) float32.
        """
        xp = chainer.backend.get_array_module(images)
        mean = xp.array(IMAGE_MEAN, np.float32)[:, None, None]
        parts = [(images - mean) / xp.array(IMAGE_STD, np.float32)[:, None, None]]
        if self.mask_input:
            parts.append(previous[:, None])
        parts.append(click_maps(points, images.shape[2:], self.click_encoding, self.click_radius))
        return xp.concatenate(parts, axis=1)

    def prepare(self, image: np.ndarray, clicks: Sequence[Click], previous: np.ndarray | None = None,
                box: Box | None = None, flip: bool = False) -> tuple[np.ndarray, View]:
        """The network's input for one image.

        Args:
            image: (H, W, 3) uint8 RGB.
            clicks: In pixels of the image.
            previous: (H, W) float32, the probability before the last click; None for nothing.
            box: The part to look at; None for the whole image.
            flip: Whether the mirrored input follows.

        Returns:
            tuple: (1 or 2, 5 or 6, h, w) float32 on the CPU, and the :class:`View`.
        """
        zoom = self.zoom_in if box is not None else None
        view = View.of(image.shape[:2], box, zoom, self.longest_side)
        crop = view.crop(image.astype(np.float32).transpose(2, 0, 1) / 255)
        mask = np.zeros(view.sizes[-1], np.float32) if previous is None else view.crop(previous)
        points = view_points(view.moved(clicks[:self._shown]), view.sizes[-1][1], flip)
        if flip:
            crop, mask = np.stack([crop, crop[:, :, ::-1]]), np.stack([mask, mask[:, ::-1]])
        else:
            crop, mask = crop[None], mask[None]
        return self.encode(crop, points, mask), view

    def decode(self, logits: np.ndarray, view: View) -> np.ndarray:
        """The probability (H, W) float32 of the image from the logits (1, h, w) of one view of it."""
        return view.pasted(F.sigmoid(resize_bilinear(logits[None], view.sizes[-1])).array[0, 0])

    def answer(self, image: np.ndarray, clicks: Sequence[Click], previous: np.ndarray, *,
               before: Answer | None = None, found: np.ndarray | None = None, flip: bool | None = None
               ) -> Answer:
        """What the network finds for clicks.

        Args:
            image: (H, W, 3) uint8 RGB.
            clicks: All clicks, in pixels of the image, in the order in which they were made.
            previous: (H, W) float32, the probability after the click before; zeros for the first.
            before: The answer to the click before, or None.
            found: As ``previous``, for the zoom-in; None for the same.
            flip: Whether to average with the mirrored image; None for the model's setting.

        Raises:
            chainer_seg.errors.ModelError: The network returned values that are not finite.
        """
        flip, zoom = self.flip if flip is None else flip, self.zoom_in
        look = functools.partial(self._look, image, clicks, previous, flip,
                                 None if before is None else before.adjustment)
        if zoom is None:
            return look(None)
        box = zoom.next_box(None if before is None else before.box,
                            previous if found is None else found, clicks)
        answer = look(box)
        if box is not None:
            return answer
        found = self.decode(answer.logits, answer.view)
        return look(zoom.next_box(None, found, clicks)) if zoom.looks_again(found) else answer

    def _look(self, image: np.ndarray, clicks: Sequence[Click], previous: np.ndarray, flip: bool,
              adjustment: np.ndarray | None, box: Box | None) -> Answer:
        x, view = self.prepare(image, clicks, previous, box, flip)
        with inference():
            x = self.device.send(x)
            if self.fbrs:
                features, adjustment = self._refined(self.features(x).array, clicks, view, flip, adjustment)
                logits = self.head(features)[0]
            else:
                logits = self.forward(x)
            logits = chainer.backends.cuda.to_cpu(logits.array)
        self.check_finite(logits)
        if flip:
            logits = (logits[:1] + logits[1:, :, :, ::-1]) / 2
        return Answer(logits[0], view, box, adjustment)

    def _refined(self, features: np.ndarray, clicks: Sequence[Click], view: View, flip: bool,
                 adjustment: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
        """The features and the adjustment that f-BRS finds."""
        settings, size = FeatureRefinement(), view.sizes[-1]
        if len(clicks) <= settings.after:
            return features, adjustment
        self.check_finite(features)
        masks = self.device.send(settings.click_masks(view.moved(clicks), size, flip))
        return settings.refine(lambda changed: resize_bilinear(self.head(changed)[0], size), features,
                               masks, adjustment)

    def session(self, image: ImageLike, refinement: str | Refinement | None = None,
                flip: bool | None = None) -> RitmSession:
        """Starts a session on an image.

        Args:
            image: As that of :meth:`segment`.
            refinement: Refinement of the probabilities, or None; see
                :class:`chainer_seg.models.click_session.ClickSession`.
            flip: Whether to average with the mirrored image; None for the model's setting.
        """
        return RitmSession(self, as_image(image), refinement, flip)

    def click_settings(self) -> dict[str, Any]:
        return {'flip': self.flip, 'zoom_side': self.zoom_side, 'click_limit': self.click_limit,
                'fbrs': self.fbrs}
