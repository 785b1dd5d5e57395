"""Average recall of proposals: equal to pycocotools fed by hand, and right where it can be counted."""

import contextlib
import io
import json
import math

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from chainer_seg.datasets import CocoDataset
from chainer_seg.errors import DatasetError
from chainer_seg.evaluation import (
    ProposalEvaluator,
    evaluate_proposal_files,
    evaluate_proposals,
)
from chainer_seg.evaluation.proposals import COUNTS, SIZES
from chainer_seg.instances import Instances
from chainer_seg.models.deepmask.proposals import ProposalModel
from tests.synthetic import squares


def shaken(truth, rng, count):
    """``count`` proposals: the objects, moved a little, with random scores."""
    if not len(truth):
        return Instances.empty(*truth.image_size)
    chosen = rng.integers(0, len(truth), count)
    found = [np.roll(truth.masks[i], rng.integers(-6, 7, 2), (0, 1)) for i in chosen]
    return Instances(np.stack(found), scores=rng.random(count).round(2))


def recall(truth, proposals, **settings):
    evaluator = ProposalEvaluator(**settings)
    evaluator.add(truth, proposals)
    return evaluator.summary()


@pytest.fixture
def sample(shared_data):
    folder = shared_data / 'coco_sample'
    return CocoDataset(folder / 'annotations' / 'instances_val.json', folder / 'val')


def pycocotools_recall(path, results, kind):
    """{(count, size): average recall} of pycocotools without categories."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(path))
        reference = COCOeval(truth, truth.loadRes(results), kind)
        reference.params.useCats, reference.params.maxDets = 0, list(COUNTS)
        reference.evaluate()
        reference.accumulate()
    recalls = reference.eval['recall']
    return {(count, size): recalls[:, 0, a, m].mean()
            for a, size in enumerate(SIZES) for m, count in enumerate(COUNTS)}


def test_recall_equals_pycocotools_without_categories(sample):
    rng = np.random.default_rng(0)
    evaluator, results = ProposalEvaluator(), {'bbox': [], 'segm': []}
    for index, image_id in enumerate(sample.ids):
        truth = sample.read_instances(index)
        # Few or many: some images have fewer proposals than are counted, some more than 100.
        proposals = shaken(truth, rng, int(rng.choice([5, 30, 150])))
        evaluator.add(truth, proposals)
        for entry in proposals.to_coco_results(image_id):
            box = {name: entry[name] for name in ('image_id', 'category_id', 'score', 'bbox')}
            results['bbox'].append(box)
            results['segm'].append({name: entry[name] for name in entry if name != 'bbox'})
    figures = evaluator.summary()
    for kind in ('bbox', 'segm'):
        expected = pycocotools_recall(sample.path, results[kind], kind)
        for (count, size), value in expected.items():
            name = f'{kind}/AR@{count}' + ('' if size == 'all' else f'/{size}')
            assert figures[name] == pytest.approx(value, abs=1e-9), name
    assert 0.05 < figures['segm/AR@10'] < figures['segm/AR@100'] < 0.95


def test_the_proposals_with_the_best_scores_are_counted():
    truth = squares((10, 10), (100, 100))
    wrong = [(10, 150)] * 9
    found = squares((10, 10), *wrong, (100, 100), scores=np.linspace(1, 0.1, 11))
    figures = recall(truth, found)
    assert figures['segm/AR@10'] == 0.5 and figures['segm/AR@100'] == 1


def test_a_shifted_proposal_passes_the_thresholds_below_its_overlap():
    # 40 x 40 moved by 5: an overlap of 35 / 45 = 0.78 passes 0.5, 0.55, ..., 0.75, 6 of 10.
    assert recall(squares((10, 10)), squares((10, 15)))['bbox/AR@10'] == pytest.approx(0.6)


def test_a_proposal_matches_one_object():
    truth = squares((10, 10), (12, 12))
    assert recall(truth, squares((11, 11)))['segm/AR@10'] == pytest.approx(0.45)  # 76 / 84: 9 of 10


def test_the_size_is_the_annotated_area():
    truth = squares((10, 10), (100, 100), areas=[100, 100 ** 2])
    figures = recall(truth, squares((10, 10)))
    assert figures['segm/AR@10/small'] == 1 and figures['segm/AR@10/large'] == 0
    assert math.isnan(figures['segm/AR@10/medium']) and figures['segm/AR@10'] == 0.5


def test_the_size_is_the_mask_area_without_annotated_areas():
    figures = recall(squares((10, 10)), squares((10, 10)))
    assert figures['segm/AR@10/medium'] == 1 and math.isnan(figures['segm/AR@10/small'])


def test_crowds_are_ignored():
    truth = squares((10, 10), (100, 100), crowds=[False, True])
    assert recall(truth, squares((10, 10)))['segm/AR@10'] == 1


def test_images_of_only_crowds_have_no_recall():
    figures = recall(squares((10, 10), crowds=[True]), squares((10, 10)))
    assert all(math.isnan(value) for value in figures.values())


def test_labels_are_ignored():
    assert recall(squares((10, 10), labels=[3]), squares((10, 10)))['segm/AR@10'] == 1


def test_without_proposals_the_recall_is_0():
    assert recall(squares((10, 10)), Instances.empty(200, 200))['segm/AR@1000'] == 0


def test_result_dicts_and_instances_give_the_same_figures():
    truth, found = squares((10, 10), (50, 60)), squares((12, 10), (50, 61), scores=[0.2, 0.9])
    assert recall(truth, found.to_coco_results(7)) == pytest.approx(recall(truth, found), nan_ok=True)


def test_results_without_boxes_use_the_boxes_of_their_masks():
    results = squares((10, 15)).to_coco_results(7)
    del results[0]['bbox']
    assert recall(squares((10, 10)), results)['bbox/AR@10'] == pytest.approx(0.6)


def test_comparing_boxes_needs_no_masks():
    results = [{'score': 0.5, 'bbox': [15, 10, 40, 40]}]
    assert recall(squares((10, 10)), results, kinds=('bbox',))['bbox/AR@10'] == pytest.approx(0.6)
    with pytest.raises(DatasetError, match='no "segmentation"; compare boxes only'):
        recall(squares((10, 10)), results)


def test_proposals_of_another_image_size_are_an_error():
    with pytest.raises(DatasetError, match='an image of 100x100 pixels, but the image has 200x200'):
        recall(squares((10, 10)), squares((10, 10), size=(100, 100)))


def test_a_summary_without_images_is_an_error():
    with pytest.raises(DatasetError, match='nothing to evaluate'):
        ProposalEvaluator().summary()


@pytest.mark.parametrize('kinds', ['segm', ('masks',), ()])
def test_unknown_kinds_are_an_error(kinds):
    with pytest.raises(ValueError, match='kinds'):
        ProposalEvaluator(kinds)


class Listed:
    """A data set of Instances on black images, with ids as CocoDataset has them."""

    path = 'listed.json'

    def __init__(self, **truths):
        self.ids, self.truths = list(truths), list(truths.values())

    def __len__(self):
        return len(self.truths)

    def __getitem__(self, index):
        return np.zeros((200, 200, 3), np.uint8), self.truths[index]

    def read_instances(self, index):
        return self.truths[index]


def test_a_model_computes_as_many_proposals_as_are_counted():
    class Model(ProposalModel):
        def propose_rle(self, image, n):
            assert image.shape == (200, 200, 3) and n == 20
            return squares((10, 10))

    dataset = Listed(a=squares((10, 10)), b=squares((10, 10), (90, 90)))
    figures = evaluate_proposals(Model(), dataset, counts=(5, 20))
    assert figures['segm/AR@20'] == pytest.approx(2 / 3)


def test_files_are_matched_by_the_ids_of_the_images():
    dataset = Listed(a=squares((10, 10)), b=squares((90, 90)))
    files = [('b', squares((90, 90)).to_coco_results('b')),
             ('unknown', squares((1, 1)).to_coco_results('unknown'))]
    assert evaluate_proposal_files(files, dataset)['segm/AR@10'] == 0.5
    with pytest.raises(DatasetError, match='None of the images of listed.json'):
        evaluate_proposal_files([('c', [])], dataset)


def test_figures_can_be_written_as_json():
    figures = recall(squares((10, 10)), squares((10, 10)))
    assert json.loads(json.dumps(figures))['segm/AR@100'] == 1


CODE = {'size': [4, 5], 'counts': '52='}


@pytest.mark.parametrize('results', [
    3, 'text', {}, [3], [None], [{}], [{'score': 'high', 'segmentation': CODE}],
    [{'score': 0.5, 'segmentation': 3}], [{'score': 0.5, 'segmentation': {'size': [4, 5]}}],
    [{'score': 0.5, 'segmentation': {**CODE, 'size': [4]}}],
    [{'score': 0.5, 'segmentation': {**CODE, 'size': [10 ** 6, 10 ** 6]}}],
    [{'score': 0.5, 'segmentation': {**CODE, 'counts': '52T'}}],
    [{'score': 0.5, 'segmentation': {**CODE, 'counts': 'é'}}],
    [{'score': 0.5, 'segmentation': {**CODE, 'counts': [5, -2, 17]}}],
    [{'score': 0.5, 'segmentation': {**CODE, 'counts': 7}}],
    [{'score': 0.5, 'segmentation': {**CODE, 'counts': [10 ** 400]}}],
    [{'score': 0.5, 'segmentation': CODE, 'bbox': [1, 2, 3]}],
    [{'score': 0.5, 'segmentation': CODE, 'bbox': [1, 2, 3, 10 ** 400]}],
    [{'score': float('nan'), 'segmentation': CODE}], [{'score': 0.5, 'bbox': [1, 2, 3, 4]}]],
    ids=lambda results: repr(results)[:60])
def test_results_of_another_form_are_an_error(results):
    with pytest.raises(DatasetError):
        recall(squares((0, 0), side=2, size=(4, 5)), results)


def test_uncompressed_and_compressed_encodings_give_the_same_figures():
    truth = squares((0, 1), side=2, size=(4, 5))
    for counts in ('42208', [4, 2, 2, 2, 10]):
        figures = recall(truth, [{'score': 0.5, 'segmentation': {'size': [4, 5], 'counts': counts}}])
        assert figures['segm/AR@10'] == 1
