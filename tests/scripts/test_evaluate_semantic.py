"""scripts/evaluate.py on a DeepLab: figures of files and of synthetic images, and the labels it keeps."""

import json
import math

import numpy as np
import pytest
from chainercv.evaluations import eval_semantic_segmentation
from PIL import Image

from chainer_seg import save_model
from chainer_seg.datasets import PASCAL_NAMES, SemanticDataset, ShapesDataset, open_semantic, write_coco
from chainer_seg.errors import UserError
from chainer_seg.models.deeplab import DeepLab
from chainer_seg.models.deeplab.dense_crf import PRESETS, CrfParameters
from tests.datasets.voc_files import write_voc
from tests.folders import contents
from tests.scripts.fake_segmenter import FakeSegmenter

KINDS = ('ring', 'star', 'letter')


@pytest.fixture(scope='module')
def shapes(tmp_path_factory):
    """A folder with five synthetic images, crowds among them."""
    folder = tmp_path_factory.mktemp('shapes')
    write_coco(ShapesDataset(5, seed=1, size=(48, 64), crowd_probability=0.6, classes=KINDS), folder,
               suffix='.png')
    return folder


@pytest.fixture
def evaluate(command, capsys):
    """``evaluate(model, ...)``: what the command prints."""
    def run(model, *arguments):
        command('evaluate_semantic', model, *arguments)
        return capsys.readouterr().out
    return run


def files(folder):
    return '--annotations', folder / 'annotations.json', '--images', folder / 'images'


def dataset_of(folder):
    return open_semantic(folder / 'annotations.json', folder / 'images')


def segmenter_of(folder, *arguments, **options):
    return FakeSegmenter(dataset_of(folder), *arguments, **options)


def row_of(text, title):
    """The figures of a class in percent, NaN for '-'."""
    line = next(line for line in text.splitlines() if line.startswith(title + ' '))
    return [math.nan if cell == '-' else float(cell) for cell in line.removeprefix(title).split()]


def test_a_perfect_segmenter_has_a_mean_iou_of_100(evaluate, shapes):
    text = evaluate(segmenter_of(shapes), *files(shapes))
    assert text.startswith('5 images')
    assert row_of(text, 'mean') == [100, 100] and row_of(text, 'all pixels') == [100]


def test_figures_are_chainercvs(evaluate, shapes, tmp_path):
    model = segmenter_of(shapes, shift=3)
    text = evaluate(model, *files(shapes), '--out', 'f.json')
    dataset = dataset_of(shapes)
    images, truths = zip(*(dataset[number] for number in range(5)))
    expected = eval_semantic_segmentation([model.segment(image) for image in images], truths)
    assert 0.2 < expected['miou'] < 1 and min(truth.min() for truth in truths) == -1
    rows = [row_of(text, name) for name in dataset.class_names]
    np.testing.assert_allclose(rows, 100 * np.stack([
        expected['iou'], expected['class_accuracy']], axis=1), atol=0.0051)
    np.testing.assert_allclose(row_of(text, 'mean'), [
        100 * expected['miou'], 100 * expected['mean_class_accuracy']], atol=0.0051)
    written = json.loads((tmp_path / 'f.json').read_text())
    assert written['miou'] == pytest.approx(expected['miou'])
    assert written['class_names'] == list(dataset.class_names)
    assert np.sum(written['confusion']) == sum((truth >= 0).sum() for truth in truths)


def test_a_list_of_voc(evaluate, tmp_path):
    path = write_voc(tmp_path / 'voc')
    dataset = open_semantic(path)
    text = evaluate(FakeSegmenter(dataset), '--annotations', path, '--save-labels', 'l',
                    '--out', 'f.json')
    assert dataset.class_names == ('background', *PASCAL_NAMES)
    assert row_of(text, 'bird') == row_of(text, 'mean') == [100, 100]
    assert '\ncat ' not in text and '17 of 21 classes neither occur nor are found' in text
    assert json.loads((tmp_path / 'f.json').read_text())['iou/cat'] is None
    image = Image.open(tmp_path / 'l' / '2007_000002.png')
    assert image.mode == 'P' and set(np.unique(image)) == {0, 3}


def test_synthetic_images_are_of_the_classes_of_the_model(evaluate):
    drawn = SemanticDataset(ShapesDataset(3, 2_000_000, (48, 48), classes=('star', 'ring')))
    model = FakeSegmenter(drawn)
    text = evaluate(model, '--n', '3', '--size', '48')
    assert row_of(text, 'mean') == [100, 100] and model.calls == 3


@pytest.mark.parametrize('arguments, changed', [
    ((), {}), (('--msc',), {'scales': (1, 0.75, 0.5)}), (('--scales', '1', '2'), {'scales': (1, 2)}),
    (('--mirror', '--longest-side', '300'), {'mirror': True, 'longest_side': 300}),
    (('--crf', 'tensorflow'), {'refinement': PRESETS['tensorflow']}),
    (('--crf', 'deeplab,steps=3,colour_rgb=5'), {'refinement': CrfParameters(3, 1, 4, 67, 5, 3)})])
def test_options_reach_the_model(evaluate, shapes, arguments, changed):
    model = segmenter_of(shapes)
    evaluate(model, *files(shapes), '--endAt', '1', *arguments)
    usual = {'scales': (1,), 'mirror': False, 'refinement': None, 'longest_side': None}
    assert model.calls == 1 and model.options == {**usual, **changed}


def test_classes_are_matched_by_name_in_any_order(evaluate, shapes, tmp_path):
    names = ('background', 'letter', 'blob', 'star', 'ring')
    text = evaluate(segmenter_of(shapes, names), *files(shapes), '--save-labels', 'l')
    assert row_of(text, 'mean') == [100, 100]
    labels = np.asarray(Image.open(sorted((tmp_path / 'l').glob('*.png'))[0]))
    truth = dataset_of(shapes)[0][1]
    np.testing.assert_array_equal(labels, truth.clip(0))


def test_classes_that_the_model_does_not_know_are_left_out_on_request(evaluate, shapes):
    text = evaluate(segmenter_of(shapes, ('background', 'star', 'ring')), *files(shapes),
                    '--match', 'name')
    assert row_of(text, 'mean') == [100, 100] and '\nletter ' not in text


def test_an_interrupted_run_goes_on_to_the_same_end(evaluate, shapes, tmp_path):
    whole = evaluate(segmenter_of(shapes, shift=2), *files(shapes), '--save-labels', 'whole')
    with pytest.raises(KeyboardInterrupt, match='3 of 5 images are done; the same command resumes'):
        evaluate(segmenter_of(shapes, shift=2, interrupt_at=4), *files(shapes),
                 '--save-labels', 'parts')
    rest = segmenter_of(shapes, shift=2)
    again = evaluate(rest, *files(shapes), '--save-labels', 'parts')
    assert rest.calls == 2 and again.splitlines()[1:] == whole.splitlines()[1:]
    assert contents(tmp_path / 'parts') == contents(tmp_path / 'whole')


@pytest.mark.parametrize('shift, arguments, name', [
    (1, (), 'model'), (0, ('--mirror',), 'mirror'), (0, ('--endAt', '3'), 'data'),
    (0, ('--crf', 'deeplab'), 'crf'), (0, ('--longest-side', '99'), 'longest_side')])
def test_labels_of_another_model_data_or_setting_are_not_continued(evaluate, shapes, shift, arguments,
                                                                   name):
    evaluate(segmenter_of(shapes), *files(shapes), '--save-labels', 'l')
    other = *files(shapes), '--save-labels', 'l', *arguments
    with pytest.raises(UserError, match=f'labels of other settings .{name} is'):
        evaluate(segmenter_of(shapes, shift=shift), *other)
    evaluate(segmenter_of(shapes, shift=shift), *other, '--overwrite')


@pytest.mark.parametrize('names, arguments, sentence', [
    (('cat', 'dog', 'cow'), (), 'no class has the same name'),
    (('background', 'ring', 'star'), (), 'does not have letter of the data set'),
    ((), (), 'has an unknown number of classes and the data set 4'),
    (('background', 'ring'), ('--match', 'number'), 'has 2 classes and the data set 4'),
    (('background', *KINDS), ('--startAt', '9'), 'There is no image from 9')])
def test_what_does_not_fit_is_one_sentence(evaluate, shapes, names, arguments, sentence):
    with pytest.raises(UserError, match=sentence) as error:
        evaluate(segmenter_of(shapes, names), *files(shapes), *arguments)
    assert '\n' not in str(error.value)


def test_the_script_evaluates_a_model_file(call_here, shapes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = DeepLab(4, blocks=(1, 1, 1, 1), width=2, pyramid=(1, 2))
    model.class_names = ('background', *KINDS)
    save_model('m.npz', model)
    status, output, errors = call_here('evaluate.py', 'm.npz', *files(shapes), '--msc', '--mirror',
                                       '--crf', 'deeplab', '--save-labels', 'l')
    assert status == 0, errors
    assert '5 images' in output and 'wrote 5 label images to l' in output and '5/5' in errors
    status, _, errors = call_here('evaluate.py', 'm.npz', *files(shapes), '--scales', '0', '-q')
    assert status == 2 and errors.startswith('error: ') and 'Scales must be positive' in errors
