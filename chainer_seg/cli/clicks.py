"""Sample clicks on the objects of a data set once, and write them as files for training.

Writes to the folder OUT what the TensorFlow implementation's tool writes: data/SAMPLE_pnsamples.tif
with the maps of distances to positive and to negative clicks, labels/SAMPLE_label.tif with the object,
and train_converted.txt and val_converted.txt, which list images and samples. Synthetic and packed images
are written to OUT/images. The same command resumes an interrupted run.
"""

import pathlib
import shlex
from collections.abc import Sequence

import numpy as np

from chainer_seg import command_line
from chainer_seg.bad_images import BadImages
from chainer_seg.cli.file_options import add_reading_options, reading_options
from chainer_seg.cli.sampling_options import add_sampling_options, chosen_sampling
from chainer_seg.cli.synthetic_data import SYNTHETIC, synthetic_class
from chainer_seg.files import atomic_write
from chainer_seg.models.deeplab.sampling import SAMPLINGS
from chainer_seg.models.deeplab.precomputed_clicks import LEAST_AREA, MAP_SCALE, clicks_of_maps
from chainer_seg.options import Parser, with_any, without, words_of
from chainer_seg.recipes.data import VALIDATION_SEED_OFFSET

_SHOWN = 12  # samples on the sheet of --preview


def main(arguments: Sequence[str], prog: str) -> None:
    options = make_parser().parse_args(arguments)
    sampling = chosen_sampling(options)
    datasets, bad = open_splits(options), BadImages(options.strict)
    with bad.reported(sum(map(len, datasets.values())), 'have no samples', options.verbose):
        write_splits(datasets, sampling, options, bad)


def write_splits(datasets, sampling, options, bad):
    """Writes the samples of all splits and, if asked for, a preview."""
    from chainer_seg.datasets import ClickFilesDataset
    lists = {name: write(name, dataset, sampling, options, bad) for name, dataset in datasets.items()}
    train = ClickFilesDataset(lists['train'], options.out, datasets['train'].image_folder)
    if options.preview:
        preview(train, options.preview)
    if options.quiet:
        return
    if options.preview:
        print(f'wrote {options.preview}')
    print(f'train on it with: {training_command(lists, datasets, options)}')


def words() -> list[str]:
    """The options."""
    return words_of(make_parser())


def make_parser() -> Parser:
    """The parser of this subcommand."""
    parser = command_line.parser(__doc__, prog='chainer-seg data clicks', device=False)
    parser.add_argument('out', metavar='OUT', help='folder to write to')
    data = parser.add_argument_group('data')
    for prefix, name in (('', 'training'), ('val-', 'validation')):
        data.add_argument(f'--{prefix}annotations', metavar='J',
                          help=f'objects of the {name} images: a COCO JSON, a packed data set, a list '
                               f'of VOC or SBD, TFRecord files, or a folder of masks')
        data.add_argument(f'--{prefix}images', metavar='D', help='folder of these images')
    add_reading_options(data)
    data.add_argument('--draw', choices=tuple(SYNTHETIC), default='shapes',
                      help='kind of synthetic images, without --annotations')
    data.add_argument('--n', type=command_line.count_argument, default=200,
                      help='number of synthetic training images')
    data.add_argument('--val-n', type=command_line.count_argument, default=40,
                      help='number of synthetic validation images')
    data.add_argument('--size', type=command_line.size_argument, default=(256, 256), metavar='HxW',
                      help='size of synthetic images, in pixels')
    samples = parser.add_argument_group('samples')
    samples.add_argument('--method', dest='sampling', choices=tuple(SAMPLINGS), default='tensorflow',
                         help='how clicks are sampled: as in the paper or in the TensorFlow code')
    samples.add_argument('--least-area', type=int, default=LEAST_AREA, metavar='PX',
                         help='minimum area of an object, in pixels')
    samples.add_argument('--max-objects', type=command_line.count_argument, metavar='N',
                         help='stop after N objects')
    samples.add_argument('--energy-scale', '--ENERGY_SCALE', type=float, default=MAP_SCALE,
                         metavar='S', help='factor for distances in the stored maps')
    add_sampling_options(parser, '--method', pairs=True)
    parser.add_argument('--preview', metavar='PNG', help='also draw some samples on a contact sheet')
    parser.add_argument('--overwrite', action='store_true', help='replace samples made with other options')
    command_line.add_strict_option(parser)
    parser.only(without('--annotations'), '--draw', '--n', '--val-n', '--size')
    parser.only(with_any('--annotations'), '--images', '--val-annotations')
    parser.only(with_any('--val-annotations'), '--val-images')
    return parser


def open_splits(options):
    """The data sets by the names of their splits."""
    from chainer_seg.datasets import open_dataset
    from chainer_seg.datasets.opening import folder_for
    reading = reading_options(options, options.annotations)
    if not options.annotations:
        draw = synthetic_class(options.draw)
        return {'train': draw(options.n, options.seed, options.size),
                'val': draw(options.val_n, options.seed + VALIDATION_SEED_OFFSET, options.size)}
    splits = {'train': open_dataset(options.annotations, options.images, **reading)}
    if options.val_annotations:
        splits['val'] = open_dataset(options.val_annotations, folder_for(
            options.val_annotations, options.val_images, options.images), **reading)
    return splits


def write(split, dataset, sampling, options, bad):
    """Writes the samples of one split and returns the path of its list."""
    from chainer_seg.datasets.click_files import read_list
    from chainer_seg.jobs import write_click_files
    prefix = '' if split == 'train' else 'val_'
    source = getattr(options, f'{prefix}annotations')
    source = str(pathlib.Path(source).resolve()) if source else (
        f'{options.draw} {getattr(options, f"{prefix}n")} {options.size}')
    if options.labels_as != 'auto':
        source += f', labels as {options.labels_as}'
    path = write_click_files(
        dataset, options.out, split, sampling, scale=options.energy_scale, seed=options.seed,
        least_area=options.least_area, max_objects=options.max_objects, source=source,
        overwrite=options.overwrite, progress=not options.quiet,
        on_error=lambda number, error: bad((split, number), error))
    if not options.quiet:
        print(f'{split}: {len(read_list(path))} samples in {path}')
    return path


def preview(dataset, path):
    """Draws samples spread over a list, as they were written."""
    from chainer_seg.visualization import draw_click_sheet
    numbers = np.linspace(0, len(dataset) - 1, min(_SHOWN, len(dataset))).astype(int)
    examples = [dataset[number] for number in numbers]
    axes = draw_click_sheet([(image, label, clicks_of_maps(maps)) for image, maps, label in examples],
                            titles=[dataset.ids[number] for number in numbers])
    with atomic_write(path) as temporary:
        axes[0].figure.savefig(temporary)


def training_command(lists, datasets, options):
    """The command that trains on the samples as the TensorFlow implementation does."""
    words = ['chainer-seg', 'train', 'click', '--recipe', 'tensorflow', '--dataset', 'click-files',
             '--list', lists['train'], '--data', options.out]
    if options.energy_scale != MAP_SCALE:
        words += ['--click-scale', f'{options.energy_scale:g}']
    if 'val' in lists:
        words += ['--val-list', lists['val']]
    for prefix, split in (('', 'train'), ('val-', 'val')):
        folder = datasets[split].image_folder if split in datasets else None
        if folder is not None:
            words += [f'--{prefix}images', folder]
    return shlex.join(map(str, [*words, '--init', 'MODEL', '--out', 'out/click']))
