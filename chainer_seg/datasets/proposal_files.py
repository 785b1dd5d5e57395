"""Reads files of proposals, COCO result lists of our own or published ones, image by image.

Such a file is one JSON list of dicts with ``image_id``, ``score`` and a ``segmentation`` (run-length
encoding) or a ``bbox`` (x, y, width, height). With 1000 proposals for each of 500 images it is as large
as the memory of a small machine, so it is never loaded as a whole.
"""

import itertools
import logging
import os
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import ijson
import msgspec
import numpy as np
import numpy.typing as npt

from chainer_seg import boxes, schema
from chainer_seg.datasets.coco_json import Ids, as_id, is_id, is_number
from chainer_seg.errors import DatasetError, UserError, quoted, shortened
from chainer_seg.instances import Instances
from chainer_seg.rle import check_memory
from chainer_seg.rle import checked_rle

log = logging.getLogger(__name__)

KINDS = ('segm', 'bbox')


class RleProposals(NamedTuple):
    """The proposals for one image, the best first, with masks as run-length encodings.

    Attributes:
        codes: COCO's compressed run-length encodings, JSON-ready dicts of ``size`` and ``counts``.
        bboxes: (R, 4) float32, (y_min, x_min, y_max, x_max) in pixels, tight around the masks.
        scores: (R,) float32 in [0, 1].
        scales: (R,) float32, the scale of the image pyramid of each proposal.
    """

    codes: list[dict[str, Any]]
    bboxes: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    scales: npt.NDArray[np.float32]


def proposal_results(proposals: Any, image_id: int | str = 0) -> list[dict[str, Any]]:
    """Proposals in any form as COCO result dicts, JSON-ready.

    Args:
        proposals: :class:`chainer_seg.Instances`; :class:`RleProposals`; or result dicts, whose
            run-length encodings are checked and compressed.
        image_id: The image's id in its annotation file.

    Returns:
        Dicts of ``image_id``, ``category_id`` (1), ``score``, ``segmentation`` and ``bbox``.

    Raises:
        chainer_seg.errors.DatasetError: A run-length encoding is damaged.
    """
    if isinstance(proposals, Instances):
        return proposals.to_coco_results(image_id)
    if isinstance(proposals, _CheckedResults):
        return proposals
    if not isinstance(proposals, RleProposals):
        return _check_results(proposals)
    return [{'image_id': image_id, 'category_id': 1, 'segmentation': code, 'bbox': box, 'score': score}
            for code, box, score in zip(proposals.codes, boxes.to_xywh(proposals.bboxes).tolist(),
                                        proposals.scores.tolist())]


def read_proposals(path: str | os.PathLike | Sequence[str | os.PathLike]
                   ) -> Iterator[tuple[int | str, list[dict[str, Any]]]]:
    """Proposals image by image, from files of any size.

    Args:
        path: A JSON file, a folder of them, or a list of both. In a folder written by
            ``chainer-seg propose``, the files of segments are read, or those of boxes if there are no
            others; in other folders, all ``.json`` files in the order of their names.

    Yields:
        (image id, list of COCO result dicts of that image), in the order of the files; run-length
        encodings are checked and compressed.

    Raises:
        chainer_seg.errors.DatasetError: A file is missing, truncated or no list of proposals; a result
            is damaged; or the results of an image are not consecutive.
    """
    paths = path if isinstance(path, (list, tuple)) else [path]
    seen = set()
    for file in itertools.chain.from_iterable(map(_files_of, paths)):
        results = _results_of(file)
        for image_id, group in itertools.groupby(results, key=lambda result: result['image_id']):
            if image_id in seen:
                raise DatasetError(f'{file} has proposals of the image {quoted(image_id)} in several '
                                   f'places; give each image once, with all proposals together.')
            seen.add(image_id)
            yield image_id, _CheckedResults(group)


def match_images(files: Iterable[tuple[int | str, list[dict[str, Any]]]], ids: Iterable[int | str]
                 ) -> Iterator[tuple[int | str, list[dict[str, Any]]]]:
    """The results of :func:`read_proposals` by the image ids of a data set.

    Args:
        files: Pairs of an image id and its results. Text ids match the numbers of the data set and vice
            versa, with one warning.
        ids: The image ids of the data set. Results of other images are skipped with a warning.

    Yields:
        (one of ``ids``, the results).

    Raises:
        chainer_seg.errors.DatasetError: There are results of an image under two ids.
    """
    known, lost = Ids(ids), []
    given: dict[int | str, int | str] = {}
    for image_id, results in files:
        found = known.find(image_id)
        if found is None:
            lost.append(image_id)
            continue
        if found in given:
            raise DatasetError(f'There are proposals of the image {found} under two ids, '
                               f'{quoted(given[found])} and {quoted(image_id)}; give them once.')
        given[found] = image_id
        yield found, results
    other = [(mine, theirs) for mine, theirs in given.items() if mine != theirs]
    if other:
        log.warning('%d image ids of the proposals are text where the data set has numbers, or vice '
                    'versa; they are matched, such as %r with %r', len(other), *other[0][::-1])
    if lost:
        log.warning('proposals of %d images that are not evaluated are skipped, such as those of the '
                    'image %s', len(lost), quoted(lost[0]))


def read_proposal_instances(path: str | os.PathLike | Sequence[str | os.PathLike], n: int | None = None
                            ) -> Iterator[tuple[int | str, Instances]]:
    """Proposals image by image as :class:`chainer_seg.Instances`, the best first.

    Args:
        path: As in :func:`read_proposals`.
        n: Keep the best N of each image; all by default. Each mask needs H * W bytes.

    Yields:
        (image id, Instances).

    Raises:
        chainer_seg.errors.DatasetError: As :func:`read_proposals`, or the files contain boxes only,
            which have no masks.
    """
    for image_id, results in read_proposals(path):
        if not all('segmentation' in result for result in results):
            raise DatasetError(f'{path} contains boxes only; give the files of segments.')
        best = sorted(results, key=lambda result: -result['score'])[:n]
        try:
            height, width = best[0]['segmentation']['size']
            size = height, width
            check_memory(len(best), size)
            found = Instances.from_coco_results(best, size)
        except (ValueError, TypeError, OverflowError, UserError) as error:
            raise DatasetError(f'The proposals of the image {quoted(image_id)} in {path} are '
                               f'inconsistent: {shortened(str(error))}.') from error
        yield image_id, found


def _files_of(path: str | os.PathLike) -> list[pathlib.Path]:
    path = pathlib.Path(path)
    if not path.exists():
        raise DatasetError(f'There is no file or folder of proposals {path}; check the path.')
    if not path.is_dir():
        return [path]
    for pattern in (*(f'{kind}-*.json' for kind in KINDS), '*.json'):
        found = sorted(path.glob(pattern))
        if found:
            return found
    raise DatasetError(f'The folder {path} contains no files of proposals; check the path.')


def _results_of(path: pathlib.Path) -> Iterator[dict[str, Any]]:
    """The checked result dicts of one file."""
    try:
        with open(path, 'rb') as file:
            start = file.read(1024).lstrip()[:1]
            if start != b'[':
                raise DatasetError(f'{path} is not a file of proposals, which is a JSON list of results.')
            file.seek(0)
            for number, result in enumerate(ijson.items(file, 'item', use_float=True)):
                yield _checked(result, path, number)
    except ijson.IncompleteJSONError as error:
        raise DatasetError(f'{path} ends too early or is damaged; copy or compute it again.') from error
    except (ijson.JSONError, UnicodeDecodeError) as error:
        raise DatasetError(f'{path} is not valid JSON; copy or compute it again.') from error
    except OSError as error:
        raise DatasetError(f'{path} cannot be read: {error.strerror}.') from error


def _checked(result: Any, path: pathlib.Path, number: int) -> dict[str, Any]:
    image_id = as_id(result.get('image_id')) if isinstance(result, dict) else None
    if image_id is None:
        raise _fault(path, number, 'has no image_id')
    if not is_number(result.get('score')):
        raise _fault(path, number, 'has no score')
    if not is_id(result.get('category_id', 1)):
        raise _fault(path, number, 'has a category_id that is neither a number nor text')
    result = {'category_id': 1, **result, 'image_id': image_id}
    box, points = result.get('bbox'), result.get('keypoints', [])
    if 'bbox' in result and not (_are_numbers(box) and len(box) == 4):
        raise _fault(path, number, 'has neither a segmentation nor a box of four numbers')
    if not _are_numbers(points) or len(points) % 3:
        raise _fault(path, number, 'has keypoints that are not three numbers each')
    if 'segmentation' in result:
        try:
            return {**result, 'segmentation': checked_rle(result['segmentation'])}
        except ValueError as error:
            raise _fault(path, number, f'is damaged: {error}') from error
    if 'bbox' not in result:
        raise _fault(path, number, 'has neither a segmentation nor a box of four numbers')
    return result


def _are_numbers(values: Any) -> bool:
    return isinstance(values, list) and all(map(is_number, values))


class _Result(msgspec.Struct):
    """The required fields of a result dict besides its run-length encoding."""

    score: schema.Finite
    bbox: tuple[schema.Finite, schema.Finite, schema.Finite, schema.Finite] | msgspec.UnsetType = (
        msgspec.UNSET)


class _CheckedResults(list):
    """Result dicts of one image that have been checked."""


def _check_results(results: Any) -> '_CheckedResults':
    schema.check(results, list[_Result], 'The list of proposals', DatasetError)
    return _CheckedResults(map(_with_checked_rle, results))


def _with_checked_rle(result: dict[str, Any]) -> dict[str, Any]:
    if 'segmentation' not in result:
        return result
    try:
        return {**result, 'segmentation': checked_rle(result['segmentation'])}
    except ValueError as error:
        raise DatasetError(f'A proposal cannot be used: {error}.') from error


def _fault(path: pathlib.Path, number: int, what: str) -> DatasetError:
    return DatasetError(f'Result {number + 1} of {path} {shortened(what)}; copy or compute the file '
                        f'again.')
