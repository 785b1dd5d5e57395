"""Check a data set, report its statistics, and pack it for fast reading.

Writes to the output folder: train.packed, val.packed (and test.packed), which are used as --annotations
without --images; statistics.json with the figures of the training images and of anchors that fit them;
statistics.png with plots of both. The options are those of the TensorFlow implementation's tool, with
one dash or two. The same command resumes an interrupted run.
"""

import dataclasses
import functools
import hashlib
import os
import pathlib
from collections.abc import Sequence

from tqdm import tqdm

from chainer_seg import command_line
from chainer_seg.bad_images import BadImages
from chainer_seg.cli.dataset_report import print_anchors, print_figures, print_problems
from chainer_seg.cli.file_options import add_reading_options, reading_options
from chainer_seg.datasets.published_anchors import PUBLISHED_RATIOS, PUBLISHED_SCALES, PUBLISHED_SIZE
from chainer_seg.errors import DatasetError, ImageError
from chainer_seg.files import atomic_write, write_json
from chainer_seg.locks import sole_writer
from chainer_seg.options import Parser, with_any

_SHOWN = 10  # problems of a kind, and classes, unless --verbose asks for all
_UNREADABLE = ('missing file', 'unreadable file', 'size mismatch')


def main(arguments: Sequence[str] | None = None) -> None:
    options = make_parser().parse_args(arguments)
    from chainer_seg.datasets import CocoDataset
    shown = None if options.verbose else _SHOWN
    splits = {name: Split(name, options) for name in ('train', 'val', 'test')
              if getattr(options, f'{name}_annotations_file')}
    check_classes(splits)
    if options.quick and not any(isinstance(split.dataset, CocoDataset) for split in splits.values()):
        raise DatasetError('--quick applies only to COCO files, because only they are checked; omit it.')
    with sole_writer(options.output_dir):
        for split in splits.values():
            split.check(options, shown)
        report(splits['train'], pathlib.Path(options.output_dir), options, shown)
        for split in splits.values():
            split.pack(options)
    if not options.quiet:
        print('train on it with: chainer-seg train SYSTEM ' + ' '.join(
            f'--{"" if name == "train" else name + "-"}annotations {split.path}'
            for name, split in splits.items() if name != 'test'))
    report_bad(splits.values(), options)


def make_parser() -> Parser:
    """The parser of this subcommand."""
    parser = command_line.parser(__doc__, prog='chainer-seg data prepare', device=False)
    add_option(parser, 'train_image_dir', metavar='D', help='folder of the training images')
    add_option(parser, 'val_image_dir', metavar='D', help='folder of the validation images')
    add_option(parser, 'test_image_dir', metavar='D', help='folder of the test images')
    for name, required in (('train', True), ('val', True), ('test', False)):
        add_option(parser, f'{name}_annotations_file', metavar='J', required=required,
                   help=f'COCO JSON of the {name} images; a list of VOC or SBD; a folder of masks; or '
                        f'TFRecord files')
    add_reading_options(parser)
    add_option(parser, 'output_dir', metavar='O', required=True, help='folder to write to')
    add_option(parser, 'image_size', type=command_line.count_argument, default=PUBLISHED_SIZE,
               metavar='N', help='side of the network\'s input in pixels, for suggesting anchors')
    add_option(parser, 'quick', action='store_true', help='only check the headers of the images')
    bad = parser.add_mutually_exclusive_group()
    add_option(bad, 'skip_bad', action='store_true',
               help='skip images that cannot be read, with exit status 0')
    command_line.add_strict_option(bad)
    add_option(parser, 'overwrite', action='store_true', help='replace other data in the output folder')
    parser.only(with_any('--test_annotations_file'), '--test_image_dir')
    return parser


def add_option(parser, name, **settings):
    """Adds an option under all its spellings: with one dash as in the TensorFlow tool, with two, ..."""
    spellings = dict.fromkeys((f'--{name}', f'-{name}', f'--{name.replace("_", "-")}'))
    parser.add_argument(*spellings, dest=name, **settings)


class Split:
    """The training, validation or test images."""

    def __init__(self, name, options):
        from chainer_seg.datasets import open_dataset
        self.name = name
        self.annotations = getattr(options, f'{name}_annotations_file')
        self.images = getattr(options, f'{name}_image_dir')
        self.path = pathlib.Path(options.output_dir) / f'{name}.packed'
        self.dataset = open_dataset(self.annotations, self.images,
                                    **reading_options(options, self.annotations))
        self.bad = BadImages(options.strict)

    def files(self):
        """All files of the data set."""
        from chainer_seg.datasets import MaskFolder, SbdDataset, TFRecordDataset, VocDataset
        from chainer_seg.datasets.tfrecord_files import find_shards
        if isinstance(self.dataset, TFRecordDataset):
            return find_shards(self.annotations)
        dataset, annotations = self.dataset, pathlib.Path(self.annotations)
        folders = [] if self.images is None else [self.images]
        if isinstance(dataset, SbdDataset):
            folders = [dataset.folder / 'img', dataset.folder / 'inst']
        elif isinstance(dataset, VocDataset):
            folders = [dataset.image_folder, *sorted(dataset.folder.glob('Segmentation*'))]
        elif isinstance(dataset, MaskFolder):
            folders = [dataset.image_folder, dataset.path]
        return [*([annotations] if annotations.is_file() else []), *(
            path for folder in folders for path in sorted(pathlib.Path(folder).rglob('*'))
            if path.is_file())]

    def check(self, options, shown):
        """Prints the problems.

        Raises:
            DatasetError: There are images that cannot be read, with --strict.
        """
        from chainer_seg.datasets import CocoDataset, validate_coco
        if not isinstance(self.dataset, CocoDataset):
            return
        problems = validate_coco(self.annotations, self.images, read_pixels=not options.quick,
                                 progress=progress(f'checking {self.name}', options))
        print_problems(problems, shown)
        unreadable = sum(problem.kind in _UNREADABLE for problem in problems)
        if unreadable and options.strict:
            raise DatasetError(f'{unreadable} of the {len(self.dataset)} images of {self.annotations} '
                               f'cannot be used as they are; repair or replace them, or skip them '
                               f'with --skip_bad.')
        if not options.quiet:
            print(f'{self.name}: {len(self.dataset)} images, {len(problems) or "no"} problems')

    def pack(self, options):
        """Writes the packed file unless an earlier run wrote it from the same files."""
        from chainer_seg.datasets import PackedDataset, pack_dataset
        source = fingerprint(self.files())
        if options.labels_as != 'auto':
            source += f' {options.labels_as}'
        if self.path.exists() and not options.overwrite:
            packed = PackedDataset(self.path)
            if packed.source == source:
                self._note_missing(packed)
                if not options.quiet:
                    print(f'{self.path} is up to date')
                return
            raise DatasetError(f'{self.path} holds other data; choose another output folder or replace '
                               f'it with --overwrite.')
        pack_dataset(self.dataset, self.path, source=source,
                     on_error=self.bad, read_pixels=not options.quick,
                     progress=progress(f'packing {self.name}', options))
        if not options.quiet:
            print(f'wrote {self.path} ({self.path.stat().st_size / 1e6:.1f} MB)')

    def _note_missing(self, packed):
        """Notes the images that could not be read when an earlier run packed them."""
        known = set(packed.ids)
        for number, image_id in enumerate(self.dataset.ids):
            if image_id not in known:
                self.bad(number, ImageError(f'The image {self.dataset.image_names[number]} is not in '
                                            f'{self.path}: it could not be read.'))


def check_classes(splits):
    """Raises a DatasetError if splits differ in categories; TFRecord files only list those that occur."""
    from chainer_seg.datasets import TFRecordDataset
    splits = splits.values()
    if all(isinstance(split.dataset, TFRecordDataset) for split in splits):
        categories = {}
        for split in splits:
            categories.update(split.dataset.categories)
        for split in splits:
            split.dataset = split.dataset.with_categories(categories)
    first, *others = splits
    for split in others:
        if (split.dataset.class_names, split.dataset.category_ids) != (
                first.dataset.class_names, first.dataset.category_ids):
            raise DatasetError(f'{split.annotations} has other categories than {first.annotations}; '
                               f'give both the same list.')


def report(split, folder, options, shown):
    """Prints and writes the figures of the training images, and anchors that fit them."""
    from chainer_seg.datasets import measure_dataset
    from chainer_seg.visualization import draw_statistics
    statistics = measure_dataset(split.dataset, progress('measuring', options), split.bad)
    figures, sizes = statistics.to_dict(), statistics.sizes_at(options.image_size)
    candidates = anchor_choices(sizes, options.image_size)
    suggested = candidates.get('suggested anchors')
    write_json(folder / 'statistics.json', {
        **figures, 'image size': options.image_size,
        **{name: dataclasses.asdict(anchors) for name, anchors in candidates.items()}}, indent=2)
    with atomic_write(folder / 'statistics.png') as temporary:
        draw_statistics(statistics, suggested, options.image_size)[0].figure.savefig(temporary)
    if options.quiet:
        return
    print_figures(figures, shown)
    if statistics.unseen_classes:
        print(f'classes without an object to learn from: {", ".join(statistics.unseen_classes)}')
    for name, anchors in candidates.items():
        print_anchors(name, anchors)
    print(f'wrote {folder / "statistics.json"} and {folder / "statistics.png"}')


def anchor_choices(sizes, image_size):
    """Anchors by name for boxes of ``sizes`` (M, 2) in an input of ``image_size``; {} without boxes."""
    from chainer_seg.datasets import fit_anchors, suggest_anchors
    suggested = suggest_anchors(sizes)
    if suggested is None:
        return {}
    scales = [scale * image_size / PUBLISHED_SIZE for scale in PUBLISHED_SCALES]
    return {'published anchors, square as released': fit_anchors(sizes, scales),
            'published anchors with their ratios': fit_anchors(sizes, scales, PUBLISHED_RATIOS),
            'suggested anchors': suggested}


def report_bad(splits, options):
    """Lists the images that are not packed.

    Raises:
        ImageError: There are some, and --skip_bad is not given.
    """
    for split in splits:
        split.bad.show(options.verbose, 'skipped')
    if options.skip_bad or not any(split.bad for split in splits):
        return
    counts = ' and '.join(f'{len(split.bad)} of the {len(split.dataset)} images of {split.annotations}'
                          for split in splits if split.bad)
    raise ImageError(f'{counts} could not be read and are not packed; repair or replace them and pack '
                     f'again with --overwrite, or skip them with --skip_bad.')


def fingerprint(files):
    """The same text as long as no file of a data set changes its name, size or time."""
    found = hashlib.sha256()
    for path in files:
        status = os.stat(path)
        found.update(f'{path.resolve()} {status.st_size} {status.st_mtime_ns}\n'.encode())
    return found.hexdigest()


def progress(text, options):
    return functools.partial(tqdm, desc=text, unit='image', disable=options.quiet)
