"""scripts/train.py yolact as a user calls it."""

import json
import subprocess
import sys

import numpy as np
import pytest

from chainer_seg import load_model, save_model
from chainer_seg.datasets import PlainShapesDataset, pack_dataset, write_coco
from chainer_seg.errors import DatasetError, TrainingError
from chainer_seg.models.classifier import ResNetClassifier
from chainer_seg.training import find_snapshots
from tests.datasets.record_files import example, features_of, record

NET = ('--set width=2 blocks=[1,1,1,1] fpn_channels=4 prototypes=3 image_size=64 '
       'anchor_scales=[[8],[16],[24],[40],[60]]')
RUN = '--size 64 --val-n 2 --batch-size 2 --iterations 2 --print-interval 1 --workers 0 --device cpu -q'


FILES = RUN.replace('--size 64 --val-n 2 ', '')  # without what is for synthetic images


SYSTEM = 'yolact'


@pytest.fixture
def train(train_here):
    """Trains in a folder of its own, in this process: ``train('--out run ...')``."""
    return train_here


@pytest.fixture
def folder(tmp_path):
    """A data set of four synthetic images in COCO's form."""
    write_coco(PlainShapesDataset(4, seed=2, size=(48, 64)), tmp_path / 'data')
    return tmp_path / 'data'


def log_of(folder):
    return [json.loads(line) for line in (folder / 'log.jsonl').open()]


def test_drawn_shapes_are_learned_and_the_run_is_recorded(train, tmp_path):
    train(f'--out run {RUN} {NET} --half')
    lines = log_of(tmp_path / 'run')
    losses = {'box_loss', 'class_loss', 'mask_loss', 'semantic_loss'}
    assert all(losses < set(line) and np.isfinite(line['loss']) for line in lines)
    assert {'validation/segm/AP', 'validation/segm/AP50', 'validation/segm/AP75'} < set(lines[-1])
    model = load_model(tmp_path / 'run' / 'model.npz')
    assert len(model.class_names) == model.classes == 21
    assert model.config['image_size'] == 64 and model.config['blocks'] == [1, 1, 1, 1]
    assert list((tmp_path / 'run' / 'tensorboard').iterdir())


def test_five_checkpoints_are_kept_and_the_best_by_mask_ap(train, tmp_path):
    train(f'--out run {RUN} {NET} --iterations 7 --save-interval 1')
    assert [number for number, _ in find_snapshots(tmp_path / 'run')] == [7, 6, 5, 4, 3]
    assert (tmp_path / 'run' / 'model_best.npz').exists()


def test_a_resumed_run_is_the_uninterrupted_one(train, tmp_path):
    train(f'--out whole {RUN} {NET} --iterations 4 --save-interval 2')
    train(f'--out parts {RUN} {NET} --iterations 4 --save-interval 2')
    (tmp_path / 'parts' / 'snapshot_iter_00000004.npz').unlink()
    train(f'--out parts {RUN} {NET} --iterations 4 --save-interval 2 --resume')
    whole, parts = (load_model(tmp_path / name / 'model.npz') for name in ('whole', 'parts'))
    for one, other in zip(whole.params(), parts.params()):
        np.testing.assert_array_equal(one.array, other.array)


def test_options_come_before_the_recipe_and_the_recipe_before_the_defaults(train):
    request = train(f'--out run --name shapes {NET} lr=5e-4 save_interval=2 {RUN} --weight-decay 0.01')
    training = request.recipe.training
    assert (training.lr, training.weight_decay, training.optimizer) == (5e-4, 0.01, 'adam')
    assert (training.batch_size, training.iterations, training.snapshot_every) == (2, 2, 2)


def test_files_of_coco_give_the_classes(train, folder, tmp_path):
    train(f'--out run {FILES} {NET} --annotations {folder}/annotations.json --images {folder}/images')
    model = load_model(tmp_path / 'run' / 'model.npz')
    assert model.class_names == ('circle', 'triangle', 'rectangle', 'star', 'ring', 'cross')
    assert model.origin['category_ids'] == [1, 2, 3, 4, 5, 6]


def test_what_prepare_dataset_wrote_is_taken_as_a_folder(train, tmp_path):
    (tmp_path / 'data').mkdir()
    for name in ('train', 'val'):
        pack_dataset(PlainShapesDataset(3, seed=2, size=(64, 64)), tmp_path / 'data' / f'{name}.packed')
    train(f'--out run {FILES} {NET} --data-folder data')
    assert load_model(tmp_path / 'run' / 'model.npz').classes == 6


def test_own_classes_start_from_a_model_of_other_classes(train, folder, tmp_path, caplog):
    """The whole way of a data set of one's own: another network's sizes, new heads for new names."""
    train(f'--out first {RUN} {NET} --dataset plain-shapes')
    path = folder / 'annotations.json'
    content = json.loads(path.read_text())
    content['categories'] = [{'id': 10 * category['id'], 'name': name} for category, name in zip(
        content['categories'], ('circle', 'plate', 'box', 'star', 'bagel', 'plus'))]
    for annotation in content['annotations']:
        annotation['category_id'] *= 10
    path.write_text(json.dumps(content))
    with caplog.at_level('INFO'):
        train(f'--out second {FILES} --annotations {path} --images {folder}/images '
              f'--weights first/model.npz --set lr=0 warm_up=0 weight_decay=0')
    assert 'those of 2 of 6 classes by name: circle, star' in caplog.text
    first, second = (load_model(tmp_path / name / 'model.npz') for name in ('first', 'second'))
    assert second.class_names == ('circle', 'plate', 'box', 'star', 'bagel', 'plus')
    assert {**first.config, 'seed': 0} == {**second.config, 'seed': 0}
    np.testing.assert_array_equal(first.semantic.W.array[[0, 3]], second.semantic.W.array[[0, 3]])


def test_a_backbone_comes_from_a_classifier(train, tmp_path):
    classifier = ResNetClassifier(3, (1, 1, 1, 1), 2, stride_on='3x3', seed=8)
    save_model(tmp_path / 'classifier.npz', classifier)
    train(f'--out run {RUN} {NET} lr=0 --backbone classifier.npz')
    np.testing.assert_array_equal(
        load_model(tmp_path / 'run' / 'model.npz').backbone.res3[0].reduce.conv.W.array,
        classifier.resnet.res3[0].reduce.conv.W.array)


def test_classes_without_an_object_are_told(train, folder, caplog):
    path = folder / 'annotations.json'
    content = json.loads(path.read_text())
    content['categories'].append({'id': 90, 'name': 'unicorn'})
    path.write_text(json.dumps(content))
    train(f'--out run {FILES} {NET} --annotations {path} --images {folder}/images')
    assert 'No object to learn from: ' in caplog.text and 'unicorn' in caplog.text


def test_a_validation_set_of_other_classes_is_told(train, folder):
    content = json.loads((folder / 'annotations.json').read_text())
    content['categories'][0]['name'] = 'disc'
    (folder / 'val.json').write_text(json.dumps(content))
    with pytest.raises(DatasetError, match='name different classes'):
        train(f'--out run {FILES} {NET} --annotations {folder}/annotations.json '
              f'--images {folder}/images --val-annotations {folder}/val.json')


def test_mixed_precision_needs_a_gpu(train):
    with pytest.raises(TrainingError, match='slower than single precision on a CPU'):
        train(f'--out run {RUN} {NET} --mixed-precision')


def test_a_model_that_is_no_yolact_is_told(train, tmp_path):
    save_model(tmp_path / 'classifier.npz', ResNetClassifier(3, (1,), 2))
    with pytest.raises(TrainingError, match='classifier.npz holds a ResNetClassifier, not a YOLACT'):
        train(f'--out run {RUN} --weights classifier.npz')


def test_a_batch_that_is_not_finite_is_skipped_and_named(train, folder, capsys, monkeypatch):
    from chainer_seg.models.yolact import losses
    monkeypatch.setattr(losses, 'box_loss', lambda *arguments: np.float32(np.nan))
    with pytest.raises(TrainingError, match='5 consecutive batches were not finite'):
        train(f'--out run {FILES} {NET} --iterations 9 --annotations {folder}/annotations.json '
              f'--images {folder}/images')
    message = capsys.readouterr().err
    assert 'Skipped a batch: the loss box_loss was nan in iteration 1' in message
    assert '.jpg' in message


def test_a_wrong_setting_ends_in_one_sentence(repository, tmp_path):
    result = subprocess.run(
        [sys.executable, repository / 'scripts' / 'train.py', 'yolact', '--out', 'run', '--set',
         'speed=3'], cwd=tmp_path, text=True, capture_output=True, timeout=300)
    assert result.returncode == 2
    assert result.stderr.startswith("error: A recipe for yolact has no field 'speed'")
    assert len(result.stderr.strip().splitlines()) == 1


def write_records(folder, classes, ids, names=False):
    """train.record and val.record with the class names of YOLACT's TensorFlow tool, which writes none."""
    folder.mkdir()
    for part, kind in zip(('train', 'val'), classes):
        drawn = PlainShapesDataset(3, seed=2, size=(64, 64), classes=(kind,))
        shard = b''
        for number in range(3):
            image, instances = drawn[number]
            features = features_of(image, instances, number, f'{number}.jpg', [ids[kind]])
            if not names:
                del features['image__object__class__label_text']
            shard += record(example(**features))
        (folder / f'{part}.record-00000-of-00001').write_bytes(shard)


def test_tfrecords_whose_parts_have_different_classes_keep_their_names(train, tmp_path):
    write_records(tmp_path / 'data', ('star', 'ring'), {'star': 4, 'ring': 9}, names=True)
    train(f'--out run {FILES} {NET} --data-folder data')
    assert load_model(tmp_path / 'run' / 'model.npz').class_names == ('star', 'ring')


def test_tfrecords_without_names_get_those_of_coco(train, tmp_path):
    write_records(tmp_path / 'data', ('star', 'ring'), {'star': 1, 'ring': 90})
    train(f'--out run {FILES} {NET} --data-folder data --categories coco')
    model = load_model(tmp_path / 'run' / 'model.npz')
    assert len(model.class_names) == 80 and model.class_names[-1] == 'toothbrush'
    assert model.origin['category_ids'][-1] == 90


def test_categories_are_for_tfrecords(train, folder):
    with pytest.raises(DatasetError, match='has names of its own; omit it'):
        train(f'--out run {FILES} {NET} --annotations {folder}/annotations.json --images {folder}/images '
              f'--categories coco')


def test_options_of_the_tensorflow_implementation_have_one_dash(parse):
    request = parse('-batch_size 3 -momentum 0.8 -weight_decay 0.0005 -print_interval 10 -save_interval 5000 '
                    '-name resnet50')
    training = request.recipe.training
    assert (training.batch_size, training.momentum, training.weight_decay) == (3, 0.8, 0.0005)
    assert (request.run.log_every, training.snapshot_every) == (10, 5000)


def test_weights_may_be_given_with_one_dash_and_give_the_sizes(parse):
    from chainer_seg.models.yolact import Yolact
    from tests.models.yolact.toys import SMALL
    save_model('own.npz', Yolact(**SMALL))
    assert parse('-weights own.npz').recipe.model.width == SMALL['width']
