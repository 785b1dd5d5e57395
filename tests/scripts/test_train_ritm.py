"""scripts/train.py ritm as a user calls it."""

import json
import pathlib

import numpy as np
import pytest

from chainer_seg import load_model, save_model
from chainer_seg.models.classifier import ResNetClassifier
from chainer_seg.models.deeplab import Click
from chainer_seg.models.ritm import RitmDeepLab, RitmHRNet
from tests.arrays import arrays_of
from tests.models.ritm import toys

SYSTEM = 'ritm'

NET = {'hrnet': '--width 2 --modules 1 1 --ocr-width 2 --stem-width 4',
       'deeplab': '--network deeplab --blocks 1 1 1 1 --width 4 --channels 4'}
RUN = ('--out run --dataset plain-shapes --size 64 --val-n 2 --val-objects 2 --zoom-side 48 --crop 48 '
       '--least-area 50 --max-clicks 3 --batch-size 2 --warm-up 0 --iterations 2 --log-every 1 '
       '--snapshot-every 2 --workers 0 --device cpu -q')


@pytest.mark.parametrize('network', NET)
def test_training_writes_a_model_that_segments(train_here, network):
    train_here(f'{RUN} {NET[network]}')
    lines = [json.loads(line) for line in pathlib.Path('run/log.jsonl').read_text().splitlines()]
    assert {'loss', 'loss/focal', 'iou'} <= lines[0].keys() and 'validation/iou@3' in lines[-1]
    assert ('loss/aux' in lines[0]) == (network == 'hrnet')
    model = load_model('run/model.npz')
    assert type(model) is {'hrnet': RitmHRNet, 'deeplab': RitmDeepLab}[network]
    probability = model.segment(toys.image(), Click(20, 20))
    assert probability.shape == (40, 56) and np.isfinite(probability).all()


def test_published_trainings_are_recipes(parse):
    recipe = parse('--out run --recipe hrnet18s').recipe
    training, samples, losses = recipe.training, recipe.samples, recipe.losses
    # 230 epochs of 30,000 samples, in whole batches of 32
    assert training.iterations == 230 * (30_000 // 32) and training.batch_size == 32
    assert training.lr_step == (200 * 937, 220 * 937) and training.schedule == 'steps'
    assert (training.lr, training.optimizer, training.weight_decay, training.warm_up) == (5e-4, 'adam', 0, 0)
    assert samples.crop == (320, 480) and samples.random_scale == (0.75, 1.4)
    assert (samples.max_clicks, samples.simulated_clicks, samples.merged_objects) == (24, 3, 0.15)
    assert (losses.alpha, losses.gamma, losses.aux_weight, losses.backbone_lr) == (0.5, 2, 0.4, 0.1)


@pytest.mark.parametrize('name, elements', [
    ('hrnet18s', 4_220_047), ('hrnet18', 10_032_019), ('resnet34', None)])
def test_published_networks_have_the_published_sizes(parse, name, elements):
    model = parse(f'--out run --recipe {name}').recipe.make_model()
    wanted = {'hrnet18s': {'width': 18, 'blocks': 2, 'modules': (1, 3, 2), 'ocr_width': 48},
              'hrnet18': {'width': 18, 'blocks': 4, 'modules': (1, 4, 3), 'ocr_width': 64},
              'resnet34': {'width': 64, 'blocks': (3, 4, 6, 3), 'channels': 128, 'mask_input': False}}[name]
    assert {key: model.config[key] for key in wanted} == wanted
    if elements is not None:
        assert sum(parameter.size for parameter in model.params()) == elements


def test_model_to_start_from_keeps_its_sizes_and_weights(parse):
    source = toys.make('hrnet', click_radius=3)
    save_model('ritm.npz', source)
    model = parse('--out run --init ritm.npz --zoom-side 77').recipe.make_model()
    assert model.config['click_radius'] == 3 and model.zoom_side == model.config['zoom_side'] == 77
    for name, value in arrays_of(source).items():
        np.testing.assert_array_equal(arrays_of(model)[name], value)


def test_resnet_of_a_deeplab_comes_from_a_model_file(parse):
    source = ResNetClassifier(5, (1, 1, 1, 1), 4, block='basic', seed=3)
    save_model('resnet.npz', source)
    model = parse(f'--out run {NET["deeplab"]} --backbone resnet.npz').recipe.make_model()
    for name, value in arrays_of(source.resnet).items():
        np.testing.assert_array_equal(arrays_of(model.resnet)[name], value)


def test_backbone_learns_at_its_own_rate(parse):
    recipe = parse(f'--out run {NET["hrnet"]} --backbone-lr 0.1').recipe
    from chainer_seg.datasets import PlainShapesDataset
    from chainer_seg.recipes import Run
    data = PlainShapesDataset(2, seed=0, size=(64, 64))
    factors = recipe.parts(data, data, Run()).settings['lr_multipliers']
    assert set(factors.values()) == {0.1}
    assert '/model/backbone/*' in factors and not any('pixels' in path for path in factors)
