"""A bad image in a folder or a data set: every command gives the rest its results, and status 2."""

import json
import shutil

import numpy as np
import pytest

from chainer_seg.datasets import CocoDataset, PackedDataset, ShapesDataset, read_proposals, write_coco
from chainer_seg.images import read_image
from chainer_seg.label_images import write_label_image

BAD = '000001.jpg'
SIZE = (96, 96)


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """A COCO data set of four synthetic images."""
    folder = tmp_path_factory.mktemp('whole')
    write_coco(ShapesDataset(4, seed=3, size=SIZE, diameters=(0.5, 0.9), objects=(1, 2),
                             crowd_probability=0), folder)
    return folder


@pytest.fixture
def folder(whole, tmp_path):
    """The same with its second image cut short."""
    folder = tmp_path / 'data'
    shutil.copytree(whole, folder)
    cut_short(folder / 'images' / BAD)
    return folder


def cut_short(path):
    """Cuts a file behind its header, where only decoding finds out."""
    content = path.read_bytes()
    path.write_bytes(content[:len(content) // 2])


def data_options(folder):
    return '--annotations', folder / 'annotations.json', '--images', folder / 'images'


def assert_reported(answer, count, total):
    status, _, errors = answer
    assert status == 2 and 'Traceback' not in errors, errors
    told, summary = [line for line in errors.splitlines() if line and '|' not in line]
    assert told.startswith('skipped: ') and BAD in told
    assert summary.startswith(f'error: {count} of {total} images could not be read')


PREDICTIONS = {
    'click': (('--pos', '40,40'), ('{}.json', '{}_mask.png')),
    'deepmask': (('--np', '3'), ('{}.json', '{}_overlay.png')),
    'mask-rcnn': ((), ('{}.json', '{}_overlay.png')),
    'yolact': ((), ('{}.json', '{}_overlay.png')),
    'deeplab': ((), ('{}.json', '{}_labels.png'))}


@pytest.mark.slow
@pytest.mark.parametrize('model', PREDICTIONS)
def test_predict_gives_the_others_their_results(call_here, folder, tmp_path, model):
    options, files = PREDICTIONS[model]
    out = tmp_path / 'out'
    answer = call_here('predict.py', model, folder / 'images', *options, '--out', out, '-q')
    assert_reported(answer, 1, 4)
    for number in (0, 2, 3):
        assert all((out / name.format(f'{number:06d}')).exists() for name in files)
    assert not list(out.glob('000001*')) and not list(out.glob('.*'))


def test_predict_stops_at_the_first_if_strict(call_here, folder, tmp_path):
    status, _, errors = call_here('predict.py', 'yolact', folder / 'images', '--out',
                                  tmp_path / 'out', '--strict', '-q')
    assert status == 2 and errors.startswith('error: The image') and errors.count('\n') == 1
    assert {path.stem[:6] for path in (tmp_path / 'out').iterdir()} == {'000000', 'unfini'}  # It can resume.


@pytest.mark.parametrize('model', ['yolact', 'click', 'deepmask'])
def test_the_error_of_a_single_image_is_its_own(call_here, folder, tmp_path, model):
    options, _ = PREDICTIONS[model]
    status, _, errors = call_here('predict.py', model, folder / 'images' / BAD, *options, '--out',
                                  tmp_path / 'out', '-q')
    assert status == 2 and errors.startswith('error: The image') and errors.count('\n') == 1
    assert BAD in errors


def test_a_bad_video_does_not_stop_the_images(call_here, folder, tmp_path):
    (tmp_path / 'a.mp4').write_bytes(b'no video')
    status, _, errors = call_here('predict.py', 'yolact', tmp_path / 'a.mp4',
                                  folder / 'images' / '000000.jpg', '--out', tmp_path / 'out', '-q')
    assert status == 2 and 'a.mp4' in errors and '1 of 2 images' in errors
    assert (tmp_path / 'out' / '000000.json').exists()


EVALUATIONS = {
    'yolact': ('--match', 'name'), 'mask-rcnn': ('--match', 'name'), 'click': ('--cap', '5'),
    'deepmask': (), 'deeplab': ('--match', 'name')}


@pytest.mark.slow
@pytest.mark.parametrize('model', EVALUATIONS)
def test_evaluate_measures_the_others(call_here, whole, folder, tmp_path, model):
    options = [*EVALUATIONS[model], '-q']
    answer = call_here('evaluate.py', model, *data_options(folder), *options, '--out',
                       tmp_path / 'a.json')
    assert_reported(answer, 1, 4)
    # The same without that image at all.
    content = json.loads((whole / 'annotations.json').read_text())
    gone = next(image['id'] for image in content['images'] if image['file_name'] == BAD)
    content['images'] = [image for image in content['images'] if image['id'] != gone]
    content['annotations'] = [each for each in content['annotations'] if each['image_id'] != gone]
    (folder / 'annotations.json').write_text(json.dumps(content))
    assert call_here('evaluate.py', model, *data_options(folder), *options, '--out',
                     tmp_path / 'b.json')[0] == 0
    measured, expected = (json.loads((tmp_path / f'{name}.json').read_text()) for name in 'ab')
    assert without_times(measured) == without_times(expected)


def without_times(value):
    if isinstance(value, dict):
        return {name: without_times(each) for name, each in value.items() if 'second' not in name}
    return value


@pytest.mark.slow
def test_evaluate_patches_leaves_out_those_of_the_image(call_here, folder, tmp_path):
    answer = call_here('evaluate.py', 'deepmask', '--protocol', 'patch', *data_options(folder),
                       '--patches', '40', '-q', '--out', tmp_path / 'a.json')
    assert_reported(answer, 1, 4)
    assert 0 <= json.loads((tmp_path / 'a.json').read_text())['iou'] <= 1


@pytest.mark.slow
@pytest.mark.parametrize('model, option', [('yolact', '--results'), ('deeplab', '--save-labels')])
def test_an_evaluation_goes_on_when_the_image_is_repaired(call_here, whole, folder, tmp_path, model,
                                                          option):
    options = (model, *data_options(folder), '--match', 'name', '-q', option)
    assert_reported(call_here('evaluate.py', *options, tmp_path / 'kept'), 1, 4)
    shutil.copy(whole / 'images' / BAD, folder / 'images' / BAD)
    for name in ('kept', 'once'):
        assert call_here('evaluate.py', *options, tmp_path / name)[0] == 0
    for path in (tmp_path / 'once').glob('*.[pj]*'):
        if path.suffix in ('.png', '.json'):
            assert (tmp_path / 'kept' / path.name).read_bytes() == path.read_bytes()


@pytest.mark.slow
def test_proposals_of_the_others_are_computed(call_here, folder, tmp_path):
    answer = call_here('compute_proposals.py', 'deepmask', *data_options(folder), '--np', '5',
                       '--out', tmp_path / 'out', '-q')
    assert_reported(answer, 1, 4)
    assert len(list(read_proposals(tmp_path / 'out'))) == 3


@pytest.mark.slow
def test_proposals_stop_at_the_first_if_strict(call_here, folder, tmp_path):
    status, _, errors = call_here('compute_proposals.py', 'deepmask', *data_options(folder), '--np', '5',
                                  '--out', tmp_path / 'out', '-q', '--strict')
    assert status == 2 and errors.startswith('error: The image') and errors.count('\n') == 1


def test_clicks_on_the_others_are_sampled(call_here, folder, tmp_path):
    answer = call_here('sample_clicks.py', tmp_path / 'out', *data_options(folder), '-q')
    assert_reported(answer, 1, 4)
    listed = (tmp_path / 'out' / 'train_converted.txt').read_text()
    assert '000000 ' in listed and '000003 ' in listed and '000001' not in listed


def prepare(call_here, folder, out, *options):
    data = [word for split in ('train', 'val') for word in (
        f'--{split}_annotations_file', folder / 'annotations.json',
        f'--{split}_image_dir', folder / 'images')]
    return call_here('prepare_dataset.py', *data, '--output_dir', out, '-q', *options)


def test_the_others_are_packed(call_here, whole, folder, tmp_path):
    status, _, errors = prepare(call_here, folder, tmp_path / 'out')
    assert status == 2 and 'Traceback' not in errors
    assert errors.splitlines()[-1].startswith('error: 1 of the 4 images of ')
    assert f'skipped: The image {BAD} cannot be read' in errors
    packed = PackedDataset(tmp_path / 'out' / 'val.packed')
    original = CocoDataset(whole / 'annotations.json', whole / 'images')
    assert packed.ids == [1, 3, 4]
    np.testing.assert_array_equal(packed[1][0], original[2][0])
    # Given again it packs nothing anew, and says the same.
    status, _, errors = prepare(call_here, folder, tmp_path / 'out')
    assert status == 2 and BAD in errors
    assert prepare(call_here, folder, tmp_path / 'out', '--skip_bad')[0] == 0


def test_packing_stops_if_strict(call_here, folder, tmp_path):
    status, _, errors = prepare(call_here, folder, tmp_path / 'out', '--strict')
    assert status == 2 and errors.startswith('error: 1 of the 4 images')
    assert not (tmp_path / 'out' / 'train.packed').exists()


def test_a_list_of_voc_is_packed_without_the_bad_image(call_here, whole, tmp_path):
    voc = tmp_path / 'VOC'
    for name in ('a', 'b', 'c'):
        for kind in ('Class', 'Object'):
            labels = np.zeros(SIZE, np.uint8)
            labels[10:40, 20:60] = 1
            write_label_image(voc / f'Segmentation{kind}' / f'{name}.png', labels)
        (voc / 'JPEGImages').mkdir(exist_ok=True)
        shutil.copy(whole / 'images' / '000000.jpg', voc / 'JPEGImages' / f'{name}.jpg')
    cut_short(voc / 'JPEGImages' / 'b.jpg')
    (voc / 'ImageSets' / 'Segmentation').mkdir(parents=True)
    listed = voc / 'ImageSets' / 'Segmentation' / 'train.txt'
    listed.write_text('a\nb\nc\n')
    status, _, errors = call_here(
        'prepare_dataset.py', '--train_annotations_file', listed, '--train_image_dir', voc,
        '--val_annotations_file', listed, '--val_image_dir', voc, '--output_dir', tmp_path / 'out', '-q')
    assert status == 2 and 'b.jpg' in errors and '1 of the 3 images' in errors
    packed = PackedDataset(tmp_path / 'out' / 'train.packed')
    assert [name[0] for name in packed.image_names] == ['a', 'c']
    np.testing.assert_array_equal(packed[1][0], read_image(voc / 'JPEGImages' / 'c.jpg'))
