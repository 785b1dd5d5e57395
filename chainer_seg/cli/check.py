"""List the problems of a COCO data set."""

import dataclasses
import functools
import json
import sys
from typing import Annotated, Any, ClassVar

from tqdm import tqdm

from chainer_seg.cli.common import Common
from chainer_seg.cli.dataset_report import print_problems
from chainer_seg.cli.parsing import Command
from chainer_seg.command_line import USER_ERROR_STATUS
from chainer_seg.recipes.options import Flat, Switch, option
from chainer_seg.recipes.rules import only, with_any

_SHOWN = 10  # problems of a kind, unless --verbose asks for all


def print_statistics(statistics: dict[str, Any]) -> None:
    """Print the figures and the most frequent categories."""
    categories = statistics.pop('objects per category')
    print(', '.join(f'{name}: {value}' for name, value in statistics.items()))
    most = list(categories.items())[:10]
    if most:
        print('most frequent: ' + ', '.join(f'{name} {count}' for name, count in most))


@dataclasses.dataclass(frozen=True)
class Check(Command):
    """List all problems of a COCO annotation file and its images.

    The exit status is 0 for a data set without problems and 2 otherwise.

    Attributes:
        annotations: COCO JSON file.
        images: Folder of the images; if omitted, the images are not checked.
        quick: Only read the headers of the images.
        json: Print problems and statistics as JSON.
        common: Common options.
    """

    annotations: Annotated[str, option(metavar='J')]
    images: Annotated[str | None, option(metavar='D')] = None
    quick: Switch = False
    json: Switch = False
    common: Flat[Common] = Common()

    rules: ClassVar = (only(with_any('--images'), '--quick'),)

    def run(self) -> None:
        from chainer_seg.datasets import coco_statistics, validate_coco
        quiet = self.common.quiet
        problems = validate_coco(
            self.annotations, self.images, read_pixels=not self.quick,
            progress=functools.partial(tqdm, desc='checking', unit='image', disable=quiet or self.json))
        statistics = coco_statistics(self.annotations)
        if self.json:
            print(json.dumps({'problems': [dataclasses.asdict(problem) for problem in problems],
                              'statistics': statistics}, indent=2))
        else:
            if not quiet:
                print_statistics(statistics)
            print_problems(problems, None if self.common.verbose else _SHOWN)
            if not quiet:
                print(f'problems: {len(problems)}' if problems else 'no problems')
        sys.stdout.flush()
        if problems:
            sys.exit(USER_ERROR_STATUS)
