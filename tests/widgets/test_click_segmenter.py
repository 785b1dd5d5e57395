"""The click segmenter from Python's side: objects, images, refinements, files; and what goes wrong."""

import re
import sys
import threading

import cv2
import numpy as np
import pytest
from PIL import Image

pytest.importorskip('anywidget')

from chainer_seg.datasets import CocoDataset, ShapesDataset  # noqa: E402
from chainer_seg.errors import ClickError, DatasetError, ImageError, UserError  # noqa: E402
from chainer_seg.images import write_image  # noqa: E402
from chainer_seg.models.deeplab import Click  # noqa: E402
from chainer_seg.widgets import ClickSegmenter  # noqa: E402

from .controls import controls  # noqa: E402
from .discs import Discs, command, disc, press  # noqa: E402

SIZE = 60, 80


def random_image(seed=0, size=SIZE):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


@pytest.fixture
def segmenter():
    return ClickSegmenter({'cup': random_image(0), 'cat': random_image(1, (50, 40))}, Discs(),
                          longest_side=80)


def push(segmenter, text):
    controls(segmenter, 'Button')[text].click()


def listed(segmenter):
    """The names in the list of finished objects."""
    return [row.children[1].value for row in segmenter._controls._list.children]


def shown_objects(segmenter):
    data = np.frombuffer(segmenter.canvas.objects_data, np.uint8)
    return cv2.imdecode(data, cv2.IMREAD_UNCHANGED)


# Objects

def test_a_finished_object_is_kept_under_its_name_and_the_next_one_starts(segmenter):
    segmenter.add(Click(20, 20))
    segmenter.finish('saucer')
    assert [each.name for each in segmenter.objects] == ['saucer']
    np.testing.assert_array_equal(segmenter.masks, disc(SIZE, 20, 20)[None])
    assert segmenter.clicks == () and not segmenter.mask.any()
    assert listed(segmenter) == ['saucer']


def test_button_and_key_use_the_name_in_the_field(segmenter):
    controls(segmenter, 'Combobox')['name of the object'].value = ' spoon '
    segmenter.add(Click(20, 20))
    push(segmenter, 'Next object')
    segmenter.add(Click(40, 40))
    command(segmenter, 'finish')
    assert [each.name for each in segmenter.objects] == ['spoon', 'spoon']


def test_finishing_without_an_object_is_rejected(segmenter):
    with pytest.raises(ClickError, match='click the object first'):
        segmenter.finish()
    push(segmenter, 'Next object')
    assert 'click the object first' in segmenter.message and segmenter.objects == ()


def test_finished_objects_are_shown_with_a_number_each(segmenter):
    for y, x in ((20, 20), (40, 60)):
        segmenter.add(Click(y, x))
        segmenter.finish()
    expected = disc(SIZE, 20, 20) + 2 * disc(SIZE, 40, 60)
    np.testing.assert_array_equal(shown_objects(segmenter), expected)
    assert len(segmenter.canvas.object_colors) == 2


def test_colours_stay_with_their_objects(segmenter):
    for y, x in ((20, 20), (40, 60), (40, 20)):
        segmenter.add(Click(y, x))
        segmenter.finish()
    first, second, third = segmenter.canvas.object_colors
    assert len({*map(tuple, (first, second, third))}) == 3
    segmenter.remove(0)
    assert segmenter.canvas.object_colors == [second, third]
    segmenter.add(Click(20, 20))
    segmenter.finish()
    assert segmenter.canvas.object_colors == [second, third, first]


def test_current_object_has_a_colour_of_its_own():
    from chainer_seg.colors import NEGATIVE, POSITIVE
    from chainer_seg.widgets.object_list import object_colors
    colors = {tuple(color) for color in object_colors(range(25)).tolist()}
    assert len(colors) == 25 and not colors & {POSITIVE, NEGATIVE}


def test_reopened_object_is_refined_by_further_clicks(segmenter):
    segmenter.add(Click(20, 20))
    segmenter.finish('cup')
    segmenter.add(Click(40, 60))
    push(segmenter, 'Edit this object')
    assert segmenter.clicks == (Click(20, 20),)
    assert segmenter._controls.name == 'cup'
    # What was worked on is not lost.
    np.testing.assert_array_equal(segmenter.masks, disc(SIZE, 40, 60)[None])


def test_object_is_renamed_and_deleted_in_the_list(segmenter):
    segmenter.add(Click(20, 20))
    segmenter.finish('cup')
    segmenter._controls._list.children[0].children[1].value = 'mug'
    assert segmenter.objects[0].name == 'mug'
    assert segmenter.instances().class_names == ('mug',)
    push(segmenter, 'Delete this object')
    assert segmenter.objects == () and listed(segmenter) == []
    assert segmenter.canvas.objects_data == b''


@pytest.mark.parametrize('method', ['reopen', 'remove'])
def test_a_missing_object_is_rejected(segmenter, method):
    with pytest.raises(ClickError, match='no finished object 3'):
        getattr(segmenter, method)(3)


def test_an_object_of_one_pixel_is_segmented():
    segmenter = ClickSegmenter(np.zeros((1, 1, 3), np.uint8), Discs())
    segmenter.add(Click(0, 0))
    segmenter.finish('dot')
    assert segmenter.masks.tolist() == [[[True]]] and shown_objects(segmenter).tolist() == [[1]]


# Images

def test_each_image_keeps_its_clicks_and_objects(segmenter):
    segmenter.add(Click(20, 20))
    segmenter.finish()
    segmenter.add(Click(40, 60))
    push(segmenter, 'Next image (.)')
    assert segmenter.number == 1 and segmenter.clicks == () and segmenter.objects == ()
    assert segmenter.canvas.image_size == (50, 40) and segmenter.canvas.image_number == 1
    assert segmenter.canvas.objects_data == b'' and listed(segmenter) == []
    push(segmenter, 'Previous image (,)')
    assert segmenter.clicks == (Click(40, 60),) and len(segmenter.objects) == 1
    np.testing.assert_array_equal(shown_objects(segmenter) > 0, disc(SIZE, 20, 20))


def test_keys_switch_images_and_stop_at_the_ends(segmenter):
    for name, expected in (('previous', 0), ('next', 1), ('next', 1), ('previous', 0)):
        command(segmenter, name)
        assert segmenter.number == expected


@pytest.mark.parametrize('number', [-1, 2, 'cat', None])
def test_a_missing_image_is_rejected(segmenter, number):
    with pytest.raises(UserError, match='numbered from 0 to 1'):
        segmenter.go_to(number)
    assert segmenter.number == 0


def test_a_late_click_applies_to_the_image_that_was_shown(segmenter):
    segmenter.go_to(1)
    press(segmenter, 20, 20, image=0)  # made before the browser showed image 1
    assert segmenter.clicks == () and segmenter.canvas.clicks == []
    assert not segmenter.mask.any()
    assert segmenter.message == 'The last click was made on cup and is saved there.'
    segmenter.go_to(0)
    assert segmenter.clicks == (Click(20, 20),)
    np.testing.assert_array_equal(segmenter.mask, disc(SIZE, 20, 20))


def test_late_keys_apply_to_the_image_that_was_shown(segmenter):
    segmenter.add(Click(20, 20))
    segmenter.go_to(1)
    segmenter.add(Click(30, 30))
    command(segmenter, 'finish', image=0)
    assert segmenter.objects == () and segmenter.clicks == (Click(30, 30),)
    command(segmenter, 'reset', image=0)
    assert segmenter.clicks == (Click(30, 30),)
    segmenter.go_to(0)
    assert len(segmenter.objects) == 1


@pytest.mark.parametrize('number', [7, -1, 'x', [0]])
def test_a_click_on_an_unknown_image_is_rejected(segmenter, number):
    press(segmenter, 20, 20, image=number)
    assert segmenter.clicks == () and 'click again' in segmenter.message


def test_the_image_can_change_while_a_click_is_computed():
    """A cell goes to another image in one thread while a click computes in another."""
    started, go_on = threading.Event(), threading.Event()

    class Slow(Discs):
        def predict_logits(self, *arguments):
            started.set()
            assert go_on.wait(10)
            return super().predict_logits(*arguments)

    segmenter = ClickSegmenter([random_image(0), random_image(1)], Slow())
    click = threading.Thread(target=press, args=(segmenter, 20, 20))
    click.start()
    assert started.wait(10)
    change = threading.Thread(target=segmenter.go_to, args=(1,))
    change.start()
    go_on.set()
    click.join(10)
    change.join(10)
    assert segmenter.number == 1 and segmenter.clicks == () and not segmenter.mask.any()
    assert segmenter.canvas.clicks == [] and segmenter.canvas.image_number == 1
    segmenter.go_to(0)
    np.testing.assert_array_equal(segmenter.mask, disc(SIZE, 20, 20))


def test_images_are_read_when_they_are_opened(tmp_path):
    write_image(tmp_path / 'a.png', random_image(0))
    (tmp_path / 'b.png').write_bytes(b'no image')
    segmenter = ClickSegmenter([tmp_path / 'a.png', tmp_path / 'b.png', random_image(2)], Discs())
    assert segmenter.names == ['a', 'b', 'image3']
    push(segmenter, 'Next image (.)')
    assert segmenter.number == 0 and 'b.png' in segmenter.message
    segmenter.go_to(2)
    np.testing.assert_array_equal(segmenter.image, random_image(2))


def test_a_folder_of_images_is_opened(tmp_path):
    for name in ('b.png', 'a.png'):
        write_image(tmp_path / name, random_image(0))
    (tmp_path / 'notes.txt').write_text('')
    assert ClickSegmenter(tmp_path, Discs()).names == ['a', 'b']


def test_saving_does_not_read_unopened_images(segmenter, tmp_path):
    segmenter.add(Click(20, 20))
    segmenter.finish()
    write_image(tmp_path / 'a.png', random_image(0))
    segmenter.add_images([random_image(1), tmp_path / 'a.png'])
    (tmp_path / 'a.png').unlink()
    assert segmenter.labels().image_names == ['cup']


def test_same_names_are_made_unique(tmp_path):
    for folder in 'xy':
        write_image(tmp_path / folder / 'a.png', random_image(0))
    segmenter = ClickSegmenter([tmp_path / 'x' / 'a.png', tmp_path / 'y' / 'a.png'], Discs())
    assert segmenter.names == ['a', 'a-2']


def test_an_empty_list_of_images_is_rejected():
    with pytest.raises(UserError, match='No images given'):
        ClickSegmenter([], Discs())


def test_a_data_set_is_opened_with_its_objects():
    dataset = ShapesDataset(2, size=(64, 64), objects=(2, 2), crowd_probability=0)
    segmenter = ClickSegmenter(dataset, Discs())
    image, instances = dataset[0]
    np.testing.assert_array_equal(segmenter.image, image)
    np.testing.assert_array_equal(segmenter.masks, instances.masks)
    assert [each.name for each in segmenter.objects] == [instances.name(n) for n in range(2)]


# Uploads and masks

def upload(segmenter, text, content, name='dog.png'):
    """What the browser sends for a file that was chosen."""
    controls(segmenter, 'FileUpload')[text].set_state({'value': [
        {'name': name, 'type': 'image/png', 'size': len(content), 'content': memoryview(content),
         'last_modified': 0}]})


def png(image):
    return cv2.imencode('.png', image)[1].tobytes()


def test_uploaded_image_is_the_current_one(segmenter):
    upload(segmenter, 'Image', png(random_image(5)[:, :, ::-1]))
    assert segmenter.names == ['cup', 'cat', 'dog'] and segmenter.number == 2
    np.testing.assert_array_equal(segmenter.image, random_image(5))
    assert controls(segmenter, 'FileUpload')['Image'].value == ()


@pytest.mark.parametrize('text', ['Image', 'Labels'])
def test_an_upload_that_is_not_an_image_is_an_error(segmenter, text):
    upload(segmenter, text, b'nothing')
    assert 'it is damaged or not an image file' in segmenter.message
    assert segmenter.names == ['cup', 'cat'] and segmenter.number == 0


def test_added_images_that_cannot_be_read_are_not_added(segmenter, tmp_path):
    with pytest.raises(ImageError):
        segmenter.add_images([tmp_path / 'none.png'])
    assert segmenter.names == ['cup', 'cat']


def test_an_object_can_start_from_a_mask_that_clicks_correct(segmenter):
    start = disc(SIZE, 30, 30) | disc(SIZE, 30, 60)
    segmenter.load_mask(start)
    np.testing.assert_array_equal(segmenter.mask, start)
    segmenter.add(Click(30, 60, False))
    assert not segmenter.mask[30, 60] and segmenter.mask[30, 30]
    segmenter.undo()
    np.testing.assert_array_equal(segmenter.mask, start)
    segmenter.undo()
    assert not segmenter.mask.any()


@pytest.mark.parametrize('white', [1, 255])
def test_masks_are_loaded_from_files_and_uploads(segmenter, tmp_path, white):
    start = disc(SIZE, 30, 30)
    write_image(tmp_path / 'mask.png', start.astype(np.uint8) * white)
    controls(segmenter, 'Text')['path of a mask or COCO file'].value = str(tmp_path / 'mask.png')
    push(segmenter, 'Load')
    np.testing.assert_array_equal(segmenter.mask, start)
    segmenter.reset()
    upload(segmenter, 'Labels', (tmp_path / 'mask.png').read_bytes())
    np.testing.assert_array_equal(segmenter.mask, start)


def test_a_mask_with_two_palette_colours_is_loaded(segmenter, tmp_path):
    palette_image = Image.fromarray(disc(SIZE, 30, 30).astype(np.uint8), 'P')
    palette_image.putpalette([0, 0, 0, 128, 0, 0])
    palette_image.save(tmp_path / 'mask.png')
    segmenter.load_mask(tmp_path / 'mask.png')
    np.testing.assert_array_equal(segmenter.mask, disc(SIZE, 30, 30))


def test_masks_with_void_and_with_transparency_are_loaded(segmenter, tmp_path):
    start, rim = disc(SIZE, 30, 30), disc(SIZE, 34, 30)
    write_image(tmp_path / 'void.png', np.where(start, 1, np.where(rim, 255, 0)).astype(np.uint8))
    write_image(tmp_path / 'cut_out.png', np.dstack([random_image(5), start.astype(np.uint8) * 255]))
    for name, guess in (('void', 'has the object 1, and 255 is unknown'),
                        ('cut_out', 'is partly transparent; the opaque part is the object')):
        segmenter.load_mask(tmp_path / f'{name}.png')
        np.testing.assert_array_equal(segmenter.mask, start)
        assert guess in segmenter.message
        segmenter.reset()


def test_one_of_several_objects_in_a_mask_is_selected(segmenter):
    first, second = disc(SIZE, 15, 20), disc(SIZE, 40, 60)
    data = png((first + 2 * second).astype(np.uint8))
    upload(segmenter, 'Labels', data)
    assert 'has 2 objects, numbered 1, 2' in segmenter.message and not segmenter.mask.any()
    controls(segmenter, 'Text')['object'].value = '2'
    upload(segmenter, 'Labels', data)
    np.testing.assert_array_equal(segmenter.mask, second)
    controls(segmenter, 'Text')['object'].value = 'cup'
    upload(segmenter, 'Labels', data)
    assert "no object 'cup'; it has 1, 2" in segmenter.message
    segmenter.load_mask(data, number=1)
    np.testing.assert_array_equal(segmenter.mask, first)


def test_a_mask_of_another_size_is_an_error_with_both_sizes(segmenter):
    segmenter.add(Click(20, 20))
    with pytest.raises(ClickError, match='30x40.*60x80'):
        segmenter.load_mask(disc((30, 40), 10, 10))
    assert '30x40' in segmenter.message and segmenter.clicks == (Click(20, 20),)


def test_black_mask_is_rejected(segmenter):
    with pytest.raises(DatasetError, match='The mask marks no object'):
        segmenter.load_mask(np.zeros(SIZE, bool))


# Refinements

def half(image, probability, clicks):
    """A refinement that leaves the left half."""
    refined = probability.copy()
    refined[:, probability.shape[1] // 2:] = 0
    return refined


def test_the_selected_refinement_applies_to_all_images(segmenter):
    segmenter.refinement = half
    segmenter.add(Click(20, 40))
    expected = disc(SIZE, 20, 40)
    expected[:, 40:] = False
    np.testing.assert_array_equal(segmenter.mask, expected)
    segmenter.go_to(1)
    segmenter.add(Click(20, 30))
    assert not segmenter.mask.any()
    controls(segmenter, 'Dropdown')['Refine by'].label = 'none'
    assert segmenter.refinement is None and segmenter.mask[20, 30]
    segmenter.go_to(0)
    np.testing.assert_array_equal(segmenter.mask, disc(SIZE, 20, 40))


def test_a_custom_refinement_is_listed(segmenter):
    choice = controls(segmenter, 'Dropdown')['Refine by']
    choice.value = 'crf'
    segmenter.refinement = half
    assert segmenter.refinement is half and choice.label == 'custom'


def test_a_refinement_without_its_extra_is_reported_with_the_install_command(segmenter, monkeypatch):
    segmenter.add(Click(20, 20))
    monkeypatch.setitem(sys.modules, 'maxflow', None)
    choice = controls(segmenter, 'Dropdown')['Refine by']
    choice.value = 'graphcut'
    assert 'pip install' in segmenter.message
    assert segmenter.refinement is None and choice.label == 'none'
    np.testing.assert_array_equal(segmenter.mask, disc(SIZE, 20, 20))


def test_refine_cuts_once_and_undo_restores_the_mask():
    image = np.full((*SIZE, 3), 40, np.uint8)
    image[12:30, 10:30] = 200
    segmenter = ClickSegmenter(image, Discs())
    segmenter.add(Click(20, 20))
    push(segmenter, 'Refine')
    np.testing.assert_array_equal(segmenter.mask, image[:, :, 0] == 200)
    assert segmenter.refinement is None and segmenter.clicks == (Click(20, 20),)
    segmenter.add(Click(50, 60))
    np.testing.assert_array_equal(segmenter.mask, (image[:, :, 0] == 200) | disc(SIZE, 50, 60))
    segmenter.undo()
    segmenter.undo()
    np.testing.assert_array_equal(segmenter.mask, disc(SIZE, 20, 20))


def test_refine_without_an_object_is_an_error(segmenter):
    push(segmenter, 'Refine')
    assert segmenter.message == 'There is no object to refine yet; click the object first.'


def figures(segmenter):
    """What the list says of finished objects beside their names."""
    return [re.sub('<.*?>', '', row.children[2].value) for row in segmenter._controls._list.children]


def test_the_list_shows_the_clicks_of_each_object(segmenter):
    segmenter.add(Click(20, 20))
    segmenter.finish()
    segmenter.add(Click(40, 60), Click(20, 20, False))
    segmenter.finish()
    assert figures(segmenter) == ['1 click', '2 clicks']


def test_the_iou_with_the_best_ground_truth_mask_is_shown():
    near = disc(SIZE, 20, 22)
    segmenter = ClickSegmenter({'cup': random_image(0), 'cat': random_image(1)}, Discs(),
                               true_masks={'cup': np.stack([disc(SIZE, 40, 60), near])})
    found = disc(SIZE, 20, 20)
    expected = (near & found).sum() / (near | found).sum()
    assert segmenter.iou is None
    segmenter.add(Click(20, 20))
    assert segmenter.iou == pytest.approx(expected)
    assert segmenter.message.endswith(f'IoU with the true mask: {expected:.2f}.')
    segmenter.finish()
    assert figures(segmenter) == [f'1 click, IoU {expected:.2f}']
    segmenter.go_to(1)
    segmenter.add(Click(20, 20))
    assert segmenter.iou is None and 'IoU' not in segmenter.message


def test_ground_truth_masks_of_another_size_are_an_error():
    segmenter = ClickSegmenter({'cup': random_image(0)}, Discs(),
                               true_masks={'cup': np.ones((2, 5, 5), bool)})
    with pytest.raises(UserError, match='The true masks of cup must be'):
        segmenter.add(Click(20, 20))


def test_unknown_refinement_is_rejected(segmenter):
    with pytest.raises(UserError, match='Unknown refinement'):
        segmenter.refinement = 'magic'
    assert segmenter.refinement is None


def test_the_refinement_can_be_given_to_the_constructor():
    segmenter = ClickSegmenter(random_image(), Discs(), refinement=half)
    segmenter.add(Click(20, 70))
    assert not segmenter.mask.any()


# Files

def test_saved_coco_reads_back_exactly(segmenter, tmp_path):
    segmenter.add(Click(20, 20))
    segmenter.finish('cup')
    segmenter.add(Click(40, 60))  # not finished: saving does that
    controls(segmenter, 'Combobox')['name of the object'].value = 'spoon'
    segmenter.go_to(1)
    segmenter.add(Click(30, 20))
    segmenter.finish('cup')
    path = segmenter.save_coco(tmp_path / 'labels')
    assert str(tmp_path / 'labels') in segmenter.message

    read = CocoDataset(path, tmp_path / 'labels' / 'images')
    assert read.class_names == ('cup', 'object') and read.image_names == ['cup.jpg', 'cat.jpg']
    _, instances = read[0]
    np.testing.assert_array_equal(instances.masks, [disc(SIZE, 20, 20), disc(SIZE, 40, 60)])
    assert instances.labels.tolist() == [0, 1]
    _, instances = read[1]
    np.testing.assert_array_equal(instances.masks, [disc((50, 40), 30, 20)])
    assert instances.labels.tolist() == [0]


def test_saved_coco_is_opened_again_for_further_work(segmenter, tmp_path):
    segmenter.add(Click(20, 20))
    segmenter.finish('cup')
    path = segmenter.save_coco(tmp_path)
    again = ClickSegmenter(CocoDataset(path, tmp_path / 'images'), Discs())
    assert again.names == ['cup'] and [each.name for each in again.objects] == ['cup']
    np.testing.assert_array_equal(again.masks, segmenter.masks)


def test_labels_of_unopened_images_are_saved(tmp_path):
    dataset = ShapesDataset(3, size=(64, 64), objects=(1, 3))
    segmenter = ClickSegmenter(dataset, Discs())
    segmenter.remove(0)
    labels = segmenter.labels()
    assert labels.class_names == dataset.class_names
    for index, name in enumerate(labels.image_names):
        number = int(name.removeprefix('image')) - 1
        image, instances = labels[index]
        np.testing.assert_array_equal(image, dataset[number][0])
        first = 1 if number == 0 else 0
        np.testing.assert_array_equal(instances.masks, dataset[number][1].masks[first:])
        np.testing.assert_array_equal(instances.labels, dataset[number][1].labels[first:])


def test_saved_masks_are_white_on_the_object(segmenter, tmp_path):
    segmenter.add(Click(20, 20))
    segmenter.finish('big/cup')
    controls(segmenter, 'Text')['Folder'].value = str(tmp_path)
    push(segmenter, 'Masks (PNG)')
    [file] = (tmp_path / 'masks').iterdir()
    assert file.name == 'cup_1_big-cup.png'
    np.testing.assert_array_equal(np.array(Image.open(file)), disc(SIZE, 20, 20) * 255)
    assert segmenter.message == f'Saved 1 mask to {tmp_path}.'


def test_the_folder_can_be_given_to_the_method(tmp_path):
    segmenter = ClickSegmenter(random_image(), Discs(), folder=tmp_path / 'labels')
    segmenter.add(Click(20, 20))
    assert segmenter.save_coco() == tmp_path / 'labels' / 'annotations.json'


def test_without_fields_for_files_code_still_saves_to_the_folder(tmp_path):
    segmenter = ClickSegmenter(random_image(), Discs(), folder=tmp_path / 'labels', files=False)
    segmenter.add(Click(20, 20))
    assert segmenter.save_coco() == tmp_path / 'labels' / 'annotations.json'


def test_only_folders_of_this_session_are_overwritten(segmenter, tmp_path):
    segmenter.add(Click(20, 20))
    segmenter.finish()
    (tmp_path / 'other').mkdir()
    (tmp_path / 'other' / 'thesis.txt').write_text('mine')
    with pytest.raises(UserError, match='not empty'):
        segmenter.save_coco(tmp_path / 'other')
    segmenter.save_coco(tmp_path / 'own')
    segmenter.add(Click(40, 60))
    path = segmenter.save_coco(tmp_path / 'own')
    assert len(CocoDataset(path, tmp_path / 'own' / 'images')[0][1]) == 2


@pytest.mark.parametrize('text', ['COCO JSON', 'Masks (PNG)'])
def test_saving_without_objects_is_rejected(segmenter, text):
    push(segmenter, text)
    assert segmenter.message == 'There is nothing to save yet; click an object first.'


def test_a_folder_that_cannot_be_written_is_an_error(segmenter, tmp_path):
    segmenter.add(Click(20, 20))
    (tmp_path / 'file').write_text('')
    controls(segmenter, 'Text')['Folder'].value = str(tmp_path / 'file')
    for text in ('COCO JSON', 'Masks (PNG)'):
        push(segmenter, text)
        assert str(tmp_path / 'file') in segmenter.message and '\n' not in segmenter.message


# What is seen

def test_snapshot_shows_finished_objects_in_their_colours(segmenter):
    segmenter.canvas.opacity = 1.0
    segmenter.add(Click(20, 20))
    segmenter.finish()
    seen = segmenter.snapshot()
    inside = disc(SIZE, 20, 20)
    assert (seen[inside] == segmenter.canvas.object_colors[0]).all()
    np.testing.assert_array_equal(seen[~inside], random_image(0)[~inside])


def test_repr_describes_the_widget(segmenter):
    segmenter.add(Click(20, 20))
    segmenter.finish()
    assert repr(segmenter) == 'ClickSegmenter(cup: 1 finished object, 0 clicks on the current one)'


def test_name_of_an_image_is_text(tmp_path):
    segmenter = ClickSegmenter({'<b>': random_image(0), 'b': random_image(1)}, Discs())
    assert '<b>' not in segmenter._controls._position.value
