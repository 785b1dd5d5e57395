"""Draw a data set of shapes: OUT/images and OUT/annotations.json in COCO form."""

import functools

from tqdm import tqdm

from chainer_seg import command_line
from chainer_seg.datasets import PlainShapesDataset, ShapesDataset, write_coco


def main():
    parser = command_line.parser(__doc__, device=False)
    parser.add_argument('out', metavar='OUT', help='folder to write to')
    parser.add_argument('--n', type=int, default=200, help='number of pictures')
    parser.add_argument('--size', type=command_line.size_argument, default=(256, 256),
                        metavar='HxW', help='height and width in pixels')
    parser.add_argument('--plain', action='store_true',
                        help='a few shapes of one colour each, without textures or crowds')
    parser.add_argument('--objects', type=int, nargs=2, default=None, metavar=('MIN', 'MAX'),
                        help='number of objects drawn in a picture; 1 to 8, or 1 to 5 with --plain')
    parser.add_argument('--crowds', type=float, default=0.06, metavar='P',
                        help='share of the pictures with a crowd')
    parser.add_argument('--classes', nargs='+', metavar='NAME', help='draw only these classes')
    parser.add_argument('--png', action='store_true', help='write PNG instead of JPEG')
    parser.add_argument('--overwrite', action='store_true', help='replace a data set in OUT')
    options = parser.parse_args()
    dataset = draw(options)
    path = write_coco(
        dataset, options.out, overwrite=options.overwrite,
        suffix='.png' if options.png else '.jpg',
        progress=functools.partial(tqdm, desc='drawing', unit='picture', disable=options.quiet))
    if not options.quiet:
        print(f'wrote {len(dataset)} pictures to {path.parent / "images"} and {path}')


def draw(options):
    """The data set that the options describe."""
    given = {name: value for name, value in
             (('objects', options.objects), ('classes', options.classes)) if value is not None}
    if options.plain:
        return PlainShapesDataset(options.n, options.seed, options.size, **given)
    return ShapesDataset(options.n, options.seed, options.size, crowd_probability=options.crowds,
                         **given)


if __name__ == '__main__':
    command_line.run(main)
