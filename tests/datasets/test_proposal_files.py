"""Files of proposals: read image by image, whoever wrote them, and refused in one sentence."""

import json
import tracemalloc

import numpy as np
import pytest

from chainer_seg.datasets import read_proposal_instances, read_proposals
from chainer_seg.datasets.proposal_files import match_images, proposal_results
from chainer_seg.errors import DatasetError
from chainer_seg.instances import Instances

CODE = {'size': [4, 5], 'counts': '52='}  # 5 off, 2 on, 13 off: rows 1 and 2 of column 1


def result(image_id=7, score=0.5, **fields):
    fields = fields or {'segmentation': CODE}
    return {'image_id': image_id, 'category_id': 1, 'score': score, **fields}


@pytest.fixture
def write(tmp_path):
    """Writes a JSON value, or text as it stands, and gives the path."""
    def write_file(value, name='proposals.json'):
        path = tmp_path / name
        path.write_text(value if isinstance(value, str) else json.dumps(value))
        return path
    return write_file


def test_results_come_image_by_image(write):
    path = write([result(7, 0.5), result(7, 0.25), result(9, 1)])
    assert list(read_proposals(path)) == [(7, [result(7, 0.5), result(7, 0.25)]), (9, [result(9, 1)])]


def test_several_files_are_one(write):
    paths = [write([result(7)], 'a.json'), write([result(3)], 'b.json')]
    assert [image_id for image_id, _ in read_proposals(paths)] == [7, 3]


def test_of_a_folder_the_segments_are_read(write, tmp_path):
    write({'n': 5}, 'settings.json')
    write([result(2, bbox=[1, 2, 3, 4])], 'bbox-000001-000500.json')
    assert [image_id for image_id, _ in read_proposals(tmp_path)] == [2]
    write([result(9)], 'segm-000501-001000.json')
    write([result(8)], 'segm-000001-000500.json')
    assert [image_id for image_id, _ in read_proposals(tmp_path)] == [8, 9]


def test_any_json_of_another_folder_is_read(write, tmp_path):
    write([result(1)], 'b.json')
    write([result(2)], 'a.json')
    assert [image_id for image_id, _ in read_proposals(tmp_path)] == [2, 1]


def test_codes_are_compressed(write):
    path = write([result(segmentation={'size': [4, 5], 'counts': [5, 2, 13]})])
    [(_, [read])] = read_proposals(path)
    assert read['segmentation']['counts'] in ('52=', b'52=')


def test_category_may_be_missing(write):
    entry = result()
    del entry['category_id']
    [(_, [read])] = read_proposals(write([entry]))
    assert read['category_id'] == 1


def test_instances_are_the_best_first(write):
    masks = np.zeros((3, 40, 50), bool)
    masks[0, 3:9, 4:20], masks[1, :2, :3], masks[2, 30:, 40:] = True, True, True
    proposals = Instances(masks, scores=[0.2, 0.9, 0.5])
    path = write(proposals.to_coco_results(3) + proposals[:1].to_coco_results(5))
    (first, three), (second, one) = read_proposal_instances(path)
    assert (first, second) == (3, 5) and len(one) == 1
    np.testing.assert_array_equal(three.masks, masks[[1, 2, 0]])
    np.testing.assert_array_equal(three.bboxes, proposals.bboxes[[1, 2, 0]])
    np.testing.assert_allclose(three.scores, [0.9, 0.5, 0.2])
    [(_, two), _] = read_proposal_instances(path, n=2)
    np.testing.assert_array_equal(two.masks, masks[[1, 2]])


def test_memory_is_that_of_one_image(write, tmp_path):
    entries = [json.dumps(result(image, segmentation={'size': [4, 5], 'counts': '52='},
                                 padding='x' * 500)) for image in range(200) for _ in range(40)]
    path = write('[' + ','.join(entries) + ']')
    assert path.stat().st_size > 4_000_000
    tracemalloc.start()
    assert sum(len(results) for _, results in read_proposals(path)) == 8000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 500_000


def test_boxes_are_no_masks(write):
    path = write([result(bbox=[1, 2, 3, 4])])
    assert list(read_proposals(path)) == [(7, [result(bbox=[1, 2, 3, 4])])]
    with pytest.raises(DatasetError, match='contains boxes only'):
        list(read_proposal_instances(path))


def test_empty_list_has_no_images(write):
    assert list(read_proposals(write('[]\n'))) == []


def test_images_must_stand_together(write):
    path = write([result(7), result(8), result(7)])
    with pytest.raises(DatasetError, match='proposals of the image 7 in several places'):
        list(read_proposals(path))


@pytest.mark.parametrize('content, sentence', [
    ('', 'not a file of proposals'),
    ('{"images": []}', 'not a file of proposals'),
    ('[{"image_id": 7, "score": 0.5, "bbox": [1, 2, 3, 4]}', 'ends too early or is damaged'),
    ('[{"image_id": 7, "sco', 'ends too early or is damaged'),
    ('[{"image_id": 7, "score": 0.5} oops', 'has neither a segmentation'),
    ('[{"image_id": 7, oops', 'JSON|damaged'),
    ('[3]', 'Result 1 of .* has no image_id'),
    ([result(), result(score='high')], 'Result 2 of .* has no score'),
    ([result(score=float('nan'))], 'JSON|damaged|no score'),
    ([result(bbox=[1, 2, 3])], 'neither a segmentation nor a box of four numbers'),
    ([result(segmentation=[[1, 2, 3, 4, 5, 6]])], 'run-length '),
    ([result(segmentation={'size': [4, 5], 'counts': '52T'})], 'damaged: the run-length '),
    ([result(segmentation={'size': [400, 500], 'counts': '52='})], 'damaged: .* covers 20 pixels'),
    ([result(segmentation={'size': [4, -5], 'counts': '52='})], 'not a height and a width'),
    ([{**result(), 'keypoints': [1, 2]}], 'keypoints that are not three numbers each'),
    ([{**result(), 'category_id': None}], 'category_id that is neither a number nor text')])
def test_wrong_files_are_one_sentence(write, content, sentence):
    with pytest.raises(DatasetError, match=sentence) as caught:
        list(read_proposals(write(content)))
    assert 'proposals.json' in str(caught.value)


def test_binary_file_is_one_sentence(tmp_path):
    path = tmp_path / 'a.json'
    path.write_bytes(b'[\xff\xfe\x00')
    with pytest.raises(DatasetError, match='a.json'):
        list(read_proposals(path))


def test_missing_file_and_empty_folder_are_named(tmp_path):
    with pytest.raises(DatasetError, match='no file or folder of proposals .*nothing'):
        list(read_proposals(tmp_path / 'nothing'))
    with pytest.raises(DatasetError, match='contains no files of proposals'):
        list(read_proposals(tmp_path))


CODE = {'size': [4, 5], 'counts': 'd0'}


@pytest.mark.parametrize('results', [
    [{'image_id': 7, 'score': 0.5, 'segmentation': CODE},
     {'image_id': 7, 'score': 0.5, 'segmentation': {'size': [5, 4], 'counts': 'd0'}}],
    [{'image_id': 7, 'score': 0.5, 'segmentation': CODE},
     {'image_id': 7, 'score': 0.4, 'bbox': [1, 2, 3, 4]}],
    [{'image_id': 7, 'score': 0.5, 'segmentation': CODE, 'category_id': 'a'}],
    [{'image_id': 7, 'score': 0.5, 'segmentation': CODE, 'keypoints': [1, 2, 3]},
     {'image_id': 7, 'score': 0.4, 'segmentation': CODE, 'keypoints': [1, 2, 3] * 2}]])
def test_results_that_do_not_fit_each_other_are_one_sentence(write, results):
    with pytest.raises(DatasetError, match='proposals.json'):
        list(read_proposal_instances(write(results)))


def test_ids_written_as_floats_are_numbers(write):
    [(image_id, [read])] = read_proposals(write([result(7.0)]))
    assert type(image_id) is int and type(read['image_id']) is int


@pytest.mark.parametrize('theirs, mine', [('7', 7), (7, '7'), ('7.0', 7), ('007', 7)])
def test_ids_of_another_type_are_matched_and_reported_once(caplog, theirs, mine):
    files = [(theirs, ['a']), (8, ['b'])]
    assert list(match_images(files, [mine, 8])) == [(mine, ['a']), (8, ['b'])]
    assert len(caplog.records) == 1 and '1 image ids' in caplog.text


def test_results_of_other_images_are_counted_with_an_example(caplog):
    assert list(match_images([(7, ['a']), (5, ['b']), ('x', ['c'])], [7])) == [(7, ['a'])]
    assert len(caplog.records) == 1 and 'of 2 images' in caplog.text and 'image 5' in caplog.text


def test_one_image_under_two_ids_is_rejected():
    with pytest.raises(DatasetError, match="under two ids, 7 and '7'"):
        list(match_images([(7, ['a']), ('7', ['b'])], [7]))


@pytest.mark.parametrize('counts', [[5, 2], [21], '5', 'zz'])
def test_codes_in_results_that_come_from_elsewhere_are_checked(counts):
    # pycocotools walks for ever along two codes of which one is shorter.
    with pytest.raises(DatasetError, match='A proposal cannot be used: the run-length '):
        proposal_results([result(segmentation={'size': [4, 5], 'counts': counts})])
