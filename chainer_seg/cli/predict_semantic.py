"""Find the class of every pixel in images and videos.

Writes the labels of each image as a PNG with VOC's palette, the image with its classes in colours, and
the fraction of each class as JSON; for a video, the frames with their classes in colours and the
fractions in each. Ctrl-C ends a video or a camera at the current frame.
"""

import functools
import itertools
import logging
import pathlib

import numpy as np
from tqdm import tqdm

from chainer_seg import command_line
from chainer_seg.cli.detector_inputs import (
    add_input_options,
    check_for_images,
    check_for_videos,
    find_jobs,
    work_on,
)
from chainer_seg.cli.semantic_options import add_semantic_options, semantic_settings
from chainer_seg.errors import UserError
from chainer_seg.files import atomic_write, json_list, write_json
from chainer_seg.images import read_image, write_image
from chainer_seg.label_images import write_label_image

log = logging.getLogger(__name__)


def add_options(parser):
    add_input_options(parser)
    add_semantic_options(parser)
    results = parser.add_argument_group('results')
    results.add_argument('--save-labels', metavar='DIR',
                         help="write the labels to this folder, under the names of the images, in the "
                              "format of VOC's server")
    results.add_argument('--probabilities', action='store_true',
                         help='also write the probabilities of all classes, as .npz')
    results.add_argument('--alpha', type=float, default=0.6,
                         help='opacity of the colours, from 0 to 1')
    results.add_argument('--no-legend', dest='legend', action='store_false',
                         help='do not draw the names of the classes')
    results.add_argument('--frames', type=command_line.count_argument, metavar='N',
                         help='stop a video after N frames')


def run(model, options):
    if not 0 <= options.alpha <= 1:
        raise UserError(f'--alpha must be between 0 and 1, got {options.alpha:g}.')
    jobs = find_jobs(options)
    check_for_videos(jobs, options, '--frames')
    check_for_images(jobs, options, '--save-labels', '--probabilities')
    work_on(jobs, options, lambda job: (annotate if job.is_video else save_found)(
        model, job, options), *([options.save_labels] if options.save_labels else []))


def save_found(model, job, options):
    """Finds the classes in one image and writes the requested files."""
    image = read_image(job.source)
    stem = job.results.with_suffix('')
    written = [labels_path(stem, options), job.picture, job.results]
    if options.probabilities:
        probabilities = model.probabilities(image, **semantic_settings(options))
        labels = probabilities.argmax(axis=0)
        written.append(pathlib.Path(f'{stem}_probabilities.npz'))
        with atomic_write(written[-1]) as temporary:
            np.savez_compressed(temporary, probabilities=probabilities,
                                class_names=np.array(names_of(model)))
    else:
        labels = model.segment(image, **semantic_settings(options))
    write_label_image(written[0], labels)
    write_image(job.picture, draw(model, options)(image, labels))
    found = shares(labels, names_of(model))
    write_json(job.results, {'image': job.source.name, 'shares': found}, indent=2)
    log.info('%s: %s; wrote %s', job.source, describe(found), ', '.join(map(str, written)))


def annotate(model, job, options):
    """Finds the classes in a video's frames and writes the video and the shares of classes."""
    from chainer_seg.video import VideoReader, VideoWriter
    paint, count, stopped = draw(model, options), 0, None
    with json_list(job.results) as add:
        try:
            with VideoReader(job.source) as reader, VideoWriter(job.picture, reader.fps) as writer:
                for frame in first_frames(reader, options):
                    labels = model.segment(frame, **semantic_settings(options))
                    writer.write(paint(frame, labels))
                    add({'frame': count, 'shares': shares(labels, names_of(model))})
                    count += 1
        except KeyboardInterrupt as interrupt:
            if not count:
                raise
            stopped = interrupt
    if stopped is not None:
        raise type(stopped)(f'{count} frames are in {job.picture} and {job.results}') from stopped
    log.info('%s: %d frames; wrote %s and %s', job.source, count, job.picture, job.results)


def first_frames(reader, options):
    """The requested frames of a video, with progress."""
    known = [count for count in (reader.count, options.frames) if count is not None]
    return tqdm(itertools.islice(reader, options.frames), desc=reader.name, unit='frame',
                total=min(known, default=None), disable=options.quiet)


def labels_path(stem, options):
    """The path of the labels of an image."""
    if options.save_labels is None:
        return pathlib.Path(f'{stem}_labels.png')
    return pathlib.Path(options.save_labels, f'{stem.name}.png')


def draw(model, options):
    """A function of image and labels that draws as the options ask."""
    from chainer_seg.visualization import overlay_labels
    return functools.partial(overlay_labels, class_names=names_of(model), alpha=options.alpha,
                             legend=options.legend)


def names_of(model):
    """The names of the model's classes, or their numbers where it has none."""
    return tuple(model.class_names) or tuple(map(str, range(model.config['n_class'])))


def shares(labels, names):
    """The fraction of the pixels of each class that occurs, by name, the largest first."""
    counts = np.bincount(labels.ravel(), minlength=len(names))
    return {names[label]: round(counts[label] / labels.size, 6)
            for label in np.argsort(-counts, kind='stable').tolist() if counts[label]}


def describe(found):
    """The shares in words."""
    return ', '.join(f'{name} {100 * share:.1f}%' for name, share in found.items())
