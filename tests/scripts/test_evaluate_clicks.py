"""scripts/evaluate.py with a click model: which objects of which data sets, and what is reported."""

import json

import numpy as np
import pytest
from PIL import Image

from chainer_seg import save_model
from chainer_seg.published_classes import PASCAL_NAMES_IN_COCO
from chainer_seg.models.deeplab import ClickSegmenter, DeepLab
from chainer_seg.models.mask_rcnn import MaskRCNN
from tests.models.mask_rcnn.test_model import SMALL as SMALL_MASK_RCNN
from tests.datasets.voc_files import write_voc


@pytest.fixture
def evaluate(call_here, tmp_path, monkeypatch):
    """``evaluate(*options) -> (what is printed, the content of --out)`` of an untrained small model."""
    monkeypatch.chdir(tmp_path)
    save_model('model.npz', ClickSegmenter(blocks=(1, 1, 1, 1), width=2, longest_side=64))

    def call(*options):
        status, output, errors = call_here('evaluate.py', 'model.npz', *options, '--cap', '2',
                                           '--clicks', '1', '--out', 'f.json', '-q')
        assert status == 0, errors
        return output, json.loads((tmp_path / 'f.json').read_text())
    return call


@pytest.fixture
def fails(call_here, tmp_path, monkeypatch):
    """``fails(*options) -> the sentence`` that a user's error is told by."""
    monkeypatch.chdir(tmp_path)
    save_model('model.npz', ClickSegmenter(blocks=(1, 1, 1, 1), width=2, longest_side=64))

    def call(*options):
        status, _, errors = call_here('evaluate.py', 'model.npz', *options, '-q')
        assert status == 2 and errors.startswith('error: ') and errors.count('\n') == 1, errors
        return errors
    return call


@pytest.fixture
def grabcut(tmp_path, rng):
    """A folder as GrabCut's, with two images."""
    for number in range(2):
        write_pair(tmp_path / 'GrabCut', f'p{number}', rng)
    return tmp_path / 'GrabCut'


def write_pair(folder, name, rng):
    mask = np.zeros((24, 30), np.uint8)
    mask[4:16, 5:20], mask[6:14, 7:18] = 128, 255
    image = rng.integers(0, 256, (24, 30, 3), np.uint8)
    for kind, pixels in (('data_GT', image), ('boundary_GT', mask)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / kind / f'{name}.bmp')


def test_benchmark_of_masks_has_its_threshold_and_what_was_published(evaluate, grabcut):
    output, found = evaluate('--benchmark', 'grabcut', '--images', 'GrabCut/data_GT', '--masks',
                             'GrabCut/boundary_GT', '--cap', '20')
    first, heads, _, _, *references = output.splitlines()
    assert first == '2 objects, up to 2 clicks on each'  # the later --cap counts
    assert [cell.strip() for cell in heads.split('|')][2:4] == ['NoC@90', 'failed@90']
    assert references == []  # for it is not 20 clicks
    assert found['least_area'] == 1 and found['objects'] == ['object', 'object']


def test_published_figures_are_shown_for_a_whole_benchmark_only(call_here, grabcut, monkeypatch):
    monkeypatch.chdir(grabcut.parent)
    save_model('model.npz', ClickSegmenter(blocks=(1, 1, 1, 1), width=2, longest_side=64))
    lines = {}
    for more in ((), ('--max-objects', '1'), ('--thresholds', '0.8'), ('--end-at', '1')):
        status, output, errors = call_here('evaluate.py', 'model.npz', '--benchmark', 'grabcut',
                                           '--masks', 'GrabCut', '-q', *more)
        assert status == 0, errors
        lines[more] = [line for line in output.splitlines() if line.startswith('published')]
    assert lines.pop(()) == [
        'published for GrabCut: NoC@90 6.04, FCN-8s and graph cut (arXiv 1603.04042)',
        'published for GrabCut: NoC@90 1.54, HRNet-18, iterative training, COCO+LVIS (arXiv 2102.06583)']
    assert not any(lines.values())


def test_both_folders_may_be_given_by_the_one_that_holds_them(evaluate, grabcut):
    by_masks, by_images = (evaluate(option, 'GrabCut', '--least-area', '9')[1]['methods']['model.npz']
                           for option in ('--masks', '--images'))
    assert by_masks['objects'] == 2 and by_masks['ious'] == by_images['ious']


def test_masks_of_several_objects_have_a_row_for_each(evaluate, fails, grabcut):
    numbers = np.zeros((48, 64), np.uint8)
    numbers[4:20, 5:30], numbers[25:44, 20:60], numbers[20:25] = 1, 2, 255
    folder = grabcut.parent / 'own'
    for name in ('images', 'masks'):
        (folder / name).mkdir(parents=True)
        Image.fromarray(numbers).save(folder / name / 'x.png')
    assert evaluate('--masks', 'own', '--least-area', '9')[1]['methods']['model.npz']['objects'] == 2
    assert evaluate('--masks', 'own', '--least-area', '9', '--labels-as', 'levels'
                    )[1]['methods']['model.npz']['objects'] == 1
    assert 'is not a list of images; omit --allow-outside' in fails(
        '--masks', 'own', '--allow-outside')


def test_voc_list_needs_no_folder_of_images(evaluate, tmp_path):
    _, found = evaluate('--annotations', write_voc(tmp_path / 'VOC2012'), '--least-area', '1')
    assert found['objects'] and set(found['objects']) <= {'person', 'dog', 'bird', 'cat', 'aeroplane'}


def test_seen_and_unseen_categories_of_coco(evaluate, shared_data):
    sample = shared_data / 'coco_sample'
    data = '--annotations', sample / 'annotations' / 'instances_val.json', '--images', sample / 'val'
    seen = evaluate(*data, '--seen', '--max-objects', '6')[1]['objects']
    assert len(seen) == 6 and set(seen) <= set(PASCAL_NAMES_IN_COCO)
    unseen = evaluate(*data, '--unseen', '--max-objects', '6')[1]['objects']
    assert len(unseen) == 6 and not set(unseen) & set(PASCAL_NAMES_IN_COCO)
    assert set(evaluate(*data, '--categories', 'Dog', '--least-area', '1')[1]['objects']) == {'dog'}


def test_so_many_objects_of_each_category_by_the_seed(evaluate):
    drawn = '--n', '8', '--size', '96', '--least-area', '50', '--per-category', '1', '--per-class'
    output, found = evaluate(*drawn)
    assert len(found['objects']) == len(set(found['objects'])) > 1
    table = output.split('\n\n')[1].splitlines()
    assert [cell.strip() for cell in table[0].split('|')][1:4] == ['category', 'objects', 'NoC@80']
    rows = {cells[1].strip(): cells for cells in (line.split('|') for line in table[2:])}
    assert set(rows) == set(found['objects']) == set(found['classes']['model.npz'])
    for name, cells in rows.items():
        assert [cell.strip() for cell in cells[2:4]] == [
            '1', f'{found["classes"]["model.npz"][name]["noc@80"]:.2f}']


def test_kept_results_are_not_computed_again(evaluate, monkeypatch):
    drawn = '--n', '2', '--size', '64', '--least-area', '50', '--results', 'r', '--refine', 'none', 'crf'
    first = evaluate(*drawn)[1]

    def session(*_):
        raise AssertionError('clicked again')
    with monkeypatch.context() as patched:
        patched.setattr(ClickSegmenter, 'session', session)
        again = evaluate(*drawn)[1]
    assert again['methods'] == first['methods']
    assert evaluate(*drawn, '--overwrite')[1]['methods'].keys() == first['methods'].keys()


def test_interrupted_run_says_that_it_goes_on(call_here, tmp_path, monkeypatch):
    def session(*_):
        raise KeyboardInterrupt
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ClickSegmenter, 'session', session)
    save_model('model.npz', ClickSegmenter(blocks=(1, 1, 1, 1), width=2))
    drawn = '--n', '1', '--size', '64', '--least-area', '50', '-q'
    assert call_here('evaluate.py', 'model.npz', *drawn) == (130, '', 'interrupted\n')
    assert call_here('evaluate.py', 'model.npz', *drawn, '--results', 'r') == (
        130, '', 'interrupted: 0 of 1 images are done; the same command resumes\n')


def test_kept_results_of_other_settings_are_told(evaluate, fails):
    drawn = '--n', '2', '--size', '64', '--least-area', '50', '--results', 'r'
    evaluate(*drawn)
    assert 'flip is False there and True here' in fails(*drawn, '--cap', '2', '--clicks', '1', '--flip')
    assert 'data is' in fails(*drawn, '--cap', '2', '--clicks', '1', '--seed', '1')


@pytest.mark.parametrize('options, view', [
    ((), (True, 48, 32)), (('--no-flip', '--zoom-side', '0'), (False, None, 32)),
    (('--zoom-side', '64', '--local-side', '0'), (True, 64, None)),
    (('--no-flip', '--local-side', '40'), (False, 48, 40))])
def test_network_looks_as_the_options_say(evaluate, monkeypatch, options, view):
    save_model('model.npz', ClickSegmenter(blocks=(1, 1, 1, 1), width=2, flip=True, zoom_side=48,
                                           local_side=32))
    session, views = ClickSegmenter.session, []

    def remembered(model, *arguments, **more):
        views.append((model.flip, model.zoom_side, model.local_side))
        return session(model, *arguments, **more)
    monkeypatch.setattr(ClickSegmenter, 'session', remembered)
    evaluate('--n', '1', '--size', '64', '--least-area', '50', '--max-objects', '1', *options)
    assert views == [view]


@pytest.mark.parametrize('options, sentence', [
    (('--masks', 'm', '--annotations', 'a.json'), '--masks and --annotations both define'),
    (('--masks', 'GrabCut/boundary_GT', '--images', 'nowhere'), 'no folder of images nowhere'),
    (('--masks', 'GrabCut/boundary_GT'), 'give both folders'),
    (('--masks', 'nowhere'), 'There is no folder of masks nowhere'),
    (('--images', 'GrabCut/data_GT'), 'give both folders'),
    (('--categories', 'unicorn'), "no category 'unicorn'; it has"),
    (('--masks', 'GrabCut', '--seen'), "no category 'airplane'; it has object."),
    (('--per-category', '3', '--least-area', '99999'), 'no object of at least 99999 pixels'),
    (('--least-area', '0'), '--least-area must be at least 1, got'),
    (('--labels-as', 'numbers'), '--labels-as and --allow-outside are for data sets of files')])
def test_wrong_options_are_one_sentence(fails, grabcut, options, sentence):
    of_files = {'--masks', '--annotations', '--images'} & set(options)
    assert sentence in fails(*(() if of_files else ('--n', '2')), *options)


def test_mask_of_another_size_is_one_sentence(fails, grabcut):
    Image.new('L', (3, 4), 255).save(grabcut / 'boundary_GT' / 'p0.bmp')
    assert 'p0.bmp has 4x3 pixels, but its image' in fails('--masks', 'GrabCut')


@pytest.mark.parametrize('text, sentence', [
    ('caffe', "'caffe' is neither tensorflow nor deeplab"), ('steps', "'steps' is neither"),
    ('steps=many', "'many' is not a number"), ('colour_rgb=nan', "'nan' is not a number")])
def test_wrong_numbers_of_the_crf_are_told(call_here, tmp_path, monkeypatch, text, sentence):
    monkeypatch.chdir(tmp_path)
    save_model('model.npz', ClickSegmenter(blocks=(1, 1, 1, 1), width=2))
    status, _, errors = call_here('evaluate.py', 'model.npz', '--refine', 'crf', '--crf-parameters', text)
    assert status == 2 and sentence in ' '.join(errors.split())


DRAWN = '--n', '2', '--size', '64', '--least-area', '50', '--drawn', 'plain-shapes'


def test_models_and_classical_methods_are_compared_by_one_command(evaluate, tmp_path):
    save_model('detector.npz', MaskRCNN(**SMALL_MASK_RCNN))
    _, found = evaluate(*DRAWN, '--compare', 'detector.npz', '--refine', 'none', 'graphcut', '--baselines',
                        'grabcut', '--results', 'r')
    assert list(found['methods']) == ['model.npz', 'model.npz, graphcut', 'detector.npz',
                                      'detector.npz, graphcut', 'grabcut']
    objects = {len(each['ious']) for each in found['methods'].values()}
    assert len(objects) == 1 and objects.pop() > 0
    with Image.open('f.png') as curves:
        assert min(curves.size) > 400
    assert {path.name for path in (tmp_path / 'r').iterdir()} == {
        'none', 'graphcut', 'detector-none', 'detector-graphcut', 'grabcut'}


def test_a_compared_detector_has_what_it_has_alone(evaluate, call_here):
    save_model('detector.npz', MaskRCNN(**SMALL_MASK_RCNN))
    _, found = evaluate(*DRAWN, '--compare', 'detector.npz')
    status, _, errors = call_here('evaluate.py', 'detector.npz', '--protocol', 'clicks', *DRAWN, '--cap', '2',
                                  '--clicks', '1', '--out', 'alone.json', '-q')
    assert status == 0, errors
    with open('alone.json', encoding='utf-8') as file:
        alone = json.load(file)
    assert alone['methods']['detector.npz']['ious'] == found['methods']['detector.npz']['ious']


def test_a_model_that_cannot_be_clicked_is_not_compared(fails):
    save_model('semantic.npz', DeepLab(blocks=(1, 1, 1, 1), width=2))
    assert 'A DeepLab does not segment what is clicked on' in fails('--compare', 'semantic.npz', *DRAWN)
