"""scripts/evaluate.py on detectors: COCO's figures, results for its server, and runs in two parts."""

import itertools
import json
import time

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from chainer_seg import save_model
from chainer_seg.cli.detection_speed import hashed_choice
from chainer_seg.datasets import CocoDataset, FiguresDataset, ShapesDataset, write_coco
from chainer_seg.errors import UserError
from chainer_seg.evaluation import analyse_detections
from chainer_seg.evaluation.detection_errors import ERROR_KINDS
from chainer_seg.models.yolact import Yolact
from tests.folders import contents
from tests.scripts.fake_detector import FakeDetector
from tests.scripts.test_scripts import assert_user_error, call  # noqa: F401  a fixture

KINDS_OF_SHAPES = ('ring', 'star', 'letter')


@pytest.fixture(scope='module')
def shapes(tmp_path_factory):
    """A folder with eight synthetic images of rings, stars and letters, crowds among them."""
    folder = tmp_path_factory.mktemp('shapes')
    write_coco(ShapesDataset(8, seed=1, size=(72, 96), crowd_probability=0.5,
                             classes=KINDS_OF_SHAPES), folder, suffix='.png')
    content = json.loads((folder / 'annotations.json').read_text())
    for entry in [*content['categories'], *content['annotations']]:  # ids with gaps
        name = 'id' if 'name' in entry else 'category_id'
        entry[name] = 10 * entry[name] + 3
    (folder / 'annotations.json').write_text(json.dumps(content))
    return folder


@pytest.fixture(scope='module')
def figures(tmp_path_factory):
    folder = tmp_path_factory.mktemp('figures')
    write_coco(FiguresDataset(5, seed=1, size=(120, 120)), folder, suffix='.png')
    return folder


@pytest.fixture
def evaluate(command, capsys):
    """``evaluate(model, folder, ...)``: what the command prints."""
    def run(model, folder, *arguments):
        data = () if folder is None else (
            '--annotations', folder / 'annotations.json', '--images', folder / 'images')
        command('evaluate_coco', model, *data, *arguments)
        return capsys.readouterr().out
    return run


def dataset_of(folder):
    return CocoDataset(folder / 'annotations.json', folder / 'images')


def detector_of(folder, **options):
    dataset = dataset_of(folder)
    options.setdefault('class_names', dataset.class_names)
    return FakeDetector(dataset, **options)


def pycocotools_stats(folder, results, kind):
    """COCO's figures by its own program, from files alone."""
    truth = COCO(str(folder / 'annotations.json'))
    evaluation = COCOeval(truth, truth.loadRes(str(results)), kind)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return np.where(evaluation.stats < 0, np.nan, evaluation.stats)


def row_of(text, title):
    cells = next(line for line in text.splitlines() if line.startswith(title)).split()[1:]
    return [np.nan if cell == '-' else float(cell) for cell in cells]


def test_a_perfect_detector_has_an_average_precision_of_100(evaluate, shapes):
    text = evaluate(detector_of(shapes), shapes)
    assert '8 images' in text
    for title in ('boxes', 'masks'):
        assert row_of(text, title)[:3] == [100, 100, 100]


@pytest.mark.parametrize('kind, title', [('bbox', 'boxes'), ('segm', 'masks')])
def test_figures_of_boxes_and_masks_are_those_of_the_files_in_pycocotools(evaluate, shapes, tmp_path,
                                                                          kind, title):
    text = evaluate(detector_of(shapes, shift=2), shapes, '--results', 'r', '--out', 'f.json')
    expected = pycocotools_stats(shapes, tmp_path / 'r' / f'{kind}.json', kind)
    assert 0 < expected[0] < 1
    np.testing.assert_allclose(row_of(text, title), 100 * expected, atol=0.051)
    written = json.loads((tmp_path / 'f.json').read_text())
    names = ('AP', 'AP50', 'AP75', 'APs', 'APm', 'APl', 'AR1', 'AR10', 'AR100', 'ARs', 'ARm', 'ARl')
    values = [np.nan if written[f'{kind}/{name}'] is None else written[f'{kind}/{name}']
              for name in names]
    np.testing.assert_allclose(values, expected)


def test_figures_of_keypoints_are_those_of_the_file_in_pycocotools(evaluate, figures, tmp_path):
    text = evaluate(detector_of(figures, shift=4, keypoints=17), figures, '--results', 'r')
    expected = pycocotools_stats(figures, tmp_path / 'r' / 'keypoints.json', 'keypoints')
    assert 0 < expected[0] < 1 and len(expected) == 10
    np.testing.assert_allclose(row_of(text, 'keypoints'), 100 * expected, atol=0.051)


def test_results_have_the_ids_of_the_data_set(evaluate, shapes, tmp_path):
    evaluate(detector_of(shapes), shapes, '--results', 'r')
    dataset = dataset_of(shapes)
    results = json.loads((tmp_path / 'r' / 'segm.json').read_text())
    assert {each['category_id'] for each in results} == {13, 23, 33}
    found = [each for each in results if each['image_id'] == dataset.ids[3]]
    truth = dataset[3][1]
    truth = truth[~truth.crowds]
    assert [each['category_id'] for each in found] == [
        dataset.category_ids[label] for label in truth.labels]
    assert set(found[0]) == {'image_id', 'category_id', 'score', 'segmentation'}


def test_classes_are_matched_by_name_in_any_order(evaluate, shapes):
    model = detector_of(shapes, class_names=('letter', 'blob', 'star', 'ring'))
    assert row_of(evaluate(model, shapes), 'masks')[0] == 100


def test_classes_are_matched_by_number_on_request(evaluate, shapes):
    model = detector_of(shapes)
    model.class_names = ('one', 'two', 'three')
    model.answer = lambda truth, options: truth[~truth.crowds]
    assert row_of(evaluate(model, shapes, '--match', 'number'), 'masks')[0] == 100


def test_classes_that_the_model_does_not_know_are_left_out_on_request(evaluate, shapes):
    model = detector_of(shapes)
    model.class_names = ('ring', 'star')
    model.answer = lambda truth, options: truth[~truth.crowds & (truth.labels < 2)]
    text = evaluate(model, shapes, '--match', 'name', '--per-class')
    assert row_of(text, 'masks')[0] == 100
    assert row_of(text, 'ring') == [100, 100]
    assert np.isnan(row_of(text, 'letter')).all()


def test_overlaps_of_the_yolact_paper(evaluate, shapes, tmp_path):
    """Shifted masks fall between the two thresholds: AP50 is COCO's, AP70 that of pycocotools there."""
    text = evaluate(detector_of(shapes, shift=3), shapes, '--voc', '--results', 'r')
    truth = COCO(str(shapes / 'annotations.json'))
    evaluation = COCOeval(truth, truth.loadRes(str(tmp_path / 'r' / 'segm.json')), 'segm')
    evaluation.params.iouThrs = np.array([0.5, 0.7])
    evaluation.evaluate()
    evaluation.accumulate()
    precision = evaluation.eval['precision'][:, :, :, 0, 2]
    expected = [100 * values[values > -1].mean() for values in precision]
    voc = text[text.rindex('AP50'):]
    np.testing.assert_allclose(row_of(voc, 'masks'), expected, atol=0.051)
    assert expected[1] < expected[0]


def test_score_and_number_of_detections_can_be_set(evaluate, shapes, tmp_path):
    evaluate(detector_of(shapes), shapes, '--score', '0.5', '--top_k', '2', '--results', 'r')
    results = json.loads((tmp_path / 'r' / 'bbox.json').read_text())
    counts = np.unique([each['image_id'] for each in results], return_counts=True)[1]
    assert counts.max() == 2 and min(each['score'] for each in results) >= 0.5


def test_an_interrupted_run_goes_on_to_the_same_end(evaluate, shapes, tmp_path):
    whole = evaluate(detector_of(shapes, shift=1), shapes, '--results', 'whole')
    with pytest.raises(KeyboardInterrupt, match='3 of 8 images are done; the same command resumes'):
        evaluate(detector_of(shapes, shift=1, interrupt_at=4), shapes, '--results', 'parts')
    assert [path.name for path in (tmp_path / 'parts').iterdir()] == ['results.sqlite']
    rest = detector_of(shapes, shift=1)
    again = evaluate(rest, shapes, '--results', 'parts')
    assert rest.calls == 5
    assert again.splitlines()[1:] == whole.splitlines()[1:]
    assert contents(tmp_path / 'parts') == contents(tmp_path / 'whole')


def test_a_finished_run_is_not_computed_again(evaluate, shapes):
    evaluate(detector_of(shapes), shapes, '--results', 'r')
    model = detector_of(shapes)
    assert row_of(evaluate(model, shapes, '--results', 'r'), 'masks')[0] == 100 and model.calls == 0


@pytest.mark.parametrize('other, arguments, name', [
    ({'shift': 1}, (), 'model'), ({}, ('--score', '0.3'), 'score_threshold'),
    ({}, ('--endAt', '3'), 'data')])
def test_results_of_another_model_data_or_setting_are_not_continued(evaluate, shapes, other, arguments,
                                                                    name):
    evaluate(detector_of(shapes), shapes, '--results', 'r')
    with pytest.raises(UserError, match=f'results of other settings .{name} is'):
        evaluate(detector_of(shapes, **other), shapes, '--results', 'r', *arguments)
    evaluate(detector_of(shapes, **other), shapes, '--results', 'r', '--overwrite', *arguments)


def test_people_are_drawn_for_a_model_of_people(evaluate):
    drawn = FiguresDataset(3, 2_000_000, (64, 64))
    model = FakeDetector(drawn, class_names=('person',), keypoints=17)
    text = evaluate(model, None, '--n', '3', '--size', '64')
    assert row_of(text, 'keypoints')[0] == 100 and model.calls == 3


def test_shapes_are_drawn_of_the_classes_of_the_model(evaluate):
    drawn = ShapesDataset(3, 2_000_000, (64, 64), classes=('star', 'ring'))
    model = FakeDetector(drawn, class_names=('star', 'ring'))
    assert row_of(evaluate(model, None, '--n', '3', '--size', '64'), 'masks')[0] == 100


def test_nothing_found_at_all_is_an_average_precision_of_0(evaluate, shapes, tmp_path):
    text = evaluate(detector_of(shapes), shapes, '--score', '1', '--results', 'r')
    assert row_of(text, 'masks')[0] == 0
    assert json.loads((tmp_path / 'r' / 'segm.json').read_text()) == []


@pytest.mark.parametrize('names, arguments, sentence', [
    (('cat', 'dog', 'cow'), (), 'no class has the same name'),
    (('ring', 'star'), (), 'does not have letter of the data set'),
    ((), (), 'has an unknown number of classes and the data set 3'),
    (('ring', 'star'), ('--match', 'number'), 'has 2 classes and the data set 3'),
    (KINDS_OF_SHAPES, ('--kinds', 'keypoints'), 'omit keypoints'),
    (KINDS_OF_SHAPES, ('--score', '2'), 'must be between 0 and 1'),
    (KINDS_OF_SHAPES, ('--suppression', 'fast'), '--suppression is for a YOLACT'),
    (KINDS_OF_SHAPES, ('--startAt', '9'), 'There is no image from 9')])
def test_what_does_not_fit_is_one_sentence(evaluate, shapes, names, arguments, sentence):
    with pytest.raises(UserError, match=sentence) as error:
        evaluate(FakeDetector(dataset_of(shapes), class_names=names), shapes, *arguments)
    assert '\n' not in str(error.value)


@pytest.mark.slow
def test_the_script_evaluates_a_model_file(call, shapes, tmp_path):  # noqa: F811
    model = Yolact(classes=3, blocks=(1, 1, 1, 1), width=4, fpn_channels=8, image_size=64)
    model.class_names = KINDS_OF_SHAPES
    save_model(tmp_path / 'm.npz', model)
    data = ('--annotations', shapes / 'annotations.json', '--images', shapes / 'images')
    result = call('evaluate', 'm.npz', *data, '--results', 'r', '--endAt', '3')
    assert result.returncode == 0, result.stderr
    assert '3 images' in result.stdout and 'wrote r/segm.json' in result.stdout
    assert '3/3' in result.stderr and 'Traceback' not in result.stderr
    assert_user_error(call('evaluate', 'm.npz', *data, '--results', 'm.npz', '-q'), 'name a folder')


@pytest.mark.parametrize('name', ['evaluate_coco', 'evaluate_proposals'])
def test_an_evaluation_without_any_object_is_an_error(command, shapes, tmp_path, name):
    content = json.loads((shapes / 'annotations.json').read_text())
    for annotation in content['annotations']:
        annotation['iscrowd'] = 1
    path = tmp_path / 'crowds.json'
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match='no image has an object that counts'):
        command(name, detector_of(shapes), '--annotations', path, '--images', shapes / 'images',
                *(['--proposals', proposals_of(shapes, tmp_path)]
                  if 'proposals' in name else ()))


def proposals_of(folder, tmp_path):
    """A file with the objects of a data set as their proposals."""
    dataset, path = dataset_of(folder), tmp_path / 'proposals.json'
    path.write_text(json.dumps([result for number in range(len(dataset)) for result in
                                dataset.read_instances(number).to_coco_results(dataset.ids[number])]))
    return path


def test_errors_by_kind_are_those_of_the_kept_results(evaluate, shapes, tmp_path):
    text = evaluate(detector_of(shapes), shapes, '--errors', '--results', tmp_path / 'kept')
    errors = analyse_detections(tmp_path / 'kept', dataset_of(shapes)).errors
    counts, gains = errors.counts(), errors.gains()
    for kind in ERROR_KINDS:
        assert row_of(text, kind) == pytest.approx([counts[kind].sum(), 100 * gains[kind]], abs=0.05)


def test_the_ap_is_reported_at_all_ten_overlaps_and_of_each_class(evaluate, shapes, tmp_path):
    """Compared with the precision that pycocotools computes from the written files."""
    detector = detector_of(shapes, shift=2)
    text = evaluate(detector, shapes, '--overlaps', '--per-class', '--results', tmp_path / 'results',
                    '--kinds', 'bbox')
    truth = COCO(str(shapes / 'annotations.json'))
    evaluation = COCOeval(truth, truth.loadRes(str(tmp_path / 'results' / 'bbox.json')), 'bbox')
    evaluation.evaluate()
    evaluation.accumulate()
    precision = evaluation.eval['precision'][:, :, :, 0, -1].mean(axis=1) * 100
    lines = text.splitlines()
    heads = [number for number, line in enumerate(lines) if 'AP55' in line]
    assert lines[heads[0]].split() == [f'AP{overlap}' for overlap in range(50, 100, 5)]
    np.testing.assert_allclose([float(cell) for cell in lines[heads[0] + 1].split()[1:]],
                               precision.mean(axis=1), atol=0.051)
    for label, name in enumerate(dataset_of(shapes).class_names):
        cells = lines[heads[1] + 1 + label].split()
        assert cells[0] == name
        np.testing.assert_allclose([float(cell) for cell in cells[2:]], precision[:, label], atol=0.051)


def test_some_images_are_chosen_as_yolact_does():
    """The order of eval.py's badhash on these ids of COCO's images."""
    ids = [139, 285, 632, 724, 776, 785, 802]

    def badhash(x):
        x = (((x >> 16) ^ x) * 0x045d9f3b) & 0xFFFFFFFF
        x = (((x >> 16) ^ x) * 0x045d9f3b) & 0xFFFFFFFF
        return ((x >> 16) ^ x) & 0xFFFFFFFF
    order = sorted(range(7), key=lambda number: badhash(ids[number]))
    assert hashed_choice(ids, 3) == sorted(order[:3]) and hashed_choice(ids, 99) == list(range(7))
    assert hashed_choice(['a', 'b'], 1) in ([0], [1])


def test_at_most_so_many_images_are_evaluated(evaluate, shapes):
    assert evaluate(detector_of(shapes), shapes, '--max-images', '3').startswith('3 images')


def test_the_speed_is_that_of_detection_without_the_first_images(evaluate, shapes, monkeypatch):
    clock = itertools.count()
    detector = detector_of(shapes)
    detect = detector.detect
    monkeypatch.setattr(time, 'perf_counter', lambda: next(clock))
    monkeypatch.setattr(detector, 'detect', lambda *args, **options: next(clock) or detect(*args, **options))
    text = evaluate(detector, shapes, '--benchmark')
    assert text.strip() == '6 images: 0.50 images per second, 2000.0 ms per image (median 2000.0 ms)'


def test_a_benchmark_measures_no_accuracy(evaluate, shapes):
    with pytest.raises(UserError, match='--per-class applies only without --benchmark'):
        evaluate(detector_of(shapes), shapes, '--benchmark', '--per-class')
