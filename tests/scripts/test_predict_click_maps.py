"""chainer-seg predict with a list of precomputed click maps, each alone, and those of an image together."""

import numpy as np
import pytest
from PIL import Image

from chainer_seg import load_model, save_model
from chainer_seg.cli import main
from chainer_seg.datasets.click_files import maps_path, read_maps, write_maps
from chainer_seg.errors import DatasetError, ImageError, UserError
from chainer_seg.models.deeplab import Click, ClickSegmenter
from chainer_seg.models.deeplab.dense_crf import CrfParameters, joint_crf
from chainer_seg.models.deeplab.precomputed_clicks import maps_of_clicks
from chainer_seg.models.deeplab.precomputed_maps import segment_maps

SIZE = 30, 40
SAMPLES = {'a_0': ('a', Click(12, 10)), 'a_1': ('a', Click(20, 30)), 'b_0': ('b', Click(3, 3))}


@pytest.fixture
def folder(tmp_path, monkeypatch, rng):
    """A model that takes the maps, two images, three samples, and their list; no labels."""
    monkeypatch.chdir(tmp_path)
    save_model('model.npz', ClickSegmenter(blocks=(1, 1, 1, 1), width=2, longest_side=64, click_scale=6,
                                           click_mean=131))
    (tmp_path / 'images').mkdir()
    for name in 'ab':
        Image.fromarray(rng.integers(0, 256, (*SIZE, 3), np.uint8)).save(f'images/{name}.png')
    for sample, (_, click) in SAMPLES.items():
        write_maps(maps_path(tmp_path, sample), maps_of_clicks([click], SIZE))
    lines = [f'{image} {sample}\n' for sample, (image, _) in SAMPLES.items()]
    (tmp_path / 'val.txt').write_text(''.join(lines))
    return tmp_path


def expected(sample):
    image = np.asarray(Image.open(f'images/{SAMPLES[sample][0]}.png'))
    return image, segment_maps(load_model('model.npz'), image, read_maps(f'data/{sample}_pnsamples.tif'))


def test_every_sample_of_the_list_is_segmented_from_its_maps(folder):
    main(['predict', 'model.npz', '--list', 'val.txt', '--out', 'o', '-q', '--device', 'cpu'])
    for sample in SAMPLES:
        found = np.asarray(Image.open(f'o/{sample}_probability.png')) / 255
        np.testing.assert_allclose(found, expected(sample)[1], atol=0.51 / 255)
        mask = np.asarray(Image.open(f'o/{sample}_mask.png')) > 0
        np.testing.assert_array_equal(mask, expected(sample)[1] > 0.5)
    assert not list((folder / 'o').glob('*_joint.png'))


def test_objects_of_an_image_are_refined_together(folder):
    main(['predict', 'model.npz', '--list', 'val.txt', '--out', 'o', '--joint', '--crf-parameters',
          'smooth_weight=1,colour_rgb=30,steps=2', '-q', '--device', 'cpu'])
    stored = np.stack([np.asarray(Image.open(f'o/{sample}_probability.png')) for sample in ('a_0', 'a_1')])
    labels = joint_crf(expected('a_0')[0], stored / np.float32(255), preset=CrfParameters(1, 1, 4, 67, 30, 2))
    np.testing.assert_array_equal(np.asarray(Image.open('o/a_joint.png')), labels)
    assert set(np.unique(np.asarray(Image.open('o/b_joint.png')))) <= {0, 1}


def test_a_damaged_sample_leaves_out_only_its_image(folder):
    maps_path(folder, 'b_0').write_bytes(b'no image')
    with pytest.raises(ImageError, match='have no results'):
        main(['predict', 'model.npz', '--list', 'val.txt', '--out', 'o', '--joint', '-q', '--device', 'cpu'])
    assert [path.name for path in (folder / 'o').glob('*_joint.png')] == ['a_joint.png']


@pytest.mark.parametrize('words, kind, sentence', [
    (('--crf-parameters', 'deeplab'), UserError, '--crf-parameters applies only with --joint'),
    (('--data', 'nowhere'), DatasetError, 'nowhere has no folder images')])
def test_wrong_options_are_one_sentence(folder, words, kind, sentence):
    with pytest.raises(kind, match=sentence):
        main(['predict', 'model.npz', '--list', 'val.txt', '--out', 'o', '-q', *words])
