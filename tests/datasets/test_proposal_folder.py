"""A folder of proposals: whole files, no image twice or lost, however the runs before it ended."""

import errno
import json
import os

import numpy as np
import pytest
from pycocotools.coco import COCO

from chainer_seg.datasets import ProposalFolder, read_proposals
from chainer_seg.errors import DatasetError, DiskFullError, ImageError
from chainer_seg.instances import Instances
from tests.folders import contents, names_in

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


@pytest.fixture
def whole(tmp_path):
    """What a run without interruption leaves of eight images, three to a file."""
    folder = tmp_path / 'whole'
    ProposalFolder(folder, SETTINGS, chunk=3).fill(Computer(), range(8))
    return contents(folder)


def test_files_hold_segments_and_boxes_in_chunks(whole, tmp_path):
    assert set(whole) == {'settings.json', *(
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


def test_killed_run_resumes_where_it_was(whole, tmp_path):
    folder = tmp_path / 'a'
    for number in (4, 5, 7):  # Killed while it works on these images, one after the other.
        with pytest.raises(KeyboardInterrupt):
            ProposalFolder(folder, SETTINGS, chunk=3).fill(
                Computer(**{f'at{number}': KeyboardInterrupt()}), range(8))
    last = Computer()
    ProposalFolder(folder, SETTINGS, chunk=3).fill(last, range(8))
    assert last.asked == [7]
    assert contents(folder) == whole


def test_line_that_was_half_written_is_computed_again(whole, tmp_path):
    folder = tmp_path / 'a'
    with pytest.raises(KeyboardInterrupt):
        ProposalFolder(folder, SETTINGS, chunk=3).fill(Computer(at2=KeyboardInterrupt()), range(8))
    journal = folder / 'journal-000001.jsonl'
    journal.write_bytes(journal.read_bytes()[:-10])
    again = Computer()
    ProposalFolder(folder, SETTINGS, chunk=3).fill(again, range(8))
    assert again.asked == list(range(1, 8))
    assert contents(folder) == whole


def test_run_killed_between_the_two_kinds_writes_both(whole, tmp_path):
    folder = tmp_path / 'whole'
    (folder / 'bbox-000004-000006.json').unlink()
    ProposalFolder(folder, SETTINGS, chunk=3).fill(Computer(), range(8))
    assert contents(folder) == whole


def test_run_killed_while_it_writes_a_file_leaves_nothing(whole, tmp_path):
    folder = tmp_path / 'whole'
    (folder / 'segm-000004-000006.json').rename(folder / '.segm-000004-000006-x7k2.json')
    ProposalFolder(folder, SETTINGS, chunk=3).fill(Computer(), range(8))
    assert contents(folder) == whole


def test_finished_folder_computes_nothing(whole, tmp_path):
    again, folder = Computer(), ProposalFolder(tmp_path / 'whole', SETTINGS, chunk=3)
    folder.fill(again, range(8))
    assert again.asked == [] and folder.missing(range(8)) == []


def test_progress_is_told_of_what_is_computed(tmp_path):
    folder, seen = ProposalFolder(tmp_path, SETTINGS, chunk=3), []
    with pytest.raises(KeyboardInterrupt):
        folder.fill(Computer(at5=KeyboardInterrupt()), range(8))
    assert folder.missing(range(8)) == [5, 6, 7]
    folder.fill(Computer(at6=ImageError('')), range(8), progress=lambda: seen.append(1))
    assert len(seen) == 3


def test_ranges_fill_one_folder(whole, tmp_path):
    folder = tmp_path / 'a'
    for numbers in (range(3, 8), range(3)):
        ProposalFolder(folder, SETTINGS, chunk=3).fill(Computer(), numbers)
    assert contents(folder) == whole


def test_trial_of_a_few_images_is_not_repeated(tmp_path):
    ProposalFolder(tmp_path, SETTINGS, chunk=3).fill(Computer(), range(2))
    rest = Computer()
    ProposalFolder(tmp_path, SETTINGS, chunk=3).fill(rest, range(8))
    assert rest.asked == [2, 3, 4, 5, 6, 7]
    assert {name for name in names_in(tmp_path) if name.startswith('segm')} == {
        'segm-000001-000002.json', 'segm-000003-000003.json', 'segm-000004-000006.json',
        'segm-000007-000008.json'}
    assert len(list(read_proposals(tmp_path))) == 8


def test_journal_is_kept_for_who_wants_more_of_the_chunk(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        ProposalFolder(tmp_path, SETTINGS).fill(Computer(at5=KeyboardInterrupt()), range(8))
    few, rest = Computer(), Computer()
    ProposalFolder(tmp_path, SETTINGS).fill(few, range(2))
    ProposalFolder(tmp_path, SETTINGS).fill(rest, range(8))
    assert few.asked == [] and rest.asked == [5, 6, 7]
    assert names_in(tmp_path) == ['bbox-000001-000002.json', 'bbox-000003-000008.json',
                               'segm-000001-000002.json', 'segm-000003-000008.json', 'settings.json']


def test_damaged_image_is_reported_and_comes_later(tmp_path):
    folder, error = ProposalFolder(tmp_path, SETTINGS, chunk=5), ImageError('The image c is damaged.')
    assert folder.fill(Computer(at2=error), range(5)) == [(2, error)]
    assert [image_id for image_id, _ in read_proposals(tmp_path)] == [100, 101, 103, 104]
    mended = Computer()
    assert folder.fill(mended, range(5)) == []
    assert mended.asked == [2] and len(list(read_proposals(tmp_path))) == 5


def test_image_without_proposals_is_done(tmp_path):
    folder, again = ProposalFolder(tmp_path, SETTINGS), Computer()
    folder.fill(lambda number: [], range(2))
    folder.fill(again, range(2))
    assert again.asked == [] and list(read_proposals(tmp_path)) == []


def test_full_disk_is_one_sentence_and_loses_nothing(tmp_path, monkeypatch):
    def no_room(descriptor):
        raise OSError(errno.ENOSPC, 'No space left on device')

    folder = ProposalFolder(tmp_path, SETTINGS, chunk=4)
    folder.fill(Computer(), range(4))
    with monkeypatch.context() as patch:
        patch.setattr(os, 'fsync', no_room)
        with pytest.raises(DiskFullError, match='journal-000005.* the disk is full'):
            folder.fill(Computer(), range(8))
    rest = Computer()
    folder.fill(rest, range(8))
    assert len(list(read_proposals(tmp_path))) == 8


def test_what_fitted_on_the_disk_is_kept(tmp_path):
    resource = pytest.importorskip('resource')
    folder = ProposalFolder(tmp_path, SETTINGS)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    line = len(json.dumps({'number': 0, 'results': proposals(0)}))
    resource.setrlimit(resource.RLIMIT_FSIZE, (3 * line, limits[1]))
    try:
        with pytest.raises(DiskFullError, match='journal-000001.* the disk is full'):
            folder.fill(Computer(), range(8))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    rest = Computer()
    folder.fill(rest, range(8))
    assert rest.asked in ([2, 3, 4, 5, 6, 7], [3, 4, 5, 6, 7])  # Lines differ a little in length.
    assert len(list(read_proposals(tmp_path))) == 8


def test_other_settings_need_another_folder(whole, tmp_path):
    with pytest.raises(DatasetError, match='n is 3 there and 4 here.*--overwrite'):
        ProposalFolder(tmp_path / 'whole', {**SETTINGS, 'n': 4}, chunk=3)
    with pytest.raises(DatasetError, match='chunk is 3 there and 2 here'):
        ProposalFolder(tmp_path / 'whole', SETTINGS, chunk=2)


def test_overwrite_starts_again(whole, tmp_path):
    folder, again = tmp_path / 'whole', Computer()
    (folder / 'mine.txt').write_text('mine')
    ProposalFolder(folder, {'n': 4}, chunk=9, overwrite=True).fill(again, range(2))
    assert again.asked == [0, 1]
    assert names_in(folder) == ['bbox-000001-000002.json', 'mine.txt', 'segm-000001-000002.json',
                             'settings.json']


def test_damaged_or_missing_settings_are_reported(whole, tmp_path):
    path = tmp_path / 'whole' / 'settings.json'
    path.write_text('{')
    with pytest.raises(DatasetError, match='settings.json is damaged'):
        ProposalFolder(path.parent, SETTINGS, chunk=3)
    path.unlink()
    with pytest.raises(DatasetError, match='nobody knows the settings of'):
        ProposalFolder(path.parent, SETTINGS, chunk=3)


def test_file_is_no_folder(tmp_path):
    (tmp_path / 'a').write_text('')
    with pytest.raises(DatasetError, match='is a file; name a folder'):
        ProposalFolder(tmp_path / 'a', SETTINGS)


def test_two_runs_do_not_write_the_same_images(tmp_path):
    pytest.importorskip('fcntl')

    def compute(number):
        with pytest.raises(DatasetError, match='Another run is computing the same images'):
            ProposalFolder(tmp_path, SETTINGS).fill(Computer(), range(2))
        return proposals(number)

    ProposalFolder(tmp_path, SETTINGS).fill(compute, range(1))
    assert len(list(read_proposals(tmp_path))) == 1
