"""scripts/predict.py with a click model: clicks from files, click maps, refinements, and bad input."""

import functools
import json
import pathlib

import numpy as np
import pytest
from PIL import Image

from chainer_seg import load_model, save_model
from chainer_seg.datasets.click_files import read_maps, write_maps
from chainer_seg.images import read_image
from chainer_seg.models.deeplab import Click, ClickSegmenter
from chainer_seg.models.deeplab.dense_crf import CrfParameters, dense_crf
from chainer_seg.models.deeplab.precomputed_maps import segment_maps
from chainer_seg.models.deeplab.precomputed_clicks import maps_of_clicks
from chainer_seg.models.deepmask import SharpMask
from chainer_seg.models.mask_rcnn import MaskRCNN
from tests.models.deepmask.test_model import SMALL as SMALL_DEEPMASK
from tests.models.mask_rcnn.test_model import SMALL as SMALL_MASK_RCNN

SIZE = 30, 40
CLICKS = [Click(12, 10), Click(5, 30, False)]


@pytest.fixture
def predict(call_here, tmp_path, monkeypatch, rng):
    """``predict(*options) -> (status, errors)`` for a.png with an untrained small model."""
    monkeypatch.chdir(tmp_path)
    save_model('model.npz', ClickSegmenter(blocks=(1, 1, 1, 1), width=2, longest_side=64))
    Image.fromarray(rng.integers(0, 256, (*SIZE, 3), np.uint8)).save('a.png')

    def call(*options, image='a.png'):
        status, _, errors = call_here('predict.py', 'model.npz', image, '--out', 'o', '-q', *options)
        return status, errors
    return call


def assert_found(probability, name='a'):
    found = np.asarray(Image.open(f'o/{name}_probability.png')) / 255
    np.testing.assert_allclose(found, probability, atol=0.51 / 255)


def expected(clicks=CLICKS, refinement=None, **settings):
    session = load_model('model.npz').session(read_image('a.png'), refinement, **settings)
    return session.add(*clicks)


def test_save_is_another_name_of_out(call_here, predict, tmp_path):
    assert call_here('predict.py', 'model.npz', 'a.png', '--pos', '3,3', '--save', 's', '-q')[0] == 0
    assert sorted(path.name for path in (tmp_path / 's').iterdir()) == [
        'a.json', 'a_mask.png', 'a_overlay.png', 'a_probability.png']


def test_clicks_of_a_file_come_before_those_of_the_options(predict, tmp_path):
    (tmp_path / 'c.json').write_text(json.dumps([{'x': 10, 'y': 12}]))
    assert predict('--clicks', 'c.json', '--neg', '30,5') == (0, '')
    assert_found(expected())
    (tmp_path / 'c.json').write_text(json.dumps([{'x': 10, 'y': 12, 'positive': True},
                                                 {'x': 30, 'y': 5, 'positive': False}]))
    assert predict('--clicks', 'c.json') == (0, '')
    assert_found(expected())


@pytest.mark.parametrize('text, parameters', [
    ('tensorflow', CrfParameters(3, 9, 10, 40, 17)), ('deeplab', CrfParameters(3, 1, 4, 67, 3)),
    ('tensorflow,steps=2', CrfParameters(3, 9, 10, 40, 17, 2)),
    ('colour_rgb=8.5,smooth_weight=1', CrfParameters(1, 1, 4, 67, 8.5))])
def test_numbers_of_the_crf(predict, text, parameters):
    assert predict('--pos', '10,12', '--neg', '30,5', '--refine', 'crf',
                   '--crf-parameters', text) == (0, '')
    assert_found(expected(refinement=functools.partial(dense_crf, preset=parameters)))


def test_mirror_image_is_looked_at(predict):
    assert predict('--pos', '10,12', '--neg', '30,5', '--flip') == (0, '')
    assert_found(expected(flip=True))


def test_click_maps_take_the_place_of_clicks(predict):
    save_model('model.npz', ClickSegmenter(blocks=(1, 1, 1, 1), width=2, click_scale=6, click_mean=131))
    maps = maps_of_clicks(CLICKS, SIZE)
    write_maps('maps.tif', maps)
    assert predict('--pnmap', 'maps.tif') == (0, '')
    assert_found(segment_maps(load_model('model.npz'), read_image('a.png'), maps))


def test_click_maps_are_refined_with_the_clicks_in_them(predict):
    pytest.importorskip('maxflow', reason='PyMaxflow is not installed')
    write_maps('maps.tif', maps_of_clicks(CLICKS, SIZE))
    assert predict('--pnmap', 'maps.tif', '--refine', 'graphcut') == (0, '')
    mask = np.asarray(Image.open('o/a_mask.png'))
    assert mask[12, 10] and not mask[5, 30]
    assert_found(expected(refinement='graphcut'))


def test_clicks_are_saved_as_maps_that_mean_the_same(predict):
    assert predict('--pos', '10,12', '--neg', '30,5', '--save-pnmap') == (0, '')
    first = Image.open('o/a_probability.png')
    np.testing.assert_array_equal(read_maps('o/a_pnsamples.tif'), maps_of_clicks(CLICKS, SIZE))
    assert predict('--pnmap', 'o/a_pnsamples.tif') == (0, '')
    np.testing.assert_array_equal(Image.open('o/a_probability.png'), first)


@pytest.mark.parametrize('mode', ['L', 'RGBA', 'P', '1', 'I;16', 'LA', 'CMYK'])
def test_images_of_all_modes(predict, mode):
    image = Image.open('a.png').convert('I' if mode == 'I;16' else mode)
    name = 'b.tif' if mode == 'CMYK' else 'b.png'
    (Image.fromarray(np.asarray(image).astype(np.uint16)) if mode == 'I;16' else image).save(name)
    assert predict('--pos', '10,12', image=name) == (0, '')
    assert Image.open('o/b_mask.png').size == SIZE[::-1]


@pytest.mark.parametrize('refinement', ['none', 'crf', 'graphcut'])
@pytest.mark.parametrize('size', [(1, 1), (1, 9), (7, 1)])
def test_images_of_few_pixels(predict, size, refinement):
    if refinement == 'graphcut':
        pytest.importorskip('maxflow', reason='PyMaxflow is not installed')
    Image.new('RGB', size, (200, 10, 30)).save('b.png')
    assert predict('--pos', '0,0', '--refine', refinement, '--save-pnmap', image='b.png') == (0, '')
    assert Image.open('o/b_mask.png').size == size


@pytest.mark.parametrize('mode', ['L', '1', 'RGB', 'RGBA', 'P'])
def test_masks_to_begin_with_of_all_modes(predict, mode):
    mask = np.zeros(SIZE, bool)
    mask[5:20, 8:30] = True
    Image.fromarray(mask.astype(np.uint8) * 255).convert(mode).save('m.png')
    assert predict('--mask', 'm.png') == (0, '')
    np.testing.assert_array_equal(np.asarray(Image.open('o/a_mask.png')) > 0, mask)


def test_a_mask_of_several_objects_begins_with_the_one_that_is_named(predict):
    numbers = np.zeros(SIZE, np.uint8)
    numbers[5:12, 8:30], numbers[15:25, 3:9], numbers[26:, :] = 1, 2, 255
    Image.fromarray(numbers).save('m.png')
    status, errors = predict('--mask', 'm.png')
    assert status == 2 and 'm.png has 2 objects, numbered 1, 2; choose one of them' in errors
    assert predict('--mask', 'm.png', '--object', '2') == (0, '')
    np.testing.assert_array_equal(np.asarray(Image.open('o/a_mask.png')) > 0, numbers == 2)
    assert predict('--mask', 'm.png', '--labels-as', 'levels') == (0, '')
    np.testing.assert_array_equal(np.asarray(Image.open('o/a_mask.png')) > 0, numbers == 255)


def test_clicks_with_a_byte_order_mark(predict):
    content = json.dumps([{'x': 10, 'y': 12}, {'x': 30, 'y': 5, 'positive': False}])
    for encoding in ('utf-8-sig', 'utf-16'):
        pathlib.Path('clicks.json').write_text(content, encoding=encoding)
        assert predict('--clicks', 'clicks.json') == (0, '')
        assert_found(expected())


def write_bad_files():
    Image.new('L', (4, 3), 255).save('small.png')
    Image.new('L', SIZE[::-1]).save('black.png')
    write_maps('maps.tif', maps_of_clicks(CLICKS, SIZE))
    write_maps('small.tif', maps_of_clicks([Click(1, 1)], (3, 4)))
    write_maps('negative.tif', maps_of_clicks(CLICKS[1:], SIZE))
    for name, content in {'text': 'x=3', 'number': '3', 'points': '[[1, 2]]',
                          'words': '[{"x": "here", "y": 1}]',
                          'sign': '[{"x": 1, "y": 1, "positive": 7}]',
                          'negative': '[{"x": 1, "y": 1, "positive": false}]'}.items():
        pathlib.Path(f'{name}.json').write_text(content)


@pytest.mark.parametrize('options, sentence', [
    (('--pos', '40,1'), 'a.png: The click at x=40.0, y=1.0 lies outside the image'),
    (('--pos', '1,1', '--neg', '3,-2'), 'lies outside the image'),
    (('--pos', 'nan,1'), 'lies outside the image'),
    ((), 'give at least one --pos X,Y'),
    (('--neg', '1,1'), 'give at least one --pos X,Y'),
    (('--mask', 'small.png'), 'a.png: The mask is 3x4 pixels, but the image is 30x40'),
    (('--mask', 'black.png'), 'black.png marks no object'),
    (('--mask', 'nowhere.png'), 'There is no image nowhere.png'),
    (('--clicks', 'nowhere.json'), 'There is no file of clicks nowhere.json'),
    (('--clicks', 'text.json'), 'The file of clicks text.json is not valid JSON'),
    *((('--clicks', f'{name}.json'), f'{name}.json is not a list of clicks')
      for name in ('number', 'points', 'words')),
    (('--clicks', 'sign.json', '--pos', '1,1'), 'sign.json is not a list of clicks'),
    (('--clicks', 'negative.json'), 'give at least one --pos X,Y'),
    (('--pos', '1,1', '--object', '2'), 'apply only with --mask'),
    (('--pos', '1,1', '--labels-as', 'colors'), 'apply only with --mask'),
    (('--pnmap', 'nowhere.tif'), 'There is no image nowhere.tif'),
    (('--pnmap', 'a.png'), 'a.png must have 2 8-bit pages of one size'),
    (('--pnmap', 'small.tif'), 'a.png: The click maps are 3x4 pixels, but the image is 30x40'),
    (('--pnmap', 'negative.tif'), 'a.png: The click maps have no positive click'),
    (('--pnmap', 'maps.tif', '--pos', '1,1'), '--pnmap replaces clicks'),
    (('--pnmap', 'maps.tif', '--mask', 'small.png'), '--pnmap replaces clicks')])
def test_bad_input_is_one_sentence(predict, options, sentence):
    write_bad_files()
    status, errors = predict(*options)
    assert status == 2 and errors.startswith('error: ') and errors.count('\n') == 1, errors
    assert sentence in errors


@pytest.mark.parametrize('image, sentence', [
    ('nowhere.png', 'There is no image nowhere.png'), ('model.npz', 'model.npz cannot be read'),
    ('empty', 'The folder empty contains no images'), ('cut.png', 'cut.png cannot be read')])
def test_bad_image_is_one_sentence(predict, tmp_path, image, sentence):
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'cut.png').write_bytes((tmp_path / 'a.png').read_bytes()[:200])
    status, errors = predict('--pos', '1,1', image=image)
    assert status == 2 and errors.startswith('error: ') and errors.count('\n') == 1, errors
    assert sentence in errors


def test_click_maps_are_those_of_one_image(predict, tmp_path):
    write_bad_files()
    status, errors = predict('--pnmap', 'maps.tif', image=tmp_path)
    assert status == 2 and '--pnmap holds the clicks on one image, but' in errors


@pytest.mark.parametrize('text, sentence', [
    ('caffe', "'caffe' is neither tensorflow nor deeplab"), ('steps=many', "'many' is not a number"),
    ('colour_rgb=nan', "'nan' is not a number"), ('smooth_xy=-1', 'of a dense CRF must not be negative')])
def test_wrong_numbers_of_the_crf_are_told(predict, text, sentence):
    status, errors = predict('--pos', '1,1', '--refine', 'crf', '--crf-parameters', text)
    assert status == 2 and sentence in ' '.join(errors.split())


@pytest.mark.parametrize('make', [
    lambda: MaskRCNN(**SMALL_MASK_RCNN),
    lambda: SharpMask(mask_channels=16, skip_channels=6, **SMALL_DEEPMASK)])
@pytest.mark.parametrize('more', [(), ('--protocol', 'clicks')])
def test_with_clicks_a_detector_or_proposal_model_is_clicked(predict, make, more):
    save_model('model.npz', make())
    assert predict('--pos', '10,12', '--neg', '30,5', *more) == (0, '')
    assert_found(expected())
    mask = np.asarray(Image.open('o/a_mask.png'))
    assert mask[12, 10] == 255 and mask[5, 30] == 0


def test_without_clicks_a_detector_detects_as_before(predict):
    save_model('model.npz', MaskRCNN(**SMALL_MASK_RCNN))
    assert predict()[0] == 0
    assert not pathlib.Path('o/a_probability.png').exists()


def test_settings_that_a_detector_does_not_have_are_one_sentence(predict):
    save_model('model.npz', MaskRCNN(**SMALL_MASK_RCNN))
    status, errors = predict('--pos', '10,12', '--zoom-side', '32')
    assert status == 2
    assert errors == 'error: --zoom-side does not apply to model.npz, a MaskRCNN; omit it.\n'
