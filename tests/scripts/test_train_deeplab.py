"""scripts/train.py deeplab as a user calls it."""

import dataclasses
import json

import numpy as np
import pytest

from chainer_seg import load_model, save_model
from chainer_seg.datasets.synthetic.plain_shapes import PLAIN_CLASSES
from chainer_seg.errors import UserError
from chainer_seg.links import FrozenAffine
from chainer_seg.models.classifier import ResNetClassifier
from chainer_seg.models.deeplab import ClickSegmenter, DeepLab
from tests.arrays import arrays_of
from tests.datasets.voc_files import save_image, write_labels, write_list, write_voc

SYSTEM = 'deeplab'

NET = '--blocks 1 1 1 1 --width 4 --pyramid 1 2'
SYNTHETIC = '--size 48 --val-n 2'
RUN = ('--out run --crop 33 --batch-size 2 --warm-up 0 --iterations 1 --log-every 1 '
       '--snapshot-every 1 --workers 0 --device cpu')
SIZES = {'blocks': (1, 1, 1, 1), 'width': 4, 'pyramid': (1, 2)}
CLASSES = ('background', 'a', 'b')


@pytest.fixture
def train(train_here):
    """Trains in the folder of the test and gives the last line of the log."""
    def run(arguments):
        drawn = '' if '--annotations' in arguments else SYNTHETIC
        train_here(f'{RUN} {drawn} {arguments} -q')
        with open('run/log.jsonl') as file:
            return json.loads(file.readlines()[-1])
    return run


def changed(before, after):
    """The names of the arrays that differ in two models of one shape."""
    return {name for name, value in arrays_of(after).items()
            if (value != arrays_of(before)[name]).any()}


def test_help_has_the_published_values(call_here):
    text = ' '.join(call_here('train.py', 'deeplab', '--help')[1].replace('│', ' ').split())
    for part in ('--recipe published --backbone', 'published: 10 20', 'published: 3 4 23 3',
                 '{train,frozen}'):
        assert part in text


def test_the_published_training_is_a_recipe(parse):
    recipe = parse('--out run --recipe published').recipe
    training, method = recipe.training, recipe.method
    assert (training.lr, training.weight_decay, training.optimizer) == (2.5e-4, 5e-4, 'momentum')
    assert (method.crop, training.batch_size, training.iterations) == ((321, 321), 10, 20000)
    assert method.last_lr == (10, 20) and method.msc and method.batch_norm == 'frozen'
    assert training.schedule == parse('--out run').recipe.training.schedule == 'poly'
    assert training.warm_up == 0


def test_the_resnet_comes_from_a_model_file_with_its_sizes(parse):
    source = ResNetClassifier(5, (1, 2, 1, 1), 4, norm='batch', seed=3)
    save_model('resnet.npz', source)
    model = parse('--out run --backbone resnet.npz --pyramid 1').recipe.make_model(CLASSES)
    assert model.config['blocks'] == (1, 2, 1, 1) and model.config['n_class'] == 3
    assert model.class_names == CLASSES
    for name, value in arrays_of(source.resnet).items():
        np.testing.assert_array_equal(arrays_of(model.resnet)[name], value)


def test_a_frozen_resnet_stays_so(parse):
    save_model('resnet.npz', ResNetClassifier(5, (1, 1, 1, 1), 4, norm='affine'))
    model = parse('--out run --backbone resnet.npz').recipe.make_model(CLASSES)
    assert isinstance(model.resnet.stem.norm, FrozenAffine)


def test_a_model_of_the_same_classes_is_gone_on_with(parse):
    source = DeepLab(3, **SIZES, seed=4, longest_side=100)
    source.class_names = CLASSES
    save_model('source.npz', source)
    model = parse('--out run --init source.npz --longest-side 120').recipe.make_model(CLASSES)
    assert not changed(source, model)
    assert model.longest_side == model.config['longest_side'] == 120


@pytest.mark.parametrize('names, shared', [
    (('background', 'c', 'a'), {0: 0, 2: 1}), (('b', 'background', 'c', 'a'), {0: 2, 1: 0, 3: 1})])
def test_classes_of_another_model_go_by_their_names(parse, names, shared):
    source = DeepLab(3, **SIZES, seed=4)
    source.class_names = CLASSES
    save_model('source.npz', source)
    model = parse('--out run --init source.npz').recipe.make_model(names)
    assert model.class_names == names and model.config['n_class'] == len(names)
    assert not changed(source.resnet, model.resnet)
    weights, known = model.pyramid.branch0.W.array, source.pyramid.branch0.W.array
    for label in range(len(names)):
        same = [at for at, row in enumerate(known) if (weights[label] == row).all()]
        assert same == ([shared[label]] if label in shared else [])


def test_training_reports_its_loss_and_the_validation(train):
    last = train(NET)
    assert last['iteration'] == 1 and 0 < last['loss'] < 1e4
    assert 0 <= last['validation/miou'] <= 1 and 0 <= last['validation/pixel_accuracy'] <= 1
    model = load_model('run/model.npz')
    assert isinstance(model, DeepLab) and model.class_names[0] == 'background'
    assert model.origin['seed'] == 0


def test_several_scales_are_trained_and_reported(train):
    last = train(f'{NET} --msc')
    parts = [last[f'loss@{scale}'] for scale in ('1', '0.75', '0.5', 'max')]
    assert sum(parts) == pytest.approx(last['loss'], rel=1e-4)


@pytest.mark.parametrize('arguments, learning', [
    ('', {'resnet', 'pyramid', 'norm'}), ('--batch-norm frozen', {'resnet', 'pyramid'}),
    ('--fine-tune', {'pyramid'}), ('--last-lr 0 0', {'resnet', 'norm'})])
def test_what_is_fixed_does_not_learn(train, arguments, learning):
    before = DeepLab(7, **SIZES)
    before.class_names = ('background', *PLAIN_CLASSES)
    save_model('before.npz', before)
    train(f'--dataset plain-shapes --init before.npz --optimizer momentum --lr 0.1 {arguments}')
    names = changed(before, load_model('run/model.npz'))
    learned = {name.split('/')[0] for name in names if name.endswith('/W')}
    if any('/norm/' in name for name in names):
        learned.add('norm')
    assert learned == learning


def test_the_last_layers_have_rates_of_their_own(train):
    """One step from the same place on the same samples is in proportion to the rates."""
    before = DeepLab(7, **SIZES)
    before.class_names = ('background', *PLAIN_CLASSES)
    save_model('before.npz', before)
    steps = []
    for rates in ('1 1', '10 20'):
        train('--dataset plain-shapes --init before.npz --optimizer momentum --lr 1e-3 --overwrite '
              f'--weight-decay 0.1 --last-lr {rates}')
        steps.append({path: value - arrays_of(before)[path]
                      for path, value in arrays_of(load_model('run/model.npz')).items()})
    for path, factor in ('pyramid/branch1/W', 10), ('pyramid/branch1/b', 20), ('resnet/stem/conv/W', 1):
        plain, scaled = (step[path] for step in steps)
        assert np.abs(plain).max() > 0
        np.testing.assert_allclose(scaled, factor * plain, rtol=0.02, atol=1e-5)


def test_voc_is_trained_on_and_shown_class_by_class(train_here, capsys, tmp_path):
    path = write_voc(tmp_path / 'VOC2012')
    train_here(f'{RUN} {NET} --dataset voc --annotations {path}')
    table = [line.split() for line in capsys.readouterr().out.splitlines()]
    rows = [row[0] for row in table[table.index(['class', 'IoU', 'accuracy']) + 1:]]
    classes = load_model('run/model.npz').class_names
    assert len(classes) == 21
    assert {'background', 'bird', 'dog', 'person'} <= set(rows[:rows.index('mean')]) <= set(classes)


def test_label_images_of_ones_own_are_trained_on(train, tmp_path):
    save_image(tmp_path, 'x', (40, 48))
    write_labels(tmp_path / 'masks' / 'x.png', np.eye(40, 48) * 2)
    path = write_list(tmp_path, 'mine', ['JPEGImages/x.jpg masks/x.png'])
    train(f'{NET} --dataset voc --annotations {path} --class-names hand tool')
    assert load_model('run/model.npz').class_names == ('background', 'hand', 'tool')


def test_an_interrupted_run_is_gone_on_with(train):
    train(f'{NET} --iterations 1')
    assert train(f'{NET} --iterations 2 --resume')['iteration'] == 2


# What goes wrong

def test_a_model_of_another_kind_is_told(parse):
    save_model('click.npz', ClickSegmenter(blocks=(1, 1, 1, 1), width=2))
    with pytest.raises(UserError, match='holds a ClickSegmenter, not a DeepLab.*give --backbone'):
        parse('--out run --init click.npz').recipe.make_model(CLASSES)


def test_a_resnet_of_too_few_stages_is_told(parse):
    with pytest.raises(UserError, match='The ResNet in deepmask has 3 stages, but DeepLab needs 4'):
        parse('--out run --backbone deepmask').recipe.make_model(CLASSES)


def test_missing_files_are_told(call_here):
    status, _, errors = call_here('train.py', 'deeplab', '--out', 'run', '--dataset', 'voc')
    assert status == 2 and errors.startswith('error: --dataset voc needs --annotations')


def test_validation_with_other_classes_is_told(parse, tmp_path):
    train, other = write_voc(tmp_path / 'VOC2012'), write_voc(tmp_path / 'other')
    data = parse(f'--out run --dataset voc --annotations {train} --val-annotations {other} '
                 f'--val-images {tmp_path / "other"}').data
    assert len(data.open(1, 0)[1]) == 2
    (tmp_path / 'mine.json').write_text(json.dumps(
        {'images': [{'id': 1, 'file_name': '2007_000001.jpg', 'height': 20, 'width': 30}],
         'annotations': [], 'categories': [{'id': 1, 'name': 'hand'}]}))
    data = dataclasses.replace(data, dataset='coco', val_annotations=tmp_path / 'mine.json',
                               val_images=tmp_path / 'VOC2012' / 'JPEGImages')
    with pytest.raises(UserError, match='different classes: only one of them has aeroplane'):
        data.open(1, 0)
