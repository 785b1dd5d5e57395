"""Ten clicks of the original's simulated user: the same clicks, overlaps and masks."""

import cv2
import numpy as np
import pytest

from chainer_seg.models.deeplab import Click
from tests.models.ritm import reference

pytest.importorskip('converters')


def deepest_error(mask, truth, clicked):
    """The deepest pixel of both errors, the first one in row order; a negative click where they are equal.

    Args:
        mask: (H, W) bool, the result so far.
        truth: (H, W) int8, 1 on the object, 0 elsewhere, -1 for ignored pixels.
        clicked: (H, W) bool, pixels with a click.
    """
    depths = []
    for wrong in ((truth == 1) & ~mask, (truth == 0) & mask):
        padded = np.pad(wrong.astype(np.uint8), 1)
        depth = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
        depths.append(depth * ~clicked)
    positive = depths[0].max() > depths[1].max()
    y, x = np.unravel_index(depths[0 if positive else 1].argmax(), mask.shape)
    return Click(int(y), int(x), bool(positive))


@pytest.mark.usefixtures('shared_data')
def test_session_and_simulated_user_play_as_recorded():
    recorded, settings = reference.recorded('hrnet_small'), reference.cases()['robot']
    truth, threshold = recorded['robot_gt'], settings['mask_threshold']
    model = reference.model_of('hrnet_small', **reference.settings_of(settings['mode']))
    session = model.session(reference.image())
    mask, clicked = np.zeros(truth.shape, bool), np.zeros(truth.shape, bool)
    for number, wanted in enumerate(recorded['robot_clicks'].tolist()):
        click = deepest_error(mask, truth, clicked)
        assert [click.y, click.x, click.positive] == wanted
        clicked[click.y, click.x] = True
        mask = session.add(click) > threshold
        shown = np.unpackbits(recorded['robot_mask_bits'][number], axis=1)[:, :mask.shape[1]] > 0
        assert (mask != shown).sum() <= 2
        counted = truth != -1
        iou = (mask & (truth == 1)).sum() / ((mask | (truth == 1)) & counted).sum()
        np.testing.assert_allclose(iou, recorded['robot_iou'][number], atol=2e-3)
