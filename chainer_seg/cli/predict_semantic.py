"""Find the class of every pixel in images and videos."""

import dataclasses
import functools
import itertools
import logging
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from tqdm import tqdm

from chainer_seg.cli.common import CommonOnDevice
from chainer_seg.cli.detector_inputs import Inputs, check_for_images, check_for_videos
from chainer_seg.cli.dispatch import ModelCommand, ModelName
from chainer_seg.cli.prediction import predict_each
from chainer_seg.cli.semantic_options import SemanticInference
from chainer_seg.files import atomic_write, json_list, write_json
from chainer_seg.images import read_image, write_image
from chainer_seg.jobs.prediction import Input
from chainer_seg.label_images import write_label_image
from chainer_seg.recipes.options import Flat, Positive, Share, Switch, option

if TYPE_CHECKING:
    from chainer_seg.models.deeplab import DeepLab

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class PredictSemantic(ModelCommand):
    """Find the class of every pixel in images and videos.

    Writes the labels of each image as a PNG with VOC's palette, the image with its classes in colours, and
    the fraction of each class as JSON; for a video, the frames with their classes in colours and the
    fractions in each. Ctrl-C ends a video or a camera at the current frame.

    Attributes:
        model: Name of the model.
        inputs: Inputs and outputs.
        save_labels: Folder to write the labels to, under the names of the images, in the format of VOC's
            server.
        probabilities: Also write the probabilities of all classes, as .npz.
        alpha: Opacity of the colours, from 0 to 1.
        no_legend: Do not draw the names of the classes.
        frames: Number of frames after which a video is stopped.
        inference: Inference.
        common: Common options.
    """

    model: ModelName
    inputs: Flat[Inputs] = Inputs()
    save_labels: Annotated[pathlib.Path | None, option(metavar='DIR')] = None
    probabilities: Switch = False
    alpha: Share = 0.6
    no_legend: Switch = False
    frames: Annotated[Positive | None, option(metavar='N')] = None
    inference: Flat[SemanticInference] = SemanticInference()
    common: Flat[CommonOnDevice] = CommonOnDevice()

    def work(self, model: Any) -> None:
        inputs = self.inputs.found()
        check_for_videos(inputs, {'--frames': self.frames})
        check_for_images(inputs, {'--save-labels': self.save_labels, '--probabilities': self.probabilities})
        settings = self.inference.settings()
        folders = self.inputs.folders(inputs) + ([self.save_labels] if self.save_labels else [])
        predict_each(self, model, inputs, lambda each: (self.annotate if each.is_video else self.save_found)(
            model, each, settings), strict=self.inputs.strict, folders=folders)

    def save_found(self, model: Any, each: Input, settings: dict[str, Any]) -> None:
        """Finds the classes in one image and writes the requested files."""
        image = read_image(each.source)
        stem = each.results.with_suffix('')
        written = [self.labels_path(stem), each.overlay, each.results]
        if self.probabilities:
            probabilities = model.probabilities(image, **settings)
            labels = probabilities.argmax(axis=0)
            written.append(pathlib.Path(f'{stem}_probabilities.npz'))
            with atomic_write(written[-1]) as temporary:
                np.savez_compressed(temporary, probabilities=probabilities,
                                    class_names=np.array(names_of(model)))
        else:
            labels = model.segment(image, **settings)
        write_label_image(written[0], labels)
        write_image(each.overlay, self.painter(model)(image, labels))
        found = shares(labels, names_of(model))
        write_json(each.results, {'image': each.source.name, 'shares': found}, indent=2)
        log.info('%s: %s; wrote %s', each.source, describe(found), ', '.join(map(str, written)))

    def annotate(self, model: Any, each: Input, settings: dict[str, Any]) -> None:
        """Finds the classes in a video's frames and writes the video and the shares of classes."""
        from chainer_seg.video import VideoReader, VideoWriter
        paint, count, stopped = self.painter(model), 0, None
        with json_list(each.results) as add:
            try:
                with VideoReader(each.source) as reader, VideoWriter(each.overlay, reader.fps) as writer:
                    for frame in self.first_frames(reader):
                        labels = model.segment(frame, **settings)
                        writer.write(paint(frame, labels))
                        add({'frame': count, 'shares': shares(labels, names_of(model))})
                        count += 1
            except KeyboardInterrupt as interrupt:
                if not count:
                    raise
                stopped = interrupt
        if stopped is not None:
            raise type(stopped)(f'{count} frames are in {each.overlay} and {each.results}') from stopped
        log.info('%s: %d frames; wrote %s and %s', each.source, count, each.overlay, each.results)

    def first_frames(self, reader: Any) -> tqdm:
        """The requested frames of a video, with progress."""
        known = [count for count in (reader.count, self.frames) if count is not None]
        return tqdm(itertools.islice(reader, self.frames), desc=reader.name, unit='frame',
                    total=min(known, default=None), disable=self.common.quiet)

    def labels_path(self, stem: pathlib.Path) -> pathlib.Path:
        """The path of the labels of an image."""
        if self.save_labels is None:
            return pathlib.Path(f'{stem}_labels.png')
        return self.save_labels / f'{stem.name}.png'

    def painter(self, model: Any) -> Callable[..., np.ndarray]:
        """A function of image and labels that draws as the options ask."""
        from chainer_seg.visualization import overlay_labels
        return functools.partial(overlay_labels, class_names=names_of(model), alpha=self.alpha,
                                 legend=not self.no_legend)


def names_of(model: 'DeepLab') -> tuple[str, ...]:
    """The names of the model's classes, or their numbers where it has none."""
    return tuple(model.class_names) or tuple(map(str, range(model.config['n_class'])))


def shares(labels: np.ndarray, names: Sequence[str]) -> dict[str, float]:
    """The fraction of the pixels of each class that occurs, by name, the largest first."""
    counts = np.bincount(labels.ravel(), minlength=len(names))
    return {names[label]: round(counts[label] / labels.size, 6)
            for label in np.argsort(-counts, kind='stable').tolist() if counts[label]}


def describe(found: Mapping[str, float]) -> str:
    """The shares in words."""
    return ', '.join(f'{name} {100 * share:.1f}%' for name, share in found.items())
