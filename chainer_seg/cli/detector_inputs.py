"""The inputs of a detector: images, folders and lists of them, videos and cameras."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Annotated

from tyro.conf import Positional, UseAppendAction

from chainer_seg.cli.common import Strict
from chainer_seg.errors import UserError
from chainer_seg.jobs.prediction import Input
from chainer_seg.jobs.result_paths import image_ids, listed_images, result_stems
from chainer_seg.recipes.options import Switch, option

# Videos that can be read but not written.
_MORE_VIDEO_SUFFIXES = {'.3gp', '.flv', '.m2ts', '.mpeg', '.mpg', '.mts', '.ogv', '.ts', '.wmv'}

Source = pathlib.Path | int  # a file, or the number of a camera
_Inputs = UseAppendAction[tuple[str, ...]]


@dataclasses.dataclass(frozen=True)
class Inputs:
    """Inputs and outputs; --image, --images and --video are YOLACT's options.

    Attributes:
        inputs: Images, folders of images, lists of images (.txt, one per line), videos, or the number of a
            camera.
        out: Folder for the results.
        strict: Stop at the first image that cannot be read.
        allow_outside: Allow lists to name files outside their folder and that of the images.
        image: Image, optionally with its output.
        images: Folder of images, optionally with that of the output.
        video: Video, or the number of a camera, optionally with its output.
    """

    inputs: Positional[Annotated[tuple[str, ...], option(metavar='[INPUT ...]')]] = ()
    out: Annotated[pathlib.Path, option(metavar='DIR')] = pathlib.Path('out/predict')
    strict: Strict = False
    allow_outside: Switch = False
    image: Annotated[_Inputs, option(metavar='IN[:OUT]')] = ()
    images: Annotated[_Inputs, option(metavar='IN[:OUT]')] = ()
    video: Annotated[_Inputs, option(metavar='IN[:OUT]')] = ()

    def found(self) -> list[Input]:
        """Every input with the paths of its results, in the order of the command line.

        Raises:
            chainer_seg.errors.UserError: There is none.
        """
        plain: list[tuple[str, str | None]] = [(text, None) for text in self.inputs]
        pairs = plain + [split_output(text) for text in self.image + self.images + self.video]
        if not pairs:
            raise UserError('There is nothing to do; name images, folders, videos or a camera.')
        sources = [source for text, output in pairs
                   for source in expand(text, output, self.allow_outside)]
        stems = result_stems([_named(source) for source, _ in sources], self.out)
        found = [input_of(source, output, stem) for (source, output), (_, stem) in zip(sources, stems)]
        numbers = iter(image_ids([pathlib.Path(each.source) for each in found if not each.is_video]))
        return [each if each.is_video else dataclasses.replace(each, image_id=next(numbers))
                for each in found]

    def folders(self, inputs: list[Input]) -> list[pathlib.Path]:
        """The folder of --out, if results go there."""
        return [self.out] if any(each.results.parent == self.out for each in inputs) else []


def check_for_videos(inputs: list[Input], options: Mapping[str, object]) -> None:
    """Refuses options ``{flag: value}`` that apply only to videos where none is among the inputs."""
    if not any(each.is_video for each in inputs):
        _refuse(options, 'videos')


def check_for_images(inputs: list[Input], options: Mapping[str, object]) -> None:
    """Refuses options ``{flag: value}`` that apply only to images where none is among the inputs."""
    if all(each.is_video for each in inputs):
        _refuse(options, 'images')


def _refuse(options: Mapping[str, object], kind: str) -> None:
    for flag, value in options.items():
        if value:
            raise UserError(f'{flag} applies only to {kind}, and there are none among the inputs; omit it.')


def split_output(text: str) -> tuple[str, str | None]:
    """``IN:OUT`` as both, ``IN`` as itself and None."""
    source, colon, output = text.rpartition(':')
    # A colon may be part of a name, or follow the letter of a drive.
    if not colon or not output or pathlib.Path(text).exists() or (
            len(source) == 1 and output[0] in '/\\'):
        return text, None
    return source, output


def expand(text: str, output: str | None, allow_outside: bool = False) -> list[tuple[Source, str | None]]:
    """Pairs of each image, video or camera that an argument names, and where it goes."""
    if is_camera(text):
        return [(int(text), output)]
    if is_video(text):
        return [(pathlib.Path(text), output)]
    found = listed_images(text, allow_outside)
    if output is None or not (pathlib.Path(text).is_dir() or text.lower().endswith('.txt')):
        return [(path, output) for path in found]
    return [(path, str(stem) + '.png') for path, stem in result_stems(found, output)]


def input_of(source: Source, output: str | None, stem: pathlib.Path) -> Input:
    """The input, with results at the output of its own, or at ``stem``."""
    from chainer_seg.video import VIDEO_SUFFIXES
    video = isinstance(source, int) or is_video(source)
    if output is not None:
        return Input(source, video, pathlib.Path(output), pathlib.Path(output).with_suffix('.json'))
    suffix = '.png'
    if video:
        suffix = pathlib.Path(str(source)).suffix.lower()
        suffix = suffix if suffix in VIDEO_SUFFIXES else '.mp4'
    return Input(source, video, pathlib.Path(f'{stem}_overlay{suffix}'), pathlib.Path(f'{stem}.json'))


def is_camera(text: str) -> bool:
    """Whether it is the number of a camera."""
    return text.isdigit() and not pathlib.Path(text).exists()


def is_video(path: str | pathlib.Path) -> bool:
    """Whether it has the suffix of a video."""
    from chainer_seg.video import VIDEO_SUFFIXES
    path = pathlib.Path(path)
    return path.suffix.lower() in VIDEO_SUFFIXES | _MORE_VIDEO_SUFFIXES and not path.is_dir()


def _named(source: Source) -> pathlib.Path:
    return pathlib.Path(f'camera{source}') if isinstance(source, int) else source
