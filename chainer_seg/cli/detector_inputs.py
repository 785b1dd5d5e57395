"""The inputs of a detector: images, folders and lists of them, videos and cameras."""

import collections
import contextlib
import dataclasses
import pathlib

from tqdm import tqdm

from chainer_seg import command_line
from chainer_seg.bad_images import BadImages
from chainer_seg.cli.file_options import add_outside_option
from chainer_seg.jobs.result_paths import image_ids, listed_images, result_stems, sole_writers
from chainer_seg.errors import UserError

# Videos that can be read but not written.
_MORE_VIDEO_SUFFIXES = {'.3gp', '.flv', '.m2ts', '.mpeg', '.mpg', '.mts', '.ogv', '.ts', '.wmv'}


@dataclasses.dataclass(frozen=True)
class Job:
    """One input and the paths of its results.

    Attributes:
        source: A path, or the number of a camera.
        is_video (bool): Whether it has frames.
        picture: Path of the picture, or of the video, with what was found.
        results: Path of the JSON file.
        image_id: Of an image in COCO results; the frames of a video have their own.
    """

    source: object
    is_video: bool
    picture: pathlib.Path
    results: pathlib.Path
    image_id: int | None = None


def add_input_options(parser):
    parser.add_argument('inputs', metavar='INPUT', nargs='*',
                        help='images, folders of images, lists of images (.txt, one per line), videos, or '
                             'the number of a camera')
    parser.add_argument('--out', metavar='DIR', default='out/predict', help='folder for the results')
    command_line.add_strict_option(parser)
    add_outside_option(parser)
    yolact = parser.add_argument_group("inputs as YOLACT's options, optionally with the output")
    yolact.add_argument('--image', action='append', default=[], metavar='IN[:OUT]', help='an image')
    yolact.add_argument('--images', action='append', default=[], metavar='IN[:OUT]',
                        help='a folder of images')
    yolact.add_argument('--video', action='append', default=[], metavar='IN[:OUT]',
                        help='a video, or the number of a camera')


def find_jobs(options):
    """The :class:`Job` of every input, in the order of the command line."""
    plain = [(text, None) for text in options.inputs]
    pairs = plain + [split_output(text) for text in options.image + options.images + options.video]
    if not pairs:
        raise UserError('There is nothing to do; name images, folders, videos or a camera.')
    sources = [source for pair in pairs for source in expand(*pair, options.allow_outside)]
    stems = result_stems([_named(source) for source, _ in sources], options.out)
    jobs = [job_of(source, output, stem) for (source, output), (_, stem) in zip(sources, stems)]
    numbers = iter(image_ids([job.source for job in jobs if not job.is_video]))
    return [job if job.is_video else dataclasses.replace(job, image_id=next(numbers)) for job in jobs]


def check_for_videos(jobs, options, *flags):
    """Refuses options that apply only to videos where none is among the inputs."""
    if not any(job.is_video for job in jobs):
        _refuse(options, flags, 'videos')


def check_for_images(jobs, options, *flags):
    """Refuses options that apply only to images where none is among the inputs."""
    if all(job.is_video for job in jobs):
        _refuse(options, flags, 'images')


def _refuse(options, flags, kind):
    for flag in flags:
        if getattr(options, flag.removeprefix('--').replace('-', '_')):
            raise UserError(f'{flag} applies only to {kind}, and there are none among the inputs; leave '
                            f'it out.')


def work_on(jobs, options, work, *folders):
    """Calls ``work(job)`` for each job, with a bar, and passes over inputs that cannot be used.

    Args:
        folders: Where results go beside the folders of the jobs.

    Raises:
        chainer_seg.errors.UserError: Another run writes to a folder of results, or the only input, or
            the first bad one with --strict, cannot be used.
        chainer_seg.errors.ImageError: Some inputs could not be used.
    """
    bad = BadImages(options.strict or len(jobs) == 1)
    bar = tqdm(jobs, desc='images', unit='image', disable=options.quiet or len(jobs) < 2
               or any(job.is_video for job in jobs))
    with (sole_writers([*_shared_folders(jobs, options), *folders]),
          bad.reported(len(jobs), 'have no results', options.verbose), contextlib.closing(bar)):
        for number, job in enumerate(bar):
            with bad.passing_over(number):
                work(job)


def _shared_folders(jobs, options):
    """The folders of results but those of single files that the command line names."""
    counts = collections.Counter(job.results.parent for job in jobs)
    return [folder for folder, count in counts.items()
            if count > 1 or folder == pathlib.Path(options.out)]


def split_output(text):
    """``IN:OUT`` as both, ``IN`` as itself and None."""
    source, colon, output = text.rpartition(':')
    # A colon may be part of a name, or follow the letter of a drive.
    if not colon or not output or pathlib.Path(text).exists() or (
            len(source) == 1 and output[0] in '/\\'):
        return text, None
    return source, output


def expand(text, output, allow_outside=False):
    """Pairs of each image, video or camera that an argument names, and where it goes."""
    if is_camera(text):
        return [(int(text), output)]
    if is_video(text):
        return [(pathlib.Path(text), output)]
    found = listed_images(text, allow_outside)
    if output is None or not (pathlib.Path(text).is_dir() or text.lower().endswith('.txt')):
        return [(path, output) for path in found]
    return [(path, str(stem) + '.png') for path, stem in result_stems(found, output)]


def job_of(source, output, stem):
    from chainer_seg.video import VIDEO_SUFFIXES
    video = isinstance(source, int) or is_video(source)
    if output is not None:
        return Job(source, video, pathlib.Path(output), pathlib.Path(output).with_suffix('.json'))
    suffix = '.png'
    if video:
        suffix = pathlib.Path(str(source)).suffix.lower()
        suffix = suffix if suffix in VIDEO_SUFFIXES else '.mp4'
    return Job(source, video, pathlib.Path(f'{stem}_overlay{suffix}'), pathlib.Path(f'{stem}.json'))


def is_camera(text):
    return text.isdigit() and not pathlib.Path(text).exists()


def is_video(path):
    from chainer_seg.video import VIDEO_SUFFIXES
    path = pathlib.Path(path)
    return path.suffix.lower() in VIDEO_SUFFIXES | _MORE_VIDEO_SUFFIXES and not path.is_dir()


def _named(source):
    return pathlib.Path(f'camera{source}') if isinstance(source, int) else source
