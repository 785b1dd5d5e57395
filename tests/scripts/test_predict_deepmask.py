"""scripts/predict.py for a model that makes proposals."""

import json

import numpy as np
import pytest
from PIL import Image

from chainer_seg import Instances, save_model
from chainer_seg.images import read_image
from chainer_seg.models.deepmask import SharpMask
from tests.models.deepmask.test_model import SMALL
from tests.scripts.test_scripts import assert_user_error, call  # noqa: F401  a fixture


@pytest.fixture
def model_path(tmp_path):
    save_model(tmp_path / 'model.npz', SharpMask(mask_channels=16, skip_channels=6, **SMALL))
    return tmp_path / 'model.npz'


@pytest.fixture
def images(tmp_path, rng):
    """A folder with two images."""
    (tmp_path / 'images').mkdir()
    for name in 'ab':
        Image.fromarray(rng.integers(0, 256, (50, 70, 3), np.uint8)).save(
            tmp_path / 'images' / f'{name}.png')
    return tmp_path / 'images'


def test_proposals_of_a_folder_are_drawn_and_written(call, model_path, images, tmp_path):  # noqa: F811
    result = call('predict', model_path, images, '--np', '4', '--si', '-1', '--sf', '0', '--out', 'o')
    assert result.returncode == 0, result.stderr
    assert 'a.png: 4 proposals' in result.stdout and 'o/b_overlay.png' in result.stdout
    assert read_image(tmp_path / 'o' / 'a_overlay.png').shape == (50, 70, 3)
    results = json.loads((tmp_path / 'o' / 'a.json').read_text())
    assert [(each['image_id'], each['file_name']) for each in results] == [(1, 'a.png')] * 4
    found = Instances.from_coco_results(results, (50, 70))
    assert found.masks.any(axis=(1, 2)).all() and (np.diff(found.scores) <= 0).all()


def test_list_of_images_and_all_options(call, model_path, images, tmp_path):  # noqa: F811
    (images / 'list.txt').write_text('a.png\n\na.png\n')
    result = call('predict', model_path, images / 'list.txt', '--np', '9', '--ss', '1', '--dm',
                  '--zoom', '--exact', '--nms', '0.5', '--threshold', '0.3', '--draw', '0', '-v')
    assert result.returncode == 0, result.stderr
    assert 'found at scale' in result.stdout
    assert sorted(path.name for path in (tmp_path / 'out' / 'predict').iterdir()) == [
        'a.json', 'a_2.json', 'a_2_overlay.png', 'a_overlay.png']


def test_what_is_wrong_is_told_in_one_sentence(call, model_path, images):  # noqa: F811
    empty = images / 'empty.txt'
    empty.write_text('\n')
    for arguments, sentence in [((empty,), 'empty.txt is empty; it must have a name in each line'),
                                ((images, '--si', '1', '--sf', '0'), 'has no level')]:
        assert_user_error(call('predict', model_path, *arguments), sentence)


def test_a_list_keeps_to_its_folder_unless_asked(call, model_path, images, tmp_path):  # noqa: F811
    (tmp_path / 'lists').mkdir()
    path = tmp_path / 'lists' / 'l.txt'
    for name in ('../images/a.png', f'{images}/a.png'):
        path.write_bytes(b'\xef\xbb\xbf' + name.encode())
        assert_user_error(call('predict', model_path, path), 'outside the folders of the list')
    result = call('predict', model_path, path, '--np', '1', '--allow-outside')
    assert result.returncode == 0, result.stderr
    (images / 'l.txt').write_text('images\\a.png\n')  # seen from the current folder
    result = call('predict', model_path, images / 'l.txt', '--np', '1')
    assert result.returncode == 0 and 'written with backslashes' in result.stdout
