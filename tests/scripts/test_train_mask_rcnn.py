"""scripts/train.py mask-rcnn as a user calls it."""

import json

import chainer
import numpy as np
import pytest

from chainer_seg import load_model, save_model
from chainer_seg.datasets import ShapesDataset
from chainer_seg.errors import UserError
from chainer_seg.links import FrozenAffine
from chainer_seg.models.classifier import ResNetClassifier
from chainer_seg.models.mask_rcnn import MaskRCNN
from tests.arrays import arrays_of

SYSTEM = 'mask-rcnn'

HEADS = ('--neck fpn --fpn-channels 8 --box-features 16 '
         '--anchor-sizes 8 16 24 32 48 --canonical-size 48 --min-side 64 '
         '--max-side 96 --rois 16 --proposals 50 20 --test-proposals 50 5')
NET = f'{HEADS} --mask-channels 8 --blocks 1 1 1 1 --width 4'
DRAWN = '--size 64 --val-n 2'
TINY = ('--batchsize 2 --iteration 2 --validation 2 --snapshot 1 --workers 0 '
        '--log-every 1 --lr 0.001 --lr_initialchange 1')
RUN = f'{DRAWN} {TINY}'


class FewClasses:
    """All that making a model needs to know of a data set."""

    class_names = ('a', 'b')


def test_options_of_the_chainer_implementation_have_their_defaults(parse):
    options = parse('')
    assert (options.lr, options.batch_size, options.gamma, options.seed) == (1e-4, 8, 1, 0)
    assert (options.lr_step, options.warm_up) == ((480000,), 800)
    assert (options.snapshot_every, options.evaluate_every, options.iterations) == (4000, 30000, 800000)
    assert (options.momentum, options.weight_decay) == (0.9, 1e-4)
    assert (options.extractor, options.neck, options.roialign) == ('resnet50', 'c4', True)
    assert not options.freeze_bn and not options.bn2affine and options.resume is None


def test_options_of_the_chainer_implementation_have_their_names(parse):
    options = parse(
        '--dataset coco2017 --gpu 1 --lr 1e-3 --batchsize 4 --freeze_bn '
        '--bn2affine --out result --seed 3 --no-roialign --lr_step 10 --lr_initialchange 5 '
        '--pretrained imagenet --extractor resnet101 --snapshot 7 --validation 8 --resume m.npz '
        '--iteration 9 --roi_size 7 --gamma 2 --subdivision 4')
    assert (options.dataset, options.device, options.sub_batches) == ('coco2017', '1', 4)
    assert parse('--gpu -1').device == 'cpu' and parse('--device cpu').device == 'cpu'
    assert not options.roialign and options.freeze_bn and options.bn2affine


def test_help_tells_the_defaults(train):
    text = ' '.join(train('mask-rcnn --help').stdout.split())
    for told in ('images of an update (default: 8)', 'number of updates (default: 800000)',
                 '14 with C4, 7 with FPN', '--lr_initialchange', '--subdivision'):
        assert told in text


def test_published_sizes_are_those_of_the_model(parse, system):
    config = system.make_model(parse('--blocks 1 1 1 1 --width 4'), FewClasses).config
    published = MaskRCNN(80, 'c4', blocks=(1, 1, 1, 1), width=4, norm='batch').config
    assert {**config, 'classes': 80} == published


def test_the_rate_warms_up_and_drops(parse, system):
    schedule = system.make_schedule(parse(''))
    assert schedule(0, 800000) == pytest.approx(0.1)
    assert schedule(800, 800000) == 1 and schedule(480000, 800000) == pytest.approx(0.1)


def test_coco_2017_is_found_by_its_names(parse, system):
    options = parse('--dataset coco2017 --coco-folder data --keypoints --neck fpn')
    with pytest.raises(UserError, match='data/annotations/person_keypoints_train2017.json'):
        system.train_mask_rcnn(options)


@pytest.mark.parametrize('arguments, norm', [('', 'batch'), ('--bn2affine', 'affine')])
def test_the_resnet_comes_from_a_model_file_with_its_sizes(parse, system, arguments, norm):
    source = ResNetClassifier(5, (1, 2, 1, 1), 4, norm='batch', seed=3)
    for name, value in arrays_of(source.resnet).items():
        if name.endswith('avg_mean'):
            value[...] = 0.5
    save_model('resnet.npz', source)
    model = system.make_model(parse(f'{HEADS} --pretrained resnet.npz {arguments}'), FewClasses)
    resnet = model.extractor.resnet
    assert model.config['norm'] == norm and model.config['blocks'] == (1, 2, 1, 1)
    x = np.random.default_rng(0).normal(0, 1, (1, 3, 32, 32)).astype(np.float32)
    with chainer.using_config('train', False):
        for ours, theirs in zip(resnet(x), source.resnet(x)):
            np.testing.assert_allclose(ours.array, theirs.array, rtol=1e-3, atol=1e-5)
    assert isinstance(resnet.stem.norm, FrozenAffine) == (norm == 'affine')


@pytest.mark.parametrize('arguments, learning', [
    ('', {'stem', 'res2', 'res3', 'norm'}), ('--pretrained resnet.npz', {'res3', 'norm'}),
    ('--pretrained resnet.npz --freeze-at 0 --freeze_bn', {'stem', 'res2', 'res3'}),
    ('--pretrained resnet.npz --bn2affine --freeze_bn', {'res3'})])
def test_what_is_frozen_does_not_change(parse, system, monkeypatch, arguments, learning):
    """Normalisation is looked at in the stage that learns in any case."""
    save_model('resnet.npz', ResNetClassifier(5, (1, 1, 1, 1), 4, norm='batch'))
    sizes = '' if 'pretrained' in arguments else '--blocks 1 1 1 1 --width 4'
    options = parse(f'{HEADS} {sizes} {RUN} {arguments} --iteration 1 --lr_initialchange 0 --lr 0.1 '
                    f'--no-masks --validation 9 --device cpu -q')
    before = system.make_model(options, ShapesDataset(1))
    monkeypatch.setattr(system, 'evaluate', lambda model, dataset: {'bbox/AP': 0})
    system.train_mask_rcnn(options)
    after = load_model('out/mask-rcnn/model.npz')
    changed = {name for name, value in arrays_of(after.extractor.resnet).items()
               if (value != arrays_of(before.extractor.resnet)[name]).any()}
    learned = {name.split('/')[0] for name in changed if name.endswith('/W')} & {'stem', 'res2', 'res3'}
    if any(name.startswith('res3') and name.endswith(('gamma', 'beta')) for name in changed):
        learned.add('norm')
    assert learned == learning


def test_a_model_with_other_classes_keeps_what_fits(parse, system):
    source = MaskRCNN(5, blocks=(1, 1, 1, 1), width=4, norm='batch', fpn_channels=8, box_features=16,
                      mask_channels=8, seed=4)
    save_model('source.npz', source)
    model = system.make_model(parse('--init source.npz'), FewClasses)
    assert model.classes == 2 and model.class_names == ('a', 'b')
    np.testing.assert_array_equal(model.box.fc6.W.array, source.box.fc6.W.array)


class Classes:
    """All that making a model needs to know of a data set of these classes."""

    def __init__(self, *class_names):
        self.class_names = class_names


@pytest.fixture
def source():
    """A model of three classes in source.npz."""
    model = MaskRCNN(3, blocks=(1, 1, 1, 1), width=4, norm='batch', fpn_channels=8, box_features=16,
                     mask_channels=8, seed=4)
    model.class_names = 'cat', 'dog', 'cow'
    save_model('source.npz', model)
    return model


def test_init_keeps_the_classes_that_both_know_by_their_names(parse, system, source, caplog):
    with caplog.at_level('INFO'):
        model = system.make_model(parse('--init source.npz'), Classes('bird', 'cow', 'dog', 'cat'))
    np.testing.assert_array_equal(model.box.logits.W.array[[0, 2, 3, 4]],
                                  source.box.logits.W.array[[0, 3, 2, 1]])
    assert 'the weights of 3 of 4 classes: cow, dog, cat' in caplog.text


@pytest.mark.parametrize('option', ['--init', '--resume'])
def test_a_model_of_the_same_classes_in_another_order_is_reordered(parse, system, source, option):
    model = system.make_model(parse(f'{option} source.npz'), Classes('cow', 'cat', 'dog'))
    order = [0, 3, 1, 2]
    assert model.class_names == ('cow', 'cat', 'dog')
    np.testing.assert_array_equal(model.box.logits.b.array, source.box.logits.b.array[order])
    np.testing.assert_array_equal(model.mask.logits.W.array, source.mask.logits.W.array[order])
    np.testing.assert_array_equal(
        model.box.deltas.W.array, source.box.deltas.W.array.reshape(4, 4, -1)[order].reshape(16, -1))


@pytest.mark.parametrize('names, difference', [
    (('cat', 'dog', 'bird'), "class 2 was 'cow' and is 'bird'"),
    (('cat', 'dog'), 'there were 3 classes and are 2'),
    (('cat', 'dog', 'cow', 'bird'), 'there were 3 classes and are 4')])
def test_a_model_of_other_classes_is_not_resumed(parse, system, source, names, difference):
    with pytest.raises(UserError, match=difference):
        system.make_model(parse('--resume source.npz'), Classes(*names))


@pytest.mark.slow
def test_training_writes_losses_figures_and_a_model_that_is_evaluated_alone(train, tmp_path):
    result = train(f'mask-rcnn --out one {NET} {RUN} --half')
    assert result.returncode == 0, result.stderr
    model = load_model(tmp_path / 'one' / 'model.npz')
    assert isinstance(model, MaskRCNN) and len(model.class_names) == 21
    lines = [json.loads(line) for line in (tmp_path / 'one' / 'log.jsonl').open()]
    assert {'rpn_class_loss', 'rpn_box_loss', 'class_loss', 'box_loss', 'mask_loss',
            'validation/segm/AP', 'validation/bbox/AP50'} <= {name for line in lines for name in line}

    result = train(f'mask-rcnn --out two {RUN} --lr 0 --iteration 1 --validation 1 '
                   f'--resume one/model.npz')
    assert result.returncode == 0, result.stderr
    same = load_model(tmp_path / 'two' / 'model.npz')
    for name, value in arrays_of(model).items():
        np.testing.assert_array_equal(arrays_of(same)[name], value, err_msg=name)


@pytest.mark.slow
def test_resume_goes_on_to_the_same_model(train, tmp_path):
    common = f'{NET} {RUN} --optimizer adam --seed 2 --validation 9'
    assert train(f'mask-rcnn {common} --out whole').returncode == 0
    result = train(f'mask-rcnn {common} --out parts --resume whole/snapshot_iter_00000001.npz')
    assert result.returncode == 0, result.stderr
    whole, parts = (load_model(tmp_path / name / 'model.npz') for name in ('whole', 'parts'))
    for (path, ours), (_, theirs) in zip(whole.namedparams(), parts.namedparams()):
        np.testing.assert_array_equal(ours.array, theirs.array, err_msg=path)


@pytest.mark.slow
def test_keypoints_of_drawn_people(train, tmp_path):
    result = train(f'mask-rcnn --dataset figures --keypoints --keypoint-channels 8 --out run {NET} '
                   f'{RUN} --iteration 1')
    assert result.returncode == 0, result.stderr
    assert load_model(tmp_path / 'run' / 'model.npz').keypoints == 17
    assert '"keypoint_loss"' in (tmp_path / 'run' / 'log.jsonl').read_text()


@pytest.mark.slow
def test_real_pictures_with_their_polygons(train, shared_data):
    sample = shared_data / 'coco_sample'
    annotations = sample / 'annotations'
    result = train(f'mask-rcnn --out run {NET} {TINY} --dataset coco --subdivision 2 --iteration 1 '
                   f'--annotations {annotations}/instances_train.json --images {sample}/train '
                   f'--val-annotations {annotations}/instances_val.json --val-images {sample}/val')
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize('arguments, sentence', [
    (f'{NET} --keypoints', 'The data set has no keypoints'),
    ('--dataset figures --keypoints', 'Keypoints need a feature pyramid; add --neck fpn'),
    ('--neck fpn --anchor-sizes 8 16', 'There is no Mask R-CNN of these sizes'),
    ('--bn2affine', '--bn2affine takes over the batch normalisation of --pretrained'),
    ('--pretrained imagenet --extractor resnet101',
     'There is no resnet101-detectron.npz here; make it by python scripts/download.py weights'),
    ('--pretrained nothing.npz', 'There is no model file nothing.npz'),
    ('--init click', 'click holds a ClickSegmenter, not a Mask R-CNN'),
    ('--resume two.npz', 'two.npz has other classes than the data set: class 0 was 0 and is'),
    ('--dataset coco', '--dataset coco needs --annotations and --images')])
def test_wrong_options_are_one_sentence(parse, system, arguments, sentence):
    save_model('two.npz', MaskRCNN(2, blocks=(1, 1, 1, 1), width=2, fpn_channels=2, box_features=2,
                                   mask_channels=2))
    options = parse(f'{arguments} --out run {TINY}')
    with pytest.raises(UserError, match=sentence):
        options.train(options)
