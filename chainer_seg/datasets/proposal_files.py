"""Reading files of proposals: COCO result lists, ours and the published ones, image by image.

Such a file is one JSON list of dicts with ``image_id``, ``score`` and a ``segmentation`` (run-length
code) or a ``bbox`` (x, y, width, height). With 1000 proposals for each of 500 images it is as large as
the memory of a small machine, so it is never read as a whole.
"""

import itertools
import pathlib

import ijson

from chainer_seg import boxes
from chainer_seg.datasets.coco_json import is_id, is_number
from chainer_seg.datasets.segmentations import segmentation_to_rle
from chainer_seg.errors import DatasetError, quoted, shortened
from chainer_seg.instances import Instances
from chainer_seg.mask_runs import check_room

KINDS = ('segm', 'bbox')


def proposal_results(proposals, image_id=0):
    """Proposals in any form as COCO result dicts, JSON-ready.

    Args:
        proposals: :class:`chainer_seg.Instances`; what ``model.propose_rle`` gives; or result dicts,
            which are returned as they are.
        image_id: The image's id in its annotation file.

    Returns:
        list of dicts of ``image_id``, ``category_id`` (1), ``score``, ``segmentation`` and ``bbox``.
    """
    if isinstance(proposals, Instances):
        return proposals.to_coco_results(image_id)
    if not hasattr(proposals, 'codes'):
        return proposals
    return [{'image_id': image_id, 'category_id': 1, 'segmentation': code, 'bbox': box, 'score': score}
            for code, box, score in zip(proposals.codes, boxes.to_xywh(proposals.bboxes).tolist(),
                                        proposals.scores.tolist())]


def read_proposals(path):
    """Proposals image by image, from files of any size.

    Args:
        path: A JSON file, a folder of them, or a list of both. Of a folder that
            ``compute_proposals.py`` wrote, the segments are read, or the boxes if there is nothing
            else; of another folder, every ``.json`` file, by name.

    Yields:
        (image id, list of COCO result dicts of that image), in the order of the files; run-length
        codes are checked and compressed.

    Raises:
        chainer_seg.errors.DatasetError: A file is missing, cut short or something else; a result is
            damaged; or the results of an image do not stand together.
    """
    paths = path if isinstance(path, (list, tuple)) else [path]
    seen = set()
    for file in itertools.chain.from_iterable(map(_files_of, paths)):
        results = _results_of(file)
        for image_id, group in itertools.groupby(results, key=lambda result: result['image_id']):
            if image_id in seen:
                raise DatasetError(f'{file} has more proposals of the image {quoted(image_id)}, which '
                                   f'has come before; give each image once and keep its proposals '
                                   f'together.')
            seen.add(image_id)
            yield image_id, list(group)


def read_proposal_instances(path, n=None):
    """The same as :class:`chainer_seg.Instances`, best first.

    Args:
        path: As of :func:`read_proposals`.
        n: Keep so many of an image; all if left out. Masks need H * W bytes each.

    Yields:
        (image id, Instances).

    Raises:
        chainer_seg.errors.DatasetError: As :func:`read_proposals`, and for files of boxes, which
            cannot be turned into masks.
    """
    for image_id, results in read_proposals(path):
        if not all('segmentation' in result for result in results):
            raise DatasetError(f'{path} holds boxes only; give the files of segments.')
        best = sorted(results, key=lambda result: -result['score'])[:n]
        try:
            size = tuple(best[0]['segmentation']['size'])
            check_room(len(best), size)
            found = Instances.from_coco_results(best, size)
        except (ValueError, TypeError, OverflowError) as error:
            raise DatasetError(f'The proposals of the image {quoted(image_id)} in {path} do not fit '
                               f'each other: {shortened(str(error))}.') from error
        yield image_id, found


def _files_of(path):
    path = pathlib.Path(path)
    if not path.exists():
        raise DatasetError(f'There is no file or folder of proposals {path}; check the path.')
    if not path.is_dir():
        return [path]
    for pattern in (*(f'{kind}-*.json' for kind in KINDS), '*.json'):
        found = sorted(path.glob(pattern))
        if found:
            return found
    raise DatasetError(f'The folder {path} holds no files of proposals.')


def _results_of(path):
    """The checked result dicts of one file."""
    try:
        with open(path, 'rb') as file:
            start = file.read(1024).lstrip()[:1]
            if start != b'[':
                raise DatasetError(f'{path} is no file of proposals, which is a JSON list of results.')
            file.seek(0)
            for number, result in enumerate(ijson.items(file, 'item', use_float=True)):
                yield _checked(result, path, number)
    except ijson.IncompleteJSONError as error:
        raise DatasetError(f'{path} ends too early or is damaged; copy or compute it again.') from error
    except (ijson.JSONError, UnicodeDecodeError) as error:
        raise DatasetError(f'{path} is not valid JSON; copy or compute it again.') from error
    except OSError as error:
        raise DatasetError(f'{path} cannot be read: {error.strerror}.') from error


def _checked(result, path, number):
    if not isinstance(result, dict) or not is_id(result.get('image_id')):
        raise _fault(path, number, 'has no image_id')
    if not is_number(result.get('score')):
        raise _fault(path, number, 'has no score')
    if not is_id(result.get('category_id', 1)):
        raise _fault(path, number, 'has a category_id that is no number or text')
    box, points = result.get('bbox'), result.get('keypoints', [])
    if 'bbox' in result and not (_are_numbers(box) and len(box) == 4):
        raise _fault(path, number, 'has neither a segmentation nor a box of four numbers')
    if not _are_numbers(points) or len(points) % 3:
        raise _fault(path, number, 'has keypoints that are not three numbers each')
    if 'segmentation' in result:
        return {'category_id': 1, **result, 'segmentation': _code_of(result, path, number)}
    if 'bbox' not in result:
        raise _fault(path, number, 'has neither a segmentation nor a box of four numbers')
    return {'category_id': 1, **result}


def _are_numbers(values):
    return isinstance(values, list) and all(map(is_number, values))


def _code_of(result, path, number):
    code = result['segmentation']
    size = code.get('size') if isinstance(code, dict) else None
    if not isinstance(size, list) or len(size) != 2 or not all(
            isinstance(side, int) and 0 < side < 1 << 20 for side in size):
        raise _fault(path, number, 'has a segmentation that is no run-length code')
    try:
        return segmentation_to_rle(code, size)
    except ValueError as error:
        raise _fault(path, number, f'is damaged: {error}') from error


def _fault(path, number, what):
    return DatasetError(f'Result {number + 1} of {path} {shortened(what)}; copy or compute the file '
                        f'again.')
