"""Draw the images of a data set with their objects on pages: chainer-seg data view --out DIR.

Writes DIR/page_01.png and so on. With --augment N each image is followed by N versions of it, augmented
as in YOLACT's training.
"""

import itertools
import pathlib
from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from chainer_seg import command_line
from chainer_seg.cli.file_options import add_reading_options, reading_options
from chainer_seg.images import write_image
from chainer_seg.options import Parser, When, with_any


def main(arguments: Sequence[str] | None = None) -> None:
    options = make_parser().parse_args(arguments)
    from chainer_seg.datasets.browsing import find_label, pictures_with
    dataset = open_data(options)
    label = None if options.class_name is None else find_label(dataset, options.class_name)
    numbers = pictures_with(dataset, label, range(options.first, len(dataset)))
    numbers = itertools.islice(numbers, options.n)
    columns = options.columns
    per_page = columns * options.rows
    if options.augment:
        columns, per_page = options.augment + 1, options.rows
    with tqdm(total=min(options.n, max(len(dataset) - options.first, 0)), desc='drawing', unit='image',
              disable=options.quiet) as bar:
        pages = 0
        while chosen := list(itertools.islice(numbers, per_page)):
            pages += 1
            write_page(pathlib.Path(options.out) / f'page_{pages:02d}.png', dataset, chosen, columns,
                       options)
            bar.update(len(chosen))
    if not options.quiet:
        print(f'wrote {pages} pages to {options.out}' if pages else 'no such images')


def make_parser() -> Parser:
    """The parser of this subcommand."""
    parser = command_line.parser(__doc__, prog='chainer-seg data view', device=False)
    parser.add_argument('--annotations', metavar='J',
                        help='COCO JSON file, packed data set, list of VOC or SBD, TFRecord files or '
                             'folder of masks; synthetic shapes if omitted')
    parser.add_argument('--images', metavar='D', help='folder of its images')
    add_reading_options(parser)
    parser.add_argument('--out', required=True, metavar='DIR', help='folder of the pages')
    parser.add_argument('--n', type=command_line.count_argument, default=48, metavar='N',
                        help='maximum number of images')
    parser.add_argument('--first', type=int, default=0, metavar='K', help='number of the first image, from 0')
    parser.add_argument('--class', dest='class_name', metavar='NAME',
                        help='only images with an object of this class')
    parser.add_argument('--augment', type=int, default=0, metavar='N',
                        help='number of augmented versions shown after each image')
    parser.add_argument('--columns', type=command_line.count_argument, default=4, metavar='N',
                        help='images per row; with --augment one image and its versions')
    parser.add_argument('--rows', type=command_line.count_argument, default=4, metavar='N',
                        help='rows per page')
    parser.add_argument('--side', type=command_line.count_argument, default=320, metavar='N',
                        help='longer side of an image on the page, in pixels')
    parser.add_argument('--boxes', action='store_true', help='draw boxes')
    parser.add_argument('--no-masks', action='store_true', help='do not draw masks')
    parser.add_argument('--no-labels', action='store_true', help='do not write class names')
    parser.only(with_any('--annotations'), '--images')
    parser.only(When('without --augment', lambda options: not options.augment), '--columns')
    return parser


def open_data(options):
    from chainer_seg.datasets import ShapesDataset, open_dataset
    reading = reading_options(options, options.annotations)
    if options.annotations is None:
        return ShapesDataset(options.first + options.n, options.seed)
    return open_dataset(options.annotations, options.images, **reading)


def write_page(path, dataset, numbers, columns, options):
    """Draws these images on one page, each followed by its augmented versions."""
    from chainer_seg.models.yolact.augmentation import augment
    from chainer_seg.visualization import contact_sheet
    examples, captions = [], []
    for number in numbers:
        image, instances = dataset[number]
        examples.append((image, instances))
        captions.append(f'{number} {name_of(dataset, number)}')
        for version in range(options.augment):
            rng = np.random.default_rng((options.seed, number, version))
            examples.append(augment(image, instances, rng))
            captions.append(None)
    write_image(path, contact_sheet(
        examples, columns, options.side, captions, boxes=options.boxes, labels=not options.no_labels,
        alpha=0 if options.no_masks else 0.45, contour=not options.no_masks))


def name_of(dataset, number):
    return pathlib.Path(dataset.file_name(number)).name if dataset.has_files else ''
