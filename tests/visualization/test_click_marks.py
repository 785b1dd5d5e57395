import numpy as np

from chainer_seg.models.deeplab import Click
from chainer_seg.visualization import overlay_clicks
from chainer_seg.colors import NEGATIVE, POSITIVE


def test_marks_are_only_at_the_clicks():
    image = np.zeros((60, 80, 3), np.uint8)
    overlay = overlay_clicks(image, [Click(20, 30), Click(45, 60, False)], radius=8)
    assert overlay[20, 30].tolist() == [255, 255, 255]  # the sign in the middle
    assert tuple(overlay[20 - 6, 30 - 3]) == POSITIVE and tuple(overlay[45 - 6, 60 - 3]) == NEGATIVE
    assert (overlay[:10] == 0).all() and (overlay[:, :15] == 0).all() and (image == 0).all()


def test_plus_and_minus_differ_in_the_upright_stroke():
    image = np.zeros((60, 80, 3), np.uint8)
    plus = overlay_clicks(image, [Click(30, 40)], radius=10)
    minus = overlay_clicks(image, [Click(30, 40, False)], radius=10)
    assert plus[26, 40].tolist() == [255, 255, 255]
    assert tuple(minus[26, 40]) == NEGATIVE


def test_a_click_at_the_edge_is_clipped():
    overlay = overlay_clicks(np.zeros((9, 9, 3), np.uint8), [Click(0, 8)])
    assert overlay.any()
