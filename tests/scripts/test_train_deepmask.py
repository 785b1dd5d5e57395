"""scripts/train.py deepmask and sharpmask as a user calls them."""

import json
import shlex

import numpy as np
import pytest

from chainer_seg import load_model, save_model
from chainer_seg.cli import train as cli_train
from chainer_seg.errors import UserError
from chainer_seg.models.deepmask import DeepMask, SharpMask
from chainer_seg.recipes import recipe_class
from tests.arrays import arrays_of, assert_same_parameters

NET = ('--iSz 48 --oSz 10 --gSz 24 --blocks 1 1 1 --width 3 --bottleneck 4 --features 10 '
       '--hidden 7')
SYNTHETIC = '--size 64 --synthetic-images 3 --val-n 2'
TINY = ('--batch 2 --maxload 2 --maxepoch 2 --testmaxload 1 '
        '--nthreads 0 --log-every 1')
RUN = f'{SYNTHETIC} {TINY}'


def parse(arguments):
    """What a command line asks for, without another process."""
    system, *options = shlex.split(arguments)
    return cli_train.parse(system, options)


@pytest.fixture
def deepmask_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / 'dm.npz'
    save_model(path, DeepMask(48, 10, 24, (1, 1, 1), 3, 'batch', 4, 10, 7, seed=3))
    return path


def log_of(folder):
    return [json.loads(line) for line in (folder / 'log.jsonl').open()]


def test_published_numbers_are_the_defaults():
    request = parse('deepmask --out run')
    training, samples, network = request.recipe.training, request.recipe.samples, request.recipe.network
    assert (training.batch_size, training.maxload, samples.testmaxload, training.maxepoch) == (
        32, 4000, 500, 300)
    assert (training.lr, training.momentum, training.weight_decay) == (0, 0.9, 5e-4)
    assert (network.iSz, network.oSz, network.gSz) == (160, 56, 112)
    assert (samples.shift, samples.scale, samples.hfreq) == (16, 0.25, 0.5)
    assert not network.scratch and request.run.resume is None
    recipe = parse('sharpmask --out run --dm dm.npz').recipe
    assert (recipe.network.km, recipe.samples.hfreq) == (32, 0)
    assert (recipe.training.momentum, recipe.training.weight_decay) == (0, 0)


def test_help_tells_the_defaults(train):
    text = ' '.join(train('deepmask --help').stdout.split())
    for part in ('Updates of an epoch. (default: 4000)',
                 'Side of the predicted mask, in pixels. (default: 56)',
                 '--nthreads', '--reload'):
        assert part in text.replace('│ │ ', '')


@pytest.mark.slow
def test_deepmask_then_sharpmask(train, tmp_path):
    result = train(f'deepmask --scratch --out one {NET} {RUN} --lr 0.01 --optimizer adam --half')
    assert result.returncode == 0, result.stderr
    deepmask = load_model(tmp_path / 'one' / 'model.npz')
    assert isinstance(deepmask, DeepMask) and deepmask.config['norm'] == 'batch'
    assert '--maxepoch 2' in deepmask.origin['command']
    lines = log_of(tmp_path / 'one')
    assert [line['iteration'] for line in lines] == [1, 2, 3, 4]
    names = {name for line in lines for name in line}
    assert {'validation/iou', 'validation/median_iou', 'validation/iou@0.5', 'validation/iou@0.7',
            'validation/score_accuracy'} <= names
    assert all(('mask_loss' in line) != ('score_loss' in line) for line in lines)

    result = train(f'sharpmask --dm one/model.npz --km 16 --ks 16 --skip-channels 6 --out two {RUN}')
    assert result.returncode == 0, result.stderr
    sharpmask = load_model(tmp_path / 'two' / 'model.npz')
    assert isinstance(sharpmask, SharpMask) and sharpmask.mask_size == 10
    for name in ('trunk', 'score', 'mask'):
        ours, theirs = (arrays_of(model[name]) for model in (sharpmask, deepmask))
        for path, value in theirs.items():
            np.testing.assert_array_equal(ours[path], value, err_msg=f'{name}/{path}')
    assert log_of(tmp_path / 'two')[0]['lr'] == pytest.approx(1e-3)


def test_epochs_are_those_of_maxload_also_after_a_reload_and_copies_are_kept(deepmask_path, tmp_path):
    """In epochs of two updates: the log counts them from the start, and every second one leaves a copy."""
    common = f'sharpmask --dm {deepmask_path} --km 16 --skip-channels 6 --copy-every 2 {RUN} --out run -q'
    cli_train.train(parse(f'{common} --maxepoch 3'))
    assert [line['epoch'] for line in log_of(tmp_path / 'run')] == [0.5, 1, 1.5, 2, 2.5, 3]
    cli_train.train(parse(f'{common} --maxepoch 4 --reload'))
    assert [line['epoch'] for line in log_of(tmp_path / 'run')][6:] == [3.5, 4]
    assert sorted(path.name for path in (tmp_path / 'run').glob('model_[0-9]*')) == [
        'model_2.npz', 'model_4.npz']
    assert_same_parameters(*(load_model(tmp_path / 'run' / name) for name in ('model_4.npz', 'model.npz')))


def test_copies_of_the_published_training_are_made_every_50_epochs():
    settings = parse('deepmask').recipe.training.settings()
    assert (settings['copy_every'], settings['epoch_length']) == (50, 4000)
    assert parse('deepmask --copy-every 0').recipe.training.settings()['copy_every'] is None


def test_options_may_have_one_dash_as_in_torch():
    request = parse('deepmask -batch 8 -maxload 5 -iSz 32 -rundir exps -seed 1 -nthreads 2 -lr 0.1')
    assert (request.recipe.training.batch_size, request.recipe.training.maxload) == (8, 5)
    assert (request.recipe.network.iSz, str(request.run.out), request.run.seed) == (32, 'exps', 1)


@pytest.mark.slow
def test_reload_goes_on_to_the_same_model(train, tmp_path):
    common = f'deepmask --scratch {NET} {RUN} --lr 0.01 --seed 2'
    assert train(f'{common} --out whole').returncode == 0
    assert train(f'{common} --out parts --maxepoch 1').returncode == 0
    result = train(f'{common} --out parts --reload')
    assert result.returncode == 0, result.stderr
    whole, parts = (load_model(tmp_path / name / 'model.npz') for name in ('whole', 'parts'))
    assert_same_parameters(whole, parts)


@pytest.mark.slow
def test_trunk_comes_from_a_model_file_with_its_sizes(train, tmp_path, deepmask_path):
    result = train(f'deepmask --trunk {deepmask_path} --out run --iSz 48 --oSz 9 --gSz 24 '
                   f'--bottleneck 4 --features 10 --hidden 7 {RUN} --lr 1e-9')
    assert result.returncode == 0, result.stderr
    model, source = load_model(tmp_path / 'run' / 'model.npz'), load_model(deepmask_path)
    assert model.config['blocks'] == [1, 1, 1] and model.config['width'] == 3
    assert model.config['norm'] == 'affine'
    np.testing.assert_allclose(model.trunk.resnet.res2[0].middle.conv.W.array,
                               source.trunk.resnet.res2[0].middle.conv.W.array, atol=1e-6)


@pytest.mark.slow
def test_training_on_real_images(train, shared_data):
    sample = shared_data / 'coco_sample'
    result = train(f'deepmask --scratch --out run {NET} {TINY} --dataset coco '
                   f'--annotations {sample}/annotations/instances_train.json --images {sample}/train')
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize('arguments, sentence', [
    (f'deepmask {NET}', 'Give either --trunk'),
    ('deepmask --scratch --trunk dm.npz', 'Give either --trunk'),
    ('deepmask --trunk nothing.npz', 'There is no model file nothing.npz'),
    ('deepmask --scratch --iSz 50', '--iSz is 50; give a multiple of 16'),
    ('sharpmask --dm click', 'holds a ClickSegmenter, not a DeepMask'),
    ('sharpmask --dm dm.npz --km 16 --ks 32', 'give one number for both'),
    ('sharpmask --dm dm.npz --km 24', '--km is 24; give a multiple of 16'),
    ('sharpmask --dm dm.npz --hfreq 0.5', 'omit --hfreq'),
    ('sharpmask --dm dm.npz --dataset coco', '--dataset coco needs --annotations and --images')])
def test_wrong_options_are_one_sentence(deepmask_path, arguments, sentence):
    with pytest.raises(UserError, match=sentence):
        cli_train.train(parse(f'{arguments} --out run {TINY}'))


@pytest.mark.parametrize('system, last_drop', [('deepmask', 120), ('sharpmask', 80)])
def test_published_schedule(system, last_drop):
    training = recipe_class(system)().replace(maxload=10).training
    schedule = training.make_schedule()
    rates = [training.settings()['lr'] * schedule(10 * epoch, 3000) for epoch in (0, 49, 50, last_drop - 1,
                                                                   last_drop, 299)]
    np.testing.assert_allclose(rates, [1e-3, 1e-3, 5e-4, 5e-4, 1e-4, 1e-4])
