"""Kept proposals: complete files, no image twice or lost, however the runs before ended."""

import json

import numpy as np
import pytest
from pycocotools.coco import COCO

from chainer_seg.datasets import read_proposals
from chainer_seg.errors import DatasetError, ImageError
from chainer_seg.instances import Instances
from chainer_seg.jobs.proposals import keep_proposals
from tests.folders import contents, kept, names_in

SETTINGS = {'model': 'abc', 'n': 3}


def proposals(number, count=3):
    """The results of image ``number``, whose id is 100 + number."""
    rng = np.random.default_rng(number)
    return Instances(rng.random((count, 6, 7)) < 0.5,
                     scores=np.sort(rng.random(count))[::-1]).to_coco_results(100 + number)


class Computer:
    """Computes proposals, remembers of which images, and fails where told to."""

    def __init__(self, **errors):
        self.asked, self.errors = [], errors

    def __call__(self, number):
        self.asked.append(number)
        error = self.errors.get(f'at{number}')
        if error is not None:
            raise error
        return proposals(number)


def fill(folder, compute, numbers, settings=SETTINGS, chunk=500, **options):
    """Computes proposals of the images ``numbers``; the errors of those that cannot be used by number."""
    errors = {}
    keep_proposals(compute, numbers, folder, settings, chunk=chunk, progress=False,
                   on_error=errors.__setitem__, **options)
    return errors


@pytest.fixture
def whole(tmp_path):
    """What a run without interruption leaves of eight images, three to a file."""
    folder = tmp_path / 'whole'
    fill(folder, Computer(), range(8), chunk=3)
    return contents(folder)


def test_files_hold_segments_and_boxes_in_chunks(whole, tmp_path):
    assert set(whole) == {'settings.json', 'results.sqlite', *(
        f'{kind}-{images}.json' for kind in ('segm', 'bbox')
        for images in ('000001-000003', '000004-000006', '000007-000008'))}
    expected = [result for number in (3, 4, 5) for result in proposals(number)]
    for kind, dropped in (('segm', 'bbox'), ('bbox', 'segmentation')):
        assert json.loads(whole[f'{kind}-000004-000006.json']) == [
            {name: value for name, value in result.items() if name != dropped}
            for result in expected]


@pytest.mark.parametrize('kind', ['segm', 'bbox'])
def test_pycocotools_reads_the_files(whole, tmp_path, kind):
    truth = COCO()
    truth.dataset = {'images': [{'id': 100 + number} for number in range(8)], 'categories': [],
                     'annotations': [], 'info': {}}
    truth.createIndex()
    loaded = truth.loadRes(str(tmp_path / 'whole' / f'{kind}-000001-000003.json'))
    assert len(loaded.anns) == 9 and loaded.anns[1]['image_id'] == 100


def test_the_files_are_read_back(whole, tmp_path):
    read = list(read_proposals(tmp_path / 'whole'))
    assert [image_id for image_id, _ in read] == list(range(100, 108))
    assert [result['score'] for result in read[4][1]] == [r['score'] for r in proposals(4)]


def test_killed_run_goes_on_where_it_was(whole, tmp_path):
    folder = tmp_path / 'a'
    for number in (4, 5, 7):  # Killed while it works on these images, one after the other.
        with pytest.raises(KeyboardInterrupt):
            fill(folder, Computer(**{f'at{number}': KeyboardInterrupt()}), range(8), chunk=3)
    last = Computer()
    fill(folder, last, range(8), chunk=3)
    assert last.asked == [7]
    assert contents(folder) == whole


def test_run_killed_between_the_two_kinds_writes_both(whole, tmp_path):
    folder = tmp_path / 'whole'
    (folder / 'bbox-000004-000006.json').unlink()
    fill(folder, Computer(), range(8), chunk=3)
    assert contents(folder) == whole


def test_finished_folder_computes_nothing(whole, tmp_path):
    again = Computer()
    fill(tmp_path / 'whole', again, range(8), chunk=3)
    assert again.asked == [] and contents(tmp_path / 'whole') == whole


def test_ranges_fill_one_folder(whole, tmp_path):
    folder = tmp_path / 'a'
    for numbers in (range(3, 8), range(3)):
        fill(folder, Computer(), numbers, chunk=3)
    assert contents(folder) == whole


def test_trial_of_a_few_images_is_not_repeated(tmp_path):
    fill(tmp_path, Computer(), range(2), chunk=3)
    rest = Computer()
    fill(tmp_path, rest, range(8), chunk=3)
    assert rest.asked == [2, 3, 4, 5, 6, 7]
    assert {name for name in names_in(tmp_path) if name.startswith('segm')} == {
        'segm-000001-000002.json', 'segm-000003-000003.json', 'segm-000004-000006.json',
        'segm-000007-000008.json'}
    assert len(list(read_proposals(tmp_path))) == 8


def test_kept_images_wait_for_the_run_that_wants_them(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fill(tmp_path, Computer(at5=KeyboardInterrupt()), range(8))
    few, rest = Computer(), Computer()
    fill(tmp_path, few, range(2))
    fill(tmp_path, rest, range(8))
    assert few.asked == [] and rest.asked == [5, 6, 7]
    assert names_in(tmp_path) == ['bbox-000001-000002.json', 'bbox-000003-000008.json', 'results.sqlite',
                                  'segm-000001-000002.json', 'segm-000003-000008.json', 'settings.json']


def test_damaged_image_is_reported_and_comes_later(tmp_path):
    error = ImageError('The image c is damaged.')
    assert fill(tmp_path, Computer(at2=error), range(5), chunk=5) == {2: error}
    assert [image_id for image_id, _ in read_proposals(tmp_path)] == [100, 101, 103, 104]
    repaired = Computer()
    assert fill(tmp_path, repaired, range(5), chunk=5) == {}
    assert repaired.asked == [2] and len(list(read_proposals(tmp_path))) == 5


def test_image_without_proposals_is_done(tmp_path):
    again = Computer()
    fill(tmp_path, lambda number: [], range(2))
    fill(tmp_path, again, range(2))
    assert again.asked == [] and list(read_proposals(tmp_path)) == []


def test_proposal_without_a_mask_is_an_error(tmp_path):
    box = {'image_id': 1, 'category_id': 1, 'score': 0.5, 'bbox': [1, 2, 3, 4]}
    with pytest.raises(DatasetError, match='keeps a result of image 1 without segmentation'):
        fill(tmp_path, lambda number: [box], range(1))


def test_other_settings_need_another_folder(whole, tmp_path):
    with pytest.raises(DatasetError, match='n is 3 there and 4 here.*--overwrite'):
        fill(tmp_path / 'whole', Computer(), range(8), {**SETTINGS, 'n': 4}, chunk=3)
    with pytest.raises(DatasetError, match='chunk is 3 there and 2 here'):
        fill(tmp_path / 'whole', Computer(), range(8), chunk=2)


def test_overwrite_starts_over(whole, tmp_path):
    folder, again = tmp_path / 'whole', Computer()
    (folder / 'mine.txt').write_text('mine')
    fill(folder, again, range(2), {'n': 4}, chunk=9, overwrite=True)
    assert again.asked == [0, 1]
    assert names_in(folder) == ['bbox-000001-000002.json', 'mine.txt', 'results.sqlite',
                                'segm-000001-000002.json', 'settings.json']
    assert kept(folder / 'results.sqlite')[0] == {'n': 4, 'chunk': 9}


def test_settings_are_written_beside_the_proposals(whole):
    assert json.loads(whole['settings.json']) == {**SETTINGS, 'chunk': 3}
