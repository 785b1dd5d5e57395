"""Sample clicks on the objects of a data set once, and write them as files that training reads.

Writes to the folder OUT what the TensorFlow implementation's tool writes: data/SAMPLE_pnsamples.tif
with the maps of distances to positive and to negative clicks, labels/SAMPLE_label.tif with the object,
and train_converted.txt and val_converted.txt, which list images and samples. Images that are drawn or
packed are written to OUT/images. The same command given again goes on where it was interrupted.
"""

import functools
import pathlib
import shlex

import numpy as np
from commands.file_options import add_reading_options, reading_options
from commands.sampling_options import add_sampling_options, chosen_sampling
from commands.training_options import DRAWN, VALIDATION_SEED_OFFSET
from tqdm import tqdm

from chainer_seg import command_line
from chainer_seg.bad_images import BadImages
from chainer_seg.datasets import ClickFilesDataset, open_dataset
from chainer_seg.datasets.click_files import read_list
from chainer_seg.datasets.opening import folder_for
from chainer_seg.files import atomic_write
from chainer_seg.models.deeplab.click_writer import LEAST_AREA, write_click_files
from chainer_seg.models.deeplab.sampling import SAMPLINGS
from chainer_seg.models.deeplab.stored_clicks import STORED_SCALE, stored_clicks
from chainer_seg.options import with_any, without
from chainer_seg.visualization import draw_click_sheet

_SHOWN = 12  # samples on the sheet of --preview


def main():
    options = parse()
    sampling = chosen_sampling(options)
    datasets, bad = open_splits(options), BadImages(options.strict)
    with bad.reported(sum(map(len, datasets.values())), 'have no samples', options.verbose):
        write_splits(datasets, sampling, options, bad)


def write_splits(datasets, sampling, options, bad):
    """Writes the samples of all splits and what is wanted beside them."""
    lists = {name: write(name, dataset, sampling, options, bad) for name, dataset in datasets.items()}
    train = ClickFilesDataset(lists['train'], options.out, image_folder(datasets['train']))
    if options.preview:
        preview(train, options.preview)
    if options.quiet:
        return
    if options.preview:
        print(f'wrote {options.preview}')
    print(f'train on it with: {training_command(lists, datasets, options)}')


def parse():
    parser = command_line.parser(__doc__, device=False)
    parser.add_argument('out', metavar='OUT', help='folder to write to')
    data = parser.add_argument_group('the data')
    for prefix, name in (('', 'training'), ('val-', 'validation')):
        data.add_argument(f'--{prefix}annotations', metavar='J',
                          help=f'objects of the {name} images: a COCO JSON, a packed data set, a list '
                               f'of VOC or SBD, TFRecord files, or a folder of masks')
        data.add_argument(f'--{prefix}images', metavar='D', help='folder of these images')
    add_reading_options(data)
    data.add_argument('--draw', choices=tuple(DRAWN), default='shapes',
                      help='what is drawn without --annotations')
    data.add_argument('--n', type=command_line.count_argument, default=200,
                      help='number of drawn training pictures')
    data.add_argument('--val-n', type=command_line.count_argument, default=40,
                      help='number of drawn validation pictures')
    data.add_argument('--size', type=command_line.size_argument, default=(256, 256), metavar='HxW',
                      help='size of drawn pictures')
    samples = parser.add_argument_group('the samples')
    samples.add_argument('--method', dest='sampling', choices=tuple(SAMPLINGS), default='tensorflow',
                         help='how clicks are drawn: as in the paper or in the TensorFlow code')
    samples.add_argument('--least-area', type=int, default=LEAST_AREA, metavar='PX',
                         help='leave smaller objects out')
    samples.add_argument('--max-objects', type=command_line.count_argument, metavar='N',
                         help='stop after so many objects')
    samples.add_argument('--energy-scale', '--ENERGY_SCALE', type=float, default=STORED_SCALE,
                         metavar='S', help='distances are multiplied by this')
    add_sampling_options(parser, '--method', pairs=True)
    parser.add_argument('--preview', metavar='PNG', help='also draw some of the samples on a sheet')
    parser.add_argument('--overwrite', action='store_true', help='replace samples of other options')
    command_line.add_strict_option(parser)
    parser.only(without('--annotations'), '--draw', '--n', '--val-n', '--size')
    parser.only(with_any('--annotations'), '--images', '--val-annotations')
    parser.only(with_any('--val-annotations'), '--val-images')
    return parser.parse_args()


def open_splits(options):
    """The data sets by the names of their splits."""
    reading = reading_options(options, options.annotations)
    if not options.annotations:
        draw = DRAWN[options.draw]
        return {'train': draw(options.n, options.seed, options.size),
                'val': draw(options.val_n, options.seed + VALIDATION_SEED_OFFSET, options.size)}
    splits = {'train': open_dataset(options.annotations, options.images, **reading)}
    if options.val_annotations:
        splits['val'] = open_dataset(options.val_annotations, folder_for(
            options.val_annotations, options.val_images, options.images), **reading)
    return splits


def write(split, dataset, sampling, options, bad):
    """Writes the samples of one split and gives the path of its list."""
    prefix = '' if split == 'train' else 'val_'
    source = getattr(options, f'{prefix}annotations')
    source = str(pathlib.Path(source).resolve()) if source else (
        f'{options.draw} {getattr(options, f"{prefix}n")} {options.size}')
    if options.labels_as != 'auto':
        source += f', labels as {options.labels_as}'
    progress = functools.partial(tqdm, desc=f'sampling {split}', unit='image', disable=options.quiet)
    path = write_click_files(
        dataset, options.out, split, sampling, scale=options.energy_scale, seed=options.seed,
        least_area=options.least_area, max_objects=options.max_objects, source=source,
        overwrite=options.overwrite, progress=progress,
        on_error=lambda number, error: bad((split, number), error))
    if not options.quiet:
        print(f'{split}: {len(read_list(path))} samples in {path}')
    return path


def image_folder(dataset):
    """Where the images of a data set are; None for those that are written beside the samples."""
    return dataset.image_folder


def preview(dataset, path):
    """Draws samples from all over a list, as they were written."""
    numbers = np.linspace(0, len(dataset) - 1, min(_SHOWN, len(dataset))).astype(int)
    examples = [dataset[number] for number in numbers]
    axes = draw_click_sheet([(image, label, stored_clicks(maps)) for image, maps, label in examples],
                            titles=[dataset.ids[number] for number in numbers])
    with atomic_write(path) as temporary:
        axes[0].figure.savefig(temporary)


def training_command(lists, datasets, options):
    """What trains on the samples as the TensorFlow implementation does."""
    words = ['python', 'scripts/train.py', 'click', '--as-tensorflow', '--dataset', 'click-files',
             '--list', lists['train'], '--data', options.out]
    if options.energy_scale != STORED_SCALE:
        words += ['--click-scale', f'{options.energy_scale:g}']
    if 'val' in lists:
        words += ['--val-list', lists['val']]
    for prefix, split in (('', 'train'), ('val-', 'val')):
        folder = image_folder(datasets.get(split))
        if folder is not None:
            words += [f'--{prefix}images', folder]
    return shlex.join(map(str, [*words, '--init', 'MODEL', '--out', 'out/click']))


if __name__ == '__main__':
    command_line.run(main)
