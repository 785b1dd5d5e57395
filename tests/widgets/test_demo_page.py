"""The page of ``chainer-seg demo``, without a browser: uploads, their limits, detection, what is offered."""

import base64
import io
import json
import re
import zipfile

import ipywidgets
import numpy as np
import pytest
from PIL import Image

from chainer_seg.datasets import PlainShapesDataset
from chainer_seg.errors import ImageError
from chainer_seg.models.deeplab import Click
from chainer_seg.widgets import DemoPage, demo_page

from .discs import command, press


def png(array):
    encoded = io.BytesIO()
    Image.fromarray(array).save(encoded, 'PNG')
    return encoded.getvalue()


@pytest.fixture(scope='module')
def scene():
    """An image of plain shapes and its objects."""
    return PlainShapesDataset(20, seed=31, size=(96, 128))[3]


@pytest.fixture
def page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield DemoPage()
    assert not list(tmp_path.iterdir())  # Nothing is written to the working folder.


def upload(page, name, content):
    page._receive({'new': [{'name': name, 'content': memoryview(content)}]})


def click_first_object(page, scene):
    """Uploads the scene and clicks its first object, as the browser does."""
    image, instances = scene
    upload(page, 'scene.png', png(image))
    press(page.segmenter, *np.argwhere(instances.masks[0]).mean(axis=0), image=1)


def widgets_of_the_kernel():
    """All widgets that exist, shown or not, as a browser gets them: ``{id: model and state}``."""
    return ipywidgets.Widget.get_manager_state()['state']


def test_an_upload_is_clicked_and_detected(page, scene):
    image, instances = scene
    upload(page, 'scene.png', png(image))
    assert page.segmenter.names == ['shapes', 'scene'] and page.segmenter.number == 1
    np.testing.assert_array_equal(page.segmenter.image, image)
    np.testing.assert_array_equal(page.explorer.image, image)
    page.segmenter.add(Click(*np.argwhere(instances.masks[0]).mean(axis=0)))
    assert page.segmenter.mask.any()


def offered(page):
    """The names in the ZIP file that the page offers, and the number of annotations."""
    page._guarded(page._offer)
    [link] = page._link.children
    data = re.search('base64,([^"]+)', link.value)[1]
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(data))) as archive:
        return archive.namelist(), len(json.loads(archive.read('annotations.json'))['annotations'])


def test_the_objects_are_offered_as_a_zip_file(page, scene):
    image, instances = scene
    upload(page, 'scene.png', png(image))
    page.segmenter.add(Click(*np.argwhere(instances.masks[0]).mean(axis=0)))
    names, count = offered(page)
    assert count == 1 and names[0] == 'annotations.json'
    assert [name.startswith('masks/scene_') for name in names[1:]] == [True]


def test_objects_that_were_renamed_or_deleted_are_not_offered_any_more(page, scene):
    image, instances = scene
    upload(page, 'scene.png', png(image))
    for number in range(2):
        page.segmenter.add(Click(*np.argwhere(instances.masks[number]).mean(axis=0)))
        page.segmenter.finish(f'object{number}')
    offered(page)
    page.segmenter.remove(1)
    page.segmenter.rename(0, 'cup')
    assert offered(page) == (['annotations.json', 'masks/scene_1_cup.png'], 1)


@pytest.mark.parametrize('name', ['../../etc/passwd.png', '/etc/passwd.png', '<script>.png', '.png', ''])
def test_no_name_of_an_upload_is_a_path_or_markup(page, scene, name):
    upload(page, name, png(scene[0]))
    assert re.fullmatch(r'[\w-][\w.-]*', page.segmenter.names[1])


def test_no_widget_of_the_kernel_takes_a_path(scene):
    others = widgets_of_the_kernel()
    page = DemoPage()
    click_first_object(page, scene)
    command(page.segmenter, 'finish', image=1)
    created = [each for key, each in widgets_of_the_kernel().items() if key not in others]
    assert [each['model_name'] for each in created].count('FileUploadModel') == 1
    fields = [each['state']['placeholder'] for each in created if isinstance(each['state'].get('value'), str)
              and each['model_name'] not in ('HTMLModel', 'LabelModel')]
    assert sorted(fields) == ['name of the object', 'object']  # of the next object, and of the finished one


def test_labelling_by_hand_writes_nothing(page, scene):
    click_first_object(page, scene)  # The fixture looks at the folder where other pages would be autosaved.
    command(page.segmenter, 'finish', image=1)
    assert len(page.segmenter.objects) == 1


@pytest.mark.parametrize('content, sentence', [
    (b'', 'cannot be read'), (b'no image', 'its format is unknown'),
    (b'\x89PNG\r\n\x1a\n' + b'x' * 90, 'damaged'), (b'%!PS-Adobe-3.0', 'cannot be read')])
def test_a_malformed_upload_is_one_sentence_and_changes_nothing(page, content, sentence):
    upload(page, 'bad.png', content)
    assert sentence in page.message and 'bad' in page.message
    assert page.segmenter.names == ['shapes']


def test_files_and_images_beyond_the_limits_are_refused_before_they_are_decoded(monkeypatch):
    monkeypatch.setattr(demo_page, 'decode_image', lambda *_: pytest.fail('decoded'))
    with pytest.raises(ImageError, match='this page takes at most 20 MB'):
        demo_page.read_upload('large', bytes(demo_page.MAX_BYTES + 1))
    with pytest.raises(ImageError, match='9000x8000 pixels, but this page takes at most 64 megapixels'):
        demo_page.read_upload('wide', png(np.zeros((8000, 9000), np.uint8)))


def test_a_large_image_is_shrunk_and_says_so(page, monkeypatch):
    monkeypatch.setattr(demo_page, 'LONGEST_SIDE', 100)
    upload(page, 'large.png', png(np.zeros((150, 200, 3), np.uint8)))
    assert page.segmenter.image.shape == (75, 100, 3)
    assert 'large was shrunk from 200x150 to 100x75 pixels' in page.message


def test_a_page_keeps_so_many_images(page, scene, monkeypatch):
    monkeypatch.setattr(demo_page, 'MAX_IMAGES', 2)
    for name in ('a', 'b'):
        upload(page, f'{name}.png', png(scene[0]))
    assert page.segmenter.names == ['shapes', 'a'] and 'at most 2 images' in page.message
