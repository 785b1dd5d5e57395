"""The files of a prediction: the image or video with what was found drawn on it, and the results as JSON.

::

    from chainer_seg.jobs import image_inputs, predict, save_instances

    def detect(each):
        image = read_image(each.source)
        save_instances(each, image, model.detect(image))

    predict(image_inputs(paths, 'out'), detect, {'model': 'mask-rcnn'})
"""

import collections
import contextlib
import functools
import itertools
import logging
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from tqdm.auto import tqdm

from chainer_seg.files import atomic_write, json_list, write_json
from chainer_seg.images import write_image
from chainer_seg.instances import Instances
from chainer_seg.jobs.prediction import Input
from chainer_seg.label_images import write_label_image

if TYPE_CHECKING:
    from chainer_seg.datasets.proposal_files import RleProposals
    from chainer_seg.models.deeplab import Click

log = logging.getLogger(__name__)

Image = npt.NDArray[np.uint8]  # (H, W, 3) RGB


def save_instances(each: Input, image: Image, found: Instances, category_ids: Sequence[int] | None = None,
                   drawing: Mapping[str, Any] | None = None) -> Image:
    """Writes the objects of an image: an overlay, and COCO results.

    Args:
        each: The paths of the results.
        image: The image, (H, W, 3) uint8 RGB.
        found: Its objects.
        category_ids: The category id of each label; the labels from 1 by default.
        drawing: Options of :func:`chainer_seg.visualization.overlay_detections`.

    Returns:
        The overlay, (H, W, 3) uint8 RGB.
    """
    from chainer_seg.visualization import overlay_detections
    overlay = overlay_detections(image, found, **(drawing or {}))
    write_image(each.overlay, overlay)
    write_json(each.results, [{**result, 'file_name': each.source.name}
                              for result in named_results(found, each.image_id, category_ids)])
    log.info('%s: %s; wrote %s and %s', each.source, describe_instances(found), each.overlay, each.results)
    return overlay


def save_proposals(each: Input, image: Image, found: 'RleProposals', drawn: int = 10) -> None:
    """Writes the proposals for an image: an overlay with the ``drawn`` best ones, and COCO results."""
    from chainer_seg.datasets.proposal_files import proposal_results
    write_image(each.overlay, overlay_proposals(image, found, drawn))
    write_json(each.results, [{**result, 'file_name': each.source.name}
                              for result in proposal_results(found, each.image_id)])
    log.info('%s: %s; wrote %s and .json', each.source, describe_proposals(found), each.overlay)
    for score, box, scale in zip(found.scores, found.bboxes.astype(int).tolist(), found.scales):
        log.debug('  score %.3f, x %d to %d, y %d to %d, found at scale %.3g',
                  score, box[1], box[3], box[0], box[2], scale)


def overlay_proposals(image: Image, found: 'RleProposals', drawn: int = 10) -> Image:
    """The image with the ``drawn`` best proposals drawn on it, (H, W, 3) uint8 RGB."""
    from chainer_seg.masks import runs_of_rle
    from chainer_seg.visualization import overlay_masks
    return overlay_masks(image, runs_of_rle(found.codes[:drawn], image.shape[:2]), contour=2)


def save_labels(each: Input, image: Image, labels: npt.NDArray[np.integer], class_names: Sequence[str], *,
                folder: pathlib.Path | None = None, probabilities: npt.NDArray[np.floating] | None = None,
                drawing: Mapping[str, Any] | None = None) -> None:
    """Writes the classes of an image's pixels: a label image, an overlay, and the share of each class.

    Args:
        each, image: As of :func:`save_instances`.
        labels: (H, W) int.
        class_names: The name of each label.
        folder: Where the label image goes, under the name of the image; beside the other results by default.
        probabilities: (classes, H, W), to be written as .npz.
        drawing: Options of :func:`chainer_seg.visualization.overlay_labels`.
    """
    from chainer_seg.visualization import overlay_labels
    stem = each.results.with_suffix('')
    label_image = pathlib.Path(f'{stem}_labels.png') if folder is None else folder / f'{stem.name}.png'
    written = [label_image, each.overlay, each.results]
    write_label_image(label_image, labels)
    write_image(each.overlay, overlay_labels(image, labels, class_names, **(drawing or {})))
    if probabilities is not None:
        written.append(pathlib.Path(f'{stem}_probabilities.npz'))
        with atomic_write(written[-1]) as temporary:
            np.savez_compressed(temporary, probabilities=probabilities, class_names=np.array(class_names))
    found = class_shares(labels, class_names)
    write_json(each.results, {'image': each.source.name, 'shares': found}, indent=2)
    log.info('%s: %s; wrote %s', each.source, ', '.join(
        f'{name} {100 * share:.1f}%' for name, share in found.items()), ', '.join(map(str, written)))


def save_click_mask(each: Input, image: Image, mask: npt.NDArray[np.bool_],
                    probability: npt.NDArray[np.floating], clicks: Sequence['Click'],
                    with_maps: bool = False) -> None:
    """Writes a clicked object: its mask, the probability, an overlay, and COCO results.

    Args:
        each, image: As of :func:`save_instances`.
        mask, probability: (H, W) of the object.
        clicks: The clicks on it.
        with_maps: Also write the click maps of the TensorFlow implementation.
    """
    from chainer_seg.datasets.click_files import MAPS_ENDING, write_maps
    from chainer_seg.models.deeplab.precomputed_clicks import maps_of_clicks
    from chainer_seg.visualization import overlay_clicks, overlay_masks
    stem = each.results.with_suffix('')
    instances = Instances(mask[None], scores=[probability[mask].mean() if mask.any() else 0])
    write_image(f'{stem}_mask.png', mask.astype(np.uint8) * 255)
    write_image(f'{stem}_probability.png', np.round(probability * 255).astype(np.uint8))
    write_image(each.overlay, overlay_clicks(overlay_masks(image, mask[None], contour=2), clicks))
    if with_maps:
        write_maps(f'{stem}{MAPS_ENDING}', maps_of_clicks(list(clicks), mask.shape))
    write_json(each.results, [{**result, 'file_name': each.source.name}
                              for result in instances.to_coco_results(each.image_id)])
    log.info('%s: %.1f%% of the image; wrote %s_mask.png, _probability.png, _overlay.png and .json%s',
             each.source, 100 * mask.mean(), stem, f' and {MAPS_ENDING}' if with_maps else '')


def save_instance_video(each: Input, detect: Callable[[Image], Instances],
                        category_ids: Sequence[int] | None = None, *, frames: int | None = None,
                        show_rate: bool = True, drawing: Mapping[str, Any] | None = None,
                        progress: bool = True, on_overlay: Callable[[Image], object] | None = None) -> None:
    """Finds the objects in a video's frames, and writes the annotated video and COCO results.

    Args:
        each: The video, or the number of a camera, and the paths of its results.
        detect: ``detect(frame)`` gives the objects of a frame.
        category_ids, drawing: As of :func:`save_instances`.
        frames: Number of frames after which the video is stopped.
        show_rate: Write the frames per second into the video.
        progress: Show a progress bar.
        on_overlay: Called with each annotated frame.

    Raises:
        KeyboardInterrupt: The video was interrupted; what there is by then has been written.
    """
    from chainer_seg.video import annotate_video
    with _results_of_frames(each) as add:
        def keep(number: int, found: Instances, overlay: Image) -> None:
            add(named_results(found, number, category_ids))
            if on_overlay is not None:
                on_overlay(overlay)

        annotate_video(detect, each.source, each.overlay, count=frames, show_rate=show_rate, drawing=drawing,
                       progress=functools.partial(tqdm, desc=str(each.source), unit='frame',
                                                  disable=not progress), on_frame=keep)


def save_label_video(each: Input, segment: Callable[[Image], npt.NDArray[np.integer]],
                     class_names: Sequence[str], *, frames: int | None = None,
                     drawing: Mapping[str, Any] | None = None, progress: bool = True) -> None:
    """Finds the classes in a video's frames, and writes the video with them and their shares.

    Args:
        each, frames, progress: As of :func:`save_instance_video`.
        segment: ``segment(frame)`` gives the labels (H, W) of a frame.
        class_names, drawing: As of :func:`save_labels`.

    Raises:
        KeyboardInterrupt: As of :func:`save_instance_video`.
    """
    from chainer_seg.video import VideoReader, VideoWriter
    from chainer_seg.visualization import overlay_labels
    with (_results_of_frames(each) as add, VideoReader(each.source) as reader,
          VideoWriter(each.overlay, reader.fps) as writer):
        known = [count for count in (reader.count, frames) if count is not None]
        bar = tqdm(itertools.islice(reader, frames), desc=reader.name, unit='frame',
                   total=min(known, default=None), disable=not progress)
        for number, frame in enumerate(bar):
            labels = segment(frame)
            writer.write(overlay_labels(frame, labels, class_names, **(drawing or {})))
            add([{'frame': number, 'shares': class_shares(labels, class_names)}])


@contextlib.contextmanager
def _results_of_frames(each: Input) -> Iterator[Callable[[Iterable[Any]], None]]:
    """Writes the results of a video: yields ``add(results)``, which is called once for each frame.

    After an interruption, the results of the frames until then are kept.
    """
    count, stopped = 0, None
    with json_list(each.results) as add_result:
        def add(results: Iterable[Any]) -> None:
            nonlocal count
            for result in results:
                add_result(result)
            count += 1

        try:
            yield add
        except KeyboardInterrupt as interrupt:
            if not count:
                raise
            stopped = interrupt
    if stopped is not None:
        raise type(stopped)(f'{count} frames are in {each.overlay} and {each.results}') from stopped
    log.info('%s: %d frames; wrote %s and %s', each.source, count, each.overlay, each.results)


def named_results(found: Instances, image_id: int, category_ids: Sequence[int] | None = None
                  ) -> list[dict[str, Any]]:
    """COCO results with the names of the categories."""
    return [{**result, 'category_name': found.name(number)}
            for number, result in enumerate(found.to_coco_results(image_id, category_ids))]


def class_shares(labels: npt.NDArray[np.integer], class_names: Sequence[str]) -> dict[str, float]:
    """The fraction of the pixels of each class that occurs, by name, the largest first."""
    counts = np.bincount(labels.ravel(), minlength=len(class_names))
    return {class_names[label]: round(counts[label] / labels.size, 6)
            for label in np.argsort(-counts, kind='stable').tolist() if counts[label]}


def describe_instances(found: Instances) -> str:
    """How many objects there are, by their classes, the most frequent first."""
    counts = collections.Counter(found.name(number) if found.class_names else f'of class {label}'
                                 for number, label in enumerate(found.labels))
    return ', '.join(f'{count} {name}' for name, count in counts.most_common()) or 'nothing found'


def describe_proposals(found: 'RleProposals') -> str:
    """How many proposals there are, and the best of them, in words."""
    if not found.codes:
        return 'no proposals'
    top, left, bottom, right = found.bboxes[0].astype(int)
    return (f'{len(found.codes)} proposals, the best with score {found.scores[0]:.3f} at '
            f'x {left} to {right}, y {top} to {bottom}')
