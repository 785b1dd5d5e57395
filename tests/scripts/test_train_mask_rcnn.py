"""scripts/train.py mask-rcnn as a user calls it."""

import json

import chainer
import numpy as np
import pytest

from chainer_seg import load_model, model_file, save_model
from chainer_seg.datasets import ShapesDataset
from chainer_seg.errors import DownloadError, UserError
from chainer_seg.links import FrozenAffine
from chainer_seg.models.classifier import ResNetClassifier
from chainer_seg.models.mask_rcnn import MaskRCNN
from chainer_seg.recipes import mask_rcnn, start
from tests.arrays import arrays_of, assert_same_parameters

SYSTEM = 'mask-rcnn'

HEADS = ('--neck fpn --fpn-channels 8 --box-features 16 '
         '--anchor-sizes 8 16 24 32 48 --canonical-size 48 --min-side 64 '
         '--max-side 96 --rois 16 --proposals 50 20 --test-proposals 50 5')
NEW = '--pretrained none --blocks 1 1 1 1 --width 4'
NET = f'{HEADS} --mask-channels 8 {NEW}'
SYNTHETIC = '--dataset shapes --size 64 --val-n 2'
TINY = ('--batchsize 2 --iteration 2 --validation 2 --snapshot 1 --workers 0 '
        '--log-every 1 --lr 0.001 --lr_initialchange 1')
RUN = f'{SYNTHETIC} {TINY}'


class FewClasses:
    """All that making a model needs to know of a data set."""

    class_names = ('a', 'b')


def test_options_of_the_chainer_implementation_have_their_defaults(parse):
    request = parse('')
    training, network = request.recipe.training, request.recipe.network
    assert (request.data.dataset, network.pretrained) == ('coco2017', 'imagenet')
    assert (training.lr, training.batch_size, request.run.seed) == (1e-4, 8, 0)
    assert (training.lr_step, training.warm_up, request.recipe.samples.gamma) == ((480000,), 800, 1)
    assert (training.snapshot_every, training.evaluate_every, training.iterations) == (4000, 30000, 800000)
    assert (training.momentum, training.weight_decay) == (0.9, 1e-4)
    assert (network.extractor, network.neck, network.roialign) == ('resnet50', 'c4', True)
    assert not network.freeze_bn and not network.bn2affine and request.run.resume is None


def test_options_of_the_chainer_implementation_have_their_names(parse):
    request = parse(
        '--dataset coco2017 --gpu 1 --lr 1e-3 --batchsize 4 --freeze_bn '
        '--bn2affine --out result --seed 3 --no-roialign --lr_step 10 --lr_initialchange 5 '
        '--pretrained imagenet --extractor resnet101 --snapshot 7 --validation 8 --resume m.npz '
        '--iteration 9 --roi_size 7 --gamma 2 --subdivision 4')
    assert (request.data.dataset, request.run.device_name) == ('coco2017', '1')
    assert request.recipe.training.sub_batches == 4
    assert parse('--gpu -1').run.device_name == parse('--device cpu').run.device_name == 'cpu'
    network = request.recipe.network
    assert not network.roialign and network.freeze_bn and network.bn2affine


def test_help_tells_the_defaults(train):
    text = ' '.join(train('mask-rcnn --help').stdout.split())
    text = text.replace('│ │ ', '')
    for part in ('Images per update; with several ranks, per update and rank. (default: 8)',
                 'Number of updates. (default: 800000)',
                 '14 with C4, 7 with FPN', '--lr-initialchange', '--subdivision'):
        assert part in text


def test_published_sizes_are_those_of_the_model(parse):
    config = parse(NEW).recipe.make_model(FewClasses).config
    published = MaskRCNN(80, 'c4', blocks=(1, 1, 1, 1), width=4, norm='batch').config
    assert {**config, 'classes': 80} == published


def rates(request):
    """The rates of a training for the mean gradient before and after --lr-initialchange and --lr-step."""
    settings = request.recipe.training.settings()
    return [settings['lr'] * settings['schedule'](iteration, 800000)
            for iteration in (0, 799, 800, 479999, 480000, 799999)]


def test_the_rates_are_those_of_the_chainer_implementation(parse):
    """Its two ExponentialShifts give 1e-4, 1e-3 and 1e-5, and its updater adds the gradients of 8 images."""
    for_the_sum = [1e-4, 1e-4, 1e-3, 1e-3, 1e-5, 1e-5]
    assert rates(parse('')) == pytest.approx([8 * rate for rate in for_the_sum])
    assert rates(parse('--batchsize 2')) == pytest.approx([2 * rate for rate in for_the_sum])


def test_an_update_is_that_of_the_summed_gradients(parse):
    """Momentum SGD with weight decay, on a sum by its definition, and on the mean with our settings."""
    rng = np.random.default_rng(0)
    gradients, start = rng.normal(0, 1, (3, 8, 5)), rng.normal(0, 1, 5)
    settings = parse('').recipe.training.settings()

    def run(lr, decay, combine):
        weights, velocity = start.copy(), 0
        for gradient in gradients:
            velocity = 0.9 * velocity - lr * (combine(gradient, axis=0) + decay * weights)
            weights = weights + velocity
        return weights
    np.testing.assert_allclose(run(settings['lr'], settings['weight_decay'], np.mean),
                               run(1e-4, 1e-4, np.sum), rtol=1e-12)


def test_the_rate_of_other_schedules_is_that_of_the_mean(parse):
    training = parse('--schedule steps --lr 0.01').recipe.training
    schedule = training.make_schedule()
    assert schedule(0, 800000) == pytest.approx(0.1)
    assert schedule(800, 800000) == 1 and schedule(480000, 800000) == pytest.approx(0.1)
    assert training.settings()['lr'] == 0.01 and training.settings()['weight_decay'] == 1e-4


def test_adam_does_not_change_with_the_scale_of_gradients(parse):
    assert parse('--optimizer adam').recipe.training.settings()['lr'] == 1e-4


def test_each_image_is_a_part_of_the_batch_as_in_the_chainer_implementation(parse):
    assert parse('').recipe.training.settings()['sub_batches'] == 8
    assert parse('-b 4').recipe.training.settings()['sub_batches'] == 4
    assert parse('--subdivision 2').recipe.training.settings()['sub_batches'] == 2


def test_short_options_of_the_chainer_implementation(parse):
    request = parse('-g 1 -l 1e-3 -b 4 -o result -s 3 -ls 10 -li 5 -p resnet.npz -i 9 -r 7')
    training, run = request.recipe.training, request.run
    assert (run.device_name, str(run.out), run.seed) == ('1', 'result', 3)
    assert (training.lr, training.batch_size, training.iterations) == (1e-3, 4, 9)
    assert (training.lr_step, training.warm_up) == ((10,), 5)
    assert (request.recipe.network.pretrained, request.recipe.network.roi_size) == ('resnet.npz', 7)
    assert parse('-ss 6').recipe.training.lr_step == parse('--step_size 6').recipe.training.lr_step == (6,)


def test_detectrons_recipe_is_its_schedule_for_eight_images(parse):
    recipe = parse('--recipe detectron').recipe
    training = recipe.training
    schedule = training.make_schedule()
    assert (recipe.network.neck, training.batch_size, training.lr) == ('fpn', 8, 0.02 * 8 / 16)
    assert training.iterations == 90_000 * 16 // 8
    assert [schedule(place * 2, 180_000) for place in (59_999, 60_000, 80_000)] == pytest.approx([1, .1, .01])


def test_coco_2017_is_the_default_and_found_by_its_names(train_here):
    with pytest.raises(UserError, match='no data/annotations/person_keypoints_train2017.json; get COCO 2017'):
        train_here('--coco-folder data --keypoints --neck fpn')


@pytest.mark.parametrize('arguments, norm', [('', 'batch'), ('--bn2affine', 'affine')])
def test_the_resnet_comes_from_a_model_file_with_its_sizes(parse, arguments, norm):
    source = ResNetClassifier(5, (1, 2, 1, 1), 4, norm='batch', seed=3)
    for name, value in arrays_of(source.resnet).items():
        if name.endswith('avg_mean'):
            value[...] = 0.5
    save_model('resnet.npz', source)
    model = parse(f'{HEADS} --pretrained resnet.npz {arguments}').recipe.make_model(FewClasses)
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
def test_what_is_frozen_does_not_change(parse, train_here, monkeypatch, arguments, learning):
    """Normalisation is looked at in the stage that learns in any case."""
    save_model('resnet.npz', ResNetClassifier(5, (1, 1, 1, 1), 4, norm='batch'))
    sizes = '' if 'pretrained' in arguments else NEW
    options = (f'{HEADS} {sizes} {RUN} {arguments} --iteration 1 --lr_initialchange 0 --lr 0.1 '
               f'--no-masks --validation 9 --device cpu -q')
    before = parse(options).recipe.make_model(ShapesDataset(1))
    monkeypatch.setattr(mask_rcnn, 'mask_rcnn_figures', lambda *_, **__: {'bbox/AP': 0})
    train_here(options)
    after = load_model('out/mask-rcnn/model.npz')
    changed = {name for name, value in arrays_of(after.extractor.resnet).items()
               if (value != arrays_of(before.extractor.resnet)[name]).any()}
    learned = {name.split('/')[0] for name in changed if name.endswith('/W')} & {'stem', 'res2', 'res3'}
    if any(name.startswith('res3') and name.endswith(('gamma', 'beta')) for name in changed):
        learned.add('norm')
    assert learned == learning


def test_a_model_with_other_classes_keeps_what_fits(parse):
    source = MaskRCNN(5, blocks=(1, 1, 1, 1), width=4, norm='batch', fpn_channels=8, box_features=16,
                      mask_channels=8, seed=4)
    save_model('source.npz', source)
    model = parse('--init source.npz').recipe.make_model(FewClasses)
    assert model.classes == 2 and model.class_names == ('a', 'b')
    np.testing.assert_array_equal(model.box.fc6.W.array, source.box.fc6.W.array)


class Classes:
    """All that making a model needs to know of a data set of these classes."""

    def __init__(self, *class_names):
        self.class_names = class_names


@pytest.fixture
def source(monkeypatch, tmp_path):
    """A model of three classes in source.npz."""
    model = MaskRCNN(3, blocks=(1, 1, 1, 1), width=4, norm='batch', fpn_channels=8, box_features=16,
                     mask_channels=8, seed=4)
    model.class_names = 'cat', 'dog', 'cow'
    monkeypatch.chdir(tmp_path)
    save_model('source.npz', model)
    return model


def test_init_keeps_the_classes_that_both_know_by_their_names(parse, source, caplog):
    with caplog.at_level('INFO'):
        model = parse('--init source.npz').recipe.make_model(Classes('bird', 'cow', 'dog', 'cat'))
    np.testing.assert_array_equal(model.box.logits.W.array[[0, 2, 3, 4]],
                                  source.box.logits.W.array[[0, 3, 2, 1]])
    assert 'those of 3 of 4 classes by name: cow, dog, cat' in caplog.text


@pytest.mark.parametrize('option', ['--init', '--resume'])
def test_a_model_of_the_same_classes_in_another_order_is_reordered(parse, source, option):
    request, names = parse(f'{option} source.npz'), ('cow', 'cat', 'dog')
    if option == '--init':
        model = request.recipe.make_model(Classes(*names))
    else:
        model = start.in_order(source, names, request.recipe.model_to_evaluate(request.run))
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
def test_a_model_of_other_classes_is_not_resumed(source, names, difference):
    with pytest.raises(UserError, match=difference):
        start.in_order(source, names, 'source.npz')


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
    assert_same_parameters(whole, parts)


@pytest.mark.slow
def test_keypoints_of_drawn_people(train, tmp_path):
    result = train(f'mask-rcnn --keypoints --keypoint-channels 8 --out run {NET} {RUN} '
                   f'--dataset figures --iteration 1')
    assert result.returncode == 0, result.stderr
    assert load_model(tmp_path / 'run' / 'model.npz').keypoints == 17
    assert '"keypoint_loss"' in (tmp_path / 'run' / 'log.jsonl').read_text()


@pytest.mark.slow
def test_real_images_with_their_polygons(train, shared_data):
    sample = shared_data / 'coco_sample'
    annotations = sample / 'annotations'
    result = train(f'mask-rcnn --out run {NET} {TINY} --dataset coco --subdivision 2 --iteration 1 '
                   f'--annotations {annotations}/instances_train.json --images {sample}/train '
                   f'--val-annotations {annotations}/instances_val.json --val-images {sample}/val')
    assert result.returncode == 0, result.stderr


def test_imagenet_stands_for_the_published_resnet(train_here, monkeypatch, tmp_path):
    def refuse(name):
        raise DownloadError(f'{name} was asked for')
    monkeypatch.setenv('CHAINER_SEG_CACHE', str(tmp_path))
    monkeypatch.setattr(model_file, 'downloaded_weights', refuse)
    with pytest.raises(DownloadError, match='detectron-r101 was asked for'):
        train_here(f'{RUN} --out run --extractor resnet101')


@pytest.mark.parametrize('arguments, sentence', [
    (f'{NET} --dataset shapes --keypoints', 'The data set has no keypoints'),
    (f'{NEW} --dataset figures --keypoints', "no Mask R-CNN of these sizes: keypoints need neck='fpn'"),
    (f'{NEW} --dataset shapes --neck fpn --anchor-sizes 8 16', 'There is no Mask R-CNN of these sizes'),
    ('--dataset shapes --pretrained none --bn2affine', '--bn2affine turns the batch normalisation of'),
    ('--dataset shapes --pretrained nothing.npz', 'There is no model file nothing.npz'),
    ('--dataset shapes --init click', 'click holds a ClickSegmenter, not a Mask R-CNN'),
    ('--dataset shapes --resume two.npz', 'two.npz has other classes than the data set: class 0 was 0'),
    ('--dataset coco', '--dataset coco needs --annotations and --images')])
def test_wrong_options_are_one_sentence(train_here, arguments, sentence):
    save_model('two.npz', MaskRCNN(2, blocks=(1, 1, 1, 1), width=2, fpn_channels=2, box_features=2,
                                   mask_channels=2))
    with pytest.raises(UserError, match=sentence):
        train_here(f'{arguments} --out run {TINY}')
