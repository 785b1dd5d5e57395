"""What a click model starts from: scripts/train.py click --backbone, --init and the click encodings."""

import numpy as np
import pytest

from chainer_seg import load_model, save_model
from chainer_seg.cli import train
from chainer_seg.models.deeplab import ClickSegmenter, DeepLab
from tests.datasets.voc_files import write_voc

NEW = ('--blocks', '1', '1', '1', '1', '--width', '2')
SIZES = {'blocks': (1, 1, 1, 1), 'width': 2}


@pytest.fixture
def make(monkeypatch, tmp_path):
    """The model of options: ``make('--mask-input')``."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        options = ['--out', 'run', *(() if '--init' in arguments else NEW), *arguments]
        return train.parse('click', options).recipe.make_model()
    return call


def stem_of(model):
    return model.net.resnet.stem.conv.W.array


def test_a_backbone_gives_the_colours_and_clicks_count_for_nothing_at_first(make):
    semantic = DeepLab(n_class=4, in_channels=3, **SIZES, seed=5)
    save_model('semantic.npz', semantic)
    model = make('--backbone', 'semantic.npz', '--mask-input')
    weights = semantic.resnet.stem.conv.W.array
    np.testing.assert_array_equal(stem_of(model)[:, :3], weights)
    assert stem_of(model).shape[1] == 6 and (stem_of(model)[:, 3:] == 0).all()


def test_clicks_that_the_backbone_knows_are_forgotten(make):
    save_model('click.npz', ClickSegmenter(**SIZES, seed=5))
    model = make('--backbone', 'click.npz')
    assert stem_of(model).shape[1] == 5 and (stem_of(model)[:, 3:] == 0).all()
    assert (stem_of(model)[:, :3] != 0).any()


def test_disks_of_a_new_model(make):
    model = make('--click-encoding', 'disk', '--click-radius', '4')
    assert (model.config['click_encoding'], model.config['click_radius']) == ('disk', 4)


def test_disks_for_a_model_that_learned_distances(make):
    trained = ClickSegmenter(**SIZES, click_scale=6, click_mean=131, seed=5)
    save_model('click.npz', trained)
    save_model('disk.npz', make('--init', 'click.npz', '--click-encoding', 'disk'))
    model = load_model('disk.npz')
    assert (model.click_encoding, model.click_radius, model.click_mean) == ('disk', 5, 131)
    np.testing.assert_array_equal(stem_of(model), stem_of(trained))


def test_a_model_stays_as_it_is_without_options(make):
    trained = ClickSegmenter(**SIZES, longest_side=99, click_encoding='disk', click_radius=3)
    save_model('click.npz', trained)
    again = make('--init', 'click.npz')
    assert again.config == load_model('click.npz').config and again.click_radius == 3


def test_the_last_layers_start_anew_if_they_are_not_restored(make):
    trained = ClickSegmenter(**SIZES, seed=5)
    save_model('click.npz', trained)
    model = make('--init', 'click.npz', '--not-restore-last')
    np.testing.assert_array_equal(stem_of(model), stem_of(trained))
    fresh = ClickSegmenter(**SIZES, seed=0)
    for (name, ours), (_, new), (_, old) in zip(*(sorted(each.net.pyramid.namedparams())
                                                  for each in (model, fresh, trained))):
        np.testing.assert_array_equal(ours.array, new.array, err_msg=name)
        assert name.endswith('/b') or (ours.array != old.array).any()


def test_a_list_of_voc_is_a_data_set_of_its_name(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    path = write_voc(tmp_path / 'voc')
    request = train.parse('click', ['--dataset', 'voc', '--annotations', str(path)])
    training_set, _ = request.data.open(1, 0)
    assert [len(training_set[number][1]) for number in range(len(training_set))] == [2, 1]
