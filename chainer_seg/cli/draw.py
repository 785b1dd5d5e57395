"""Create a synthetic data set or video."""

import dataclasses
import functools
import pathlib
from typing import Annotated, Any, ClassVar, Literal

import tyro
from tqdm import tqdm
from tyro.conf import Positional

from chainer_seg.cli.common import Common
from chainer_seg.cli.parsing import Command
from chainer_seg.recipes.data import SYNTHETIC
from chainer_seg.recipes.options import Flat, Positive, Share, Size, Switch, option
from chainer_seg.recipes.rules import When, only

# The class of each kind; loaded at first use.
_KINDS = {**SYNTHETIC, 'video': 'MovingShapes', 'plain-video': 'MovingPlainShapes'}
_RATE = 25.0  # frames a second
_KIND = tyro.conf.create_mutex_group(required=False)


def _with_kind(*kinds: str) -> When:
    return When(f'with --kind {", ".join(kinds[:-1])} or {kinds[-1]}', lambda options: (
        'plain-shapes' if options['plain'] else options['kind']) in kinds)


@dataclasses.dataclass(frozen=True)
class Draw(Command):
    """Create a synthetic data set: OUT/images and OUT/annotations.json in COCO format, or a video file OUT.

    Attributes:
        out: Folder to write to; for a video, the file.
        kind: Kind of images: textured or plain shapes, people with keypoints, or a video of moving shapes.
        plain: The same as --kind plain-shapes.
        n: Number of images or frames.
        size: Height and width, in pixels.
        objects: Number of objects per image; depends on the kind if omitted; a video has MAX in all.
        crowds: Fraction of the images of shapes or figures with a crowd.
        classes: Names of the shapes to draw; all if omitted.
        png: Write PNG instead of JPEG.
        overwrite: Replace a data set in OUT.
        common: Common options.
    """

    out: Positional[Annotated[pathlib.Path, option(metavar='OUT')]]
    kind: Annotated[Literal['shapes', 'plain-shapes', 'figures', 'video', 'plain-video'], _KIND] = 'shapes'
    plain: Annotated[Switch, _KIND] = False
    n: Annotated[Positive, option(metavar='N')] = 200
    size: Size = (256, 256)
    objects: Annotated[tuple[int, int] | None, option(metavar='MIN MAX')] = None
    crowds: Annotated[Share, option(metavar='P')] = 0.06
    classes: Annotated[tuple[str, ...], option(metavar='NAME ...')] = ()
    png: Switch = False
    overwrite: Switch = False
    common: Flat[Common] = Common()

    rules: ClassVar = (
        only(_with_kind('shapes', 'figures'), '--crowds'),
        only(_with_kind(*(kind for kind in _KINDS if kind != 'figures')), '--classes'),
        only(_with_kind(*(kind for kind in _KINDS if not kind.endswith('video'))), '--png', '--overwrite'))

    def run(self) -> None:
        from chainer_seg.datasets import write_coco
        from chainer_seg.video import write_video
        dataset = self.dataset()
        progress = functools.partial(tqdm, desc='drawing', unit='image', disable=self.common.quiet)
        if self.kind.endswith('video'):
            path = write_video(self.out, (dataset[number][0] for number in progress(
                range(len(dataset)))), _RATE)
            text = f'wrote {len(dataset)} frames to {path}'
        else:
            path = write_coco(dataset, self.out, overwrite=self.overwrite,
                              suffix='.png' if self.png else '.jpg', progress=progress)
            text = f'wrote {len(dataset)} images to {path.parent / "images"} and {path}'
        if not self.common.quiet:
            print(text)

    def dataset(self) -> Any:
        """The data set that the options describe."""
        from chainer_seg import datasets
        kind = 'plain-shapes' if self.plain else self.kind
        settings: dict[str, Any] = {'length': self.n, 'seed': self.common.seed, 'size': self.size}
        if self.objects is not None:
            settings['people' if kind == 'figures' else 'objects'] = (
                self.objects[1] if kind.endswith('video') else self.objects)
        if self.classes:
            settings['classes'] = self.classes
        if kind in ('shapes', 'figures'):
            settings['crowd_probability'] = self.crowds
        return getattr(datasets, _KINDS[kind])(**settings)
