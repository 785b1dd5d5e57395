"""Boxes and crops of the zoom-in against recorded numbers of the original, and images of a single pixel."""

import numpy as np
import pytest

from chainer_seg.models.deeplab import Click
from chainer_seg.models.ritm.answer import View
from chainer_seg.models.ritm.zoom_in import ZoomIn, box_iou, enlarged, scaled, whole
from tests.models.ritm import reference

pytestmark = pytest.mark.usefixtures('shared_data')

NO_CLICKS = np.zeros((120, 160), np.float32)


def cases(name):
    return reference.units()[0][name]


def clicks_of(rows):
    return [Click(y, x, bool(positive)) for y, x, positive in rows]


def zoom_of(parameters):
    side = parameters['target_size']
    return ZoomIn(side[0] if isinstance(side, list) else side, parameters.get('skip_clicks', 1),
                  least=parameters['min_crop_size'], square=isinstance(side, list))


def test_box_is_enlarged_and_clamped():
    for case in cases('boxes'):
        first_row, last_row, first_column, last_column = case['box']
        box = enlarged([(first_row, last_row), (first_column, last_column)], case['ratio'], case['min_crop'],
                       case['image'])
        assert list(box) == case['clamped']


def test_crop_has_the_recorded_size():
    for case in cases('boxes'):
        side = case['target']
        square = isinstance(side, list)
        zoom = ZoomIn(side[0] if square else side, square=square)
        assert list(zoom.crop_size(tuple(case['clamped']))) == case['crop_size']


def test_overlap_of_boxes():
    for case in cases('box_iou'):
        assert box_iou(case['a'], case['b']) == pytest.approx(case['iou'])


def test_box_holds_the_object_and_the_positive_clicks():
    for case in cases('object_roi'):
        mask = np.zeros(case['image'], bool)
        first_row, last_row, first_column, last_column = case['mask_box_r0_r1_c0_c1']
        mask[first_row:last_row + 1, first_column:last_column + 1] = True
        zoom = ZoomIn(margin=case['ratio'], least=case['min_crop'])
        assert list(zoom.around(mask, clicks_of(case['clicks_y_x_positive']))) == case['roi']


def test_box_is_replaced_for_a_positive_click_on_its_last_row_or_column():
    for case in cases('click_inside_roi'):
        kept = tuple(case['roi'])
        found = np.zeros((120, 120), np.float32)
        # What is wanted overlaps with the box by more than half, so that only the click decides.
        found[kept[0] + 2:kept[1] - 3, kept[2] + 2:kept[3] - 3] = 1
        click = Click(*case['click_y_x'], bool(case['positive']))
        box = ZoomIn(after=0, margin=1, least=0).next_box(kept, found, [click])
        assert (box == kept) == case['inside']


def test_clicks_move_with_the_crop():
    case = cases('click_transform')
    view = View((200, 200), tuple(case['roi']), (tuple(case['crop_size']),))
    moved = view.moved([Click(y, x) for y, x in case['clicks_y_x']])
    np.testing.assert_allclose([(click.y, click.x) for click in moved], case['result_y_x'], rtol=1e-12)


def test_crop_has_the_recorded_pixels():
    arrays = reference.units()[1]
    box = tuple(arrays['crop_roi'].tolist())
    image = arrays['crop_in'][0]
    for key, size in (('crop_target20', scaled((box[1] - box[0] + 1, box[3] - box[2] + 1), 20)),
                      ('crop_target7x9', (7, 9))):
        crop = View(image.shape[1:], box, (size,)).crop(image)
        np.testing.assert_allclose(crop, arrays[key][0], atol=1e-6)


@pytest.mark.parametrize('name', ['skip1_moves_and_keeps', 'skip_minus1', 'skip_minus1_fixed_size',
                                  'skip0_second_pass', 'empty_mask_first'])
def test_script_of_clicks(name):
    script = cases('zoom_scripts')[name]
    zoom, size = zoom_of(script['params']), script['image']
    kept, found, clicks = None, NO_CLICKS, []
    for step in script['steps']:
        clicks += clicks_of([step['click_y_x_positive']])
        kept = zoom.next_box(kept, found, clicks)
        assert kept == (None if step['roi'] is None else tuple(step['roi']))
        view = View.of(tuple(size), kept, zoom if kept else None)
        assert list(view.sizes[-1]) == step['net_size']
        np.testing.assert_allclose([(click.y, click.x) for click in view.moved(clicks)],
                                   [row[:2] for row in step['clicks_for_net']])
        found = view.pasted(answer(view, step['answer_box']))
        np.testing.assert_allclose(found.sum(), step['sum'], rtol=1e-5)
        assert (kept is None and zoom.looks_again(found)) == step['second_pass']


def answer(view, box):
    """A made-up answer: 0.9 in a box of the network's input."""
    probability = np.zeros(view.sizes[-1], np.float32)
    if box is not None:
        probability[box[0]:box[1] + 1, box[2]:box[3] + 1] = 0.9
    return probability


def test_whole_image_follows_an_empty_mask():
    """Unlike the original, which then squeezes the answer for the whole image into the last box."""
    script = cases('zoom_scripts')['defect_stale_roi']
    zoom = zoom_of(script['params'])
    clicks = clicks_of(step['click_y_x_positive'] for step in script['steps'])
    box = zoom.next_box((30, 70, 42, 82), NO_CLICKS, clicks)
    assert box is None
    view = View.of(NO_CLICKS.shape, box)
    last = script['steps'][-1]['answer_box']
    np.testing.assert_allclose(view.pasted(answer(view, last)).sum(), 0.9 * 21 * 31, rtol=1e-6)


@pytest.mark.parametrize('size', [(1, 1), (1, 5000), (3, 2)])
def test_tiny_and_narrow_images_have_crops_of_at_least_a_pixel(size):
    zoom = ZoomIn(side=400)
    view = View.of(size, whole(size), zoom)
    assert min(view.sizes[-1]) >= 1 and max(view.sizes[-1]) == 400
    image = np.random.default_rng(0).random((3, *size), np.float32)
    assert view.crop(image).shape == (3, *view.sizes[-1])
    assert view.pasted(np.ones(view.sizes[-1], np.float32)).min() == 1
