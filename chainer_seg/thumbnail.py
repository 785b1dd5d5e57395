"""Thumbnails of instances as HTML, for the table cells and outputs of a notebook."""

import base64
from typing import TYPE_CHECKING

import cv2
import numpy as np

from chainer_seg.colors import instance_colors
from chainer_seg.images import fit_within

if TYPE_CHECKING:
    from chainer_seg.instances import Instances

_LONGEST_SIDE = 192
_BACKGROUND = (38, 38, 42)
_POINT = (255, 255, 255)


def instances_thumbnail(instances: 'Instances', longest_side: int = _LONGEST_SIDE) -> str:
    """An ``<img>`` element that shows the masks in colours on dark grey, with keypoints on top.

    Args:
        instances: The objects.
        longest_side: Longer side of the thumbnail in pixels; masks are subsampled before they are
            drawn, so that large ones are cheap.

    Returns:
        HTML that embeds the image; empty for an image without pixels.
    """
    height, width = instances.image_size
    if height == 0 or width == 0:
        return ''
    small = fit_within((height, width), longest_side)
    rows, columns = ((np.arange(few) * 2 + 1) * big // (2 * few)
                     for few, big in zip(small, (height, width)))
    owner = instances.runs.sampled(rows, columns).topmost()
    colors = np.concatenate([[_BACKGROUND], instance_colors(len(instances))]).astype(np.uint8)
    image = colors[owner]
    if instances.keypoints is not None:
        points = instances.keypoints[instances.keypoints[:, :, 2] > 0]
        # In white, to stand out from the mask.
        scaled = points[:, :2] * np.array(small, np.float32) / (height, width)
        for y, x in scaled.round().astype(int).tolist():
            cv2.circle(image, (x, y), 2, _POINT, -1, cv2.LINE_AA)
    _, data = cv2.imencode('.png', np.ascontiguousarray(image[:, :, ::-1]))
    text = base64.b64encode(data.tobytes()).decode('ascii')
    return (f'<img width="{small[1]}" height="{small[0]}" alt="{len(instances)} objects" '
            f'src="data:image/png;base64,{text}">')
