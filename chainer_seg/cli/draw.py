"""Create a synthetic data set: OUT/images and OUT/annotations.json in COCO format, or a video file OUT."""

import functools
from collections.abc import Sequence

from tqdm import tqdm

from chainer_seg.cli.synthetic_data import SYNTHETIC
from chainer_seg.options import Parser, where

# The class of each kind; loaded at first use.
_KINDS = {**SYNTHETIC, 'video': 'MovingShapes', 'plain-video': 'MovingPlainShapes'}
_RATE = 25.0  # frames a second


def make_parser() -> Parser:
    """The parser of this subcommand."""
    from chainer_seg import command_line
    parser = command_line.parser(__doc__, prog='chainer-seg data draw', device=False)
    parser.add_argument('out', metavar='OUT', help='folder to write to; for a video, the file')
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument('--kind', choices=tuple(_KINDS), default='shapes',
                        help='textured or plain shapes, people with keypoints, or a video of moving '
                             'shapes')
    kinds.add_argument('--plain', dest='kind', action='store_const', const='plain-shapes',
                        help='the same as --kind plain-shapes')
    parser.add_argument('--n', type=int, default=200, help='number of images or frames')
    parser.add_argument('--size', type=command_line.size_argument, default=(256, 256),
                        metavar='HxW', help='height and width in pixels')
    parser.add_argument('--objects', type=int, nargs=2, metavar=('MIN', 'MAX'),
                        help='number of objects per image; depends on the kind if omitted; a video has '
                             'MAX in all')
    parser.add_argument('--crowds', type=float, default=0.06, metavar='P',
                        help='fraction of the images of shapes or figures with a crowd')
    parser.add_argument('--classes', nargs='+', metavar='NAME', help='only these shapes')
    parser.add_argument('--png', action='store_true', help='write PNG instead of JPEG')
    parser.add_argument('--overwrite', action='store_true', help='replace a data set in OUT')
    parser.only(where('--kind', 'shapes', 'figures'), '--crowds')
    parser.only(where('--kind', *(kind for kind in _KINDS if kind != 'figures')), '--classes')
    parser.only(where('--kind', *(kind for kind in _KINDS if not kind.endswith('video'))), '--png',
                '--overwrite')
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    options = make_parser().parse_args(arguments)
    from chainer_seg.datasets import write_coco
    from chainer_seg.video import write_video
    dataset = drawn(options)
    progress = functools.partial(tqdm, desc='drawing', unit='image', disable=options.quiet)
    if options.kind.endswith('video'):
        path = write_video(options.out, (dataset[number][0] for number in progress(
            range(len(dataset)))), _RATE)
        text = f'wrote {len(dataset)} frames to {path}'
    else:
        path = write_coco(dataset, options.out, overwrite=options.overwrite,
                          suffix='.png' if options.png else '.jpg', progress=progress)
        text = f'wrote {len(dataset)} images to {path.parent / "images"} and {path}'
    if not options.quiet:
        print(text)


def drawn(options):
    """The data set that the options describe."""
    from chainer_seg import datasets
    common = {'length': options.n, 'seed': options.seed, 'size': options.size}
    if options.objects is not None:
        common['people' if options.kind == 'figures' else 'objects'] = (
            options.objects[1] if options.kind.endswith('video') else options.objects)
    if options.kind != 'figures' and options.classes:
        common['classes'] = options.classes
    if options.kind in ('shapes', 'figures'):
        common['crowd_probability'] = options.crowds
    return getattr(datasets, _KINDS[options.kind])(**common)
