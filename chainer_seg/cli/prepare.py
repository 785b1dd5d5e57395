"""Check a data set, report its statistics, and pack it for fast reading."""

import dataclasses
import functools
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import tyro
from tqdm import tqdm

from chainer_seg.bad_images import BadImages
from chainer_seg.cli.common import Common, Strict
from chainer_seg.cli.dataset_report import print_anchors, print_figures, print_problems
from chainer_seg.cli.file_options import Reading
from chainer_seg.cli.parsing import Command
from chainer_seg.datasets.published_anchors import PUBLISHED_RATIOS, PUBLISHED_SCALES, PUBLISHED_SIZE
from chainer_seg.errors import DatasetError, ImageError
from chainer_seg.files import atomic_write, write_json
from chainer_seg.locks import sole_writer
from chainer_seg.recipes.options import Flat, Positive, Switch, option
from chainer_seg.recipes.rules import only, with_any

if TYPE_CHECKING:
    import numpy as np

    from chainer_seg.datasets import PackedDataset
    from chainer_seg.datasets.statistics import Anchors

_SHOWN = 10  # problems of a kind, and classes, unless --verbose asks for all
_UNREADABLE = ('missing file', 'unreadable file', 'size mismatch')
_BAD = tyro.conf.create_mutex_group(required=False)


@dataclasses.dataclass(frozen=True)
class Prepare(Command):
    """Check a data set, report its statistics, and pack it for fast reading.

    Writes to the output folder: train.packed, val.packed (and test.packed), which are used as --annotations
    without --images; statistics.json with the figures of the training images and of anchors that fit them;
    statistics.png with plots of both. The options are those of the TensorFlow implementation's tool, with
    one dash or two. The same command resumes an interrupted run.

    Attributes:
        train_annotations_file: COCO JSON of the training images; a list of VOC or SBD; a folder of masks; or
            TFRecord files.
        val_annotations_file: The same of the validation images.
        test_annotations_file: The same of the test images.
        train_image_dir: Folder of the training images.
        val_image_dir: Folder of the validation images.
        test_image_dir: Folder of the test images.
        reading: Reading of masks, label images and lists.
        output_dir: Folder to write to.
        image_size: Side of the network's input, in pixels, for suggesting anchors.
        quick: Only check the headers of the images.
        skip_bad: Skip images that cannot be read, with exit status 0.
        strict: Stop at the first image that cannot be read.
        overwrite: Replace other data in the output folder.
        common: Common options.
    """

    train_annotations_file: Annotated[str, option('-train_annotations_file', metavar='J')]
    val_annotations_file: Annotated[str, option('-val_annotations_file', metavar='J')]
    output_dir: Annotated[pathlib.Path, option('-output_dir', metavar='O')]
    test_annotations_file: Annotated[str | None, option('-test_annotations_file', metavar='J')] = None
    train_image_dir: Annotated[str | None, option('-train_image_dir', metavar='D')] = None
    val_image_dir: Annotated[str | None, option('-val_image_dir', metavar='D')] = None
    test_image_dir: Annotated[str | None, option('-test_image_dir', metavar='D')] = None
    reading: Flat[Reading] = Reading()
    image_size: Annotated[Positive, option('-image_size', metavar='N')] = PUBLISHED_SIZE
    quick: Annotated[Switch, option('-quick')] = False
    skip_bad: Annotated[Switch, option('-skip_bad'), _BAD] = False
    strict: Annotated[Strict, _BAD] = False
    overwrite: Annotated[Switch, option('-overwrite')] = False
    common: Flat[Common] = Common()

    rules: ClassVar = (only(with_any('--test_annotations_file'), '--test_image_dir'),)

    def run(self) -> None:
        from chainer_seg.datasets import CocoDataset
        splits = self.splits()
        check_classes(splits)
        if self.quick and not any(isinstance(split.dataset, CocoDataset) for split in splits):
            raise DatasetError('--quick applies only to COCO files, because only they are checked; omit it.')
        with sole_writer(self.output_dir):
            for split in splits:
                split.check()
            report(splits[0])
            for split in splits:
                split.pack()
        if not self.common.quiet:
            print('train on it with: chainer-seg train SYSTEM ' + ' '.join(
                f'--{"" if split.name == "train" else split.name + "-"}annotations {split.path}'
                for split in splits if split.name != 'test'))
        self.report_bad(splits)

    def splits(self) -> list['Split']:
        """The training, the validation and, if there are some, the test images."""
        named = {'train': (self.train_annotations_file, self.train_image_dir),
                 'val': (self.val_annotations_file, self.val_image_dir),
                 'test': (self.test_annotations_file, self.test_image_dir)}
        return [Split(name, annotations, images, self) for name, (annotations, images) in named.items()
                if annotations]

    @property
    def shown(self) -> int | None:
        """How many problems of a kind, and how many classes, are printed; None for all."""
        return None if self.common.verbose else _SHOWN

    def progress(self, text: str) -> functools.partial:
        """A progress bar of images."""
        return functools.partial(tqdm, desc=text, unit='image', disable=self.common.quiet)

    def report_bad(self, splits: list['Split']) -> None:
        """Lists the images that are not packed.

        Raises:
            chainer_seg.errors.ImageError: There are some, and --skip_bad is not given.
        """
        for split in splits:
            split.bad.show(self.common.verbose, 'skipped')
        if self.skip_bad or not any(split.bad for split in splits):
            return
        counts = ' and '.join(f'{len(split.bad)} of the {len(split.dataset)} images of {split.annotations}'
                              for split in splits if split.bad)
        raise ImageError(f'{counts} could not be read and are not packed; repair or replace them and pack '
                         f'again with --overwrite, or skip them with --skip_bad.')


class Split:
    """The training, validation or test images."""

    def __init__(self, name: str, annotations: str, images: str | None, options: Prepare) -> None:
        from chainer_seg.datasets import Dataset, open_dataset
        self.name, self.annotations, self.images, self.options = name, annotations, images, options
        self.path = options.output_dir / f'{name}.packed'
        self.dataset: Dataset = open_dataset(annotations, images, **options.reading.settings(annotations))
        self.bad = BadImages(options.strict)

    def files(self) -> list[pathlib.Path]:
        """All files of the data set."""
        from chainer_seg.datasets import MaskFolder, SbdDataset, TFRecordDataset, VocDataset
        from chainer_seg.datasets.tfrecord_files import find_shards
        if isinstance(self.dataset, TFRecordDataset):
            return find_shards(self.annotations)
        dataset, annotations = self.dataset, pathlib.Path(self.annotations)
        folders: list[Any] = [] if self.images is None else [self.images]
        if isinstance(dataset, SbdDataset):
            folders = [dataset.folder / 'img', dataset.folder / 'inst']
        elif isinstance(dataset, VocDataset):
            folders = [dataset.image_folder, *sorted(dataset.folder.glob('Segmentation*'))]
        elif isinstance(dataset, MaskFolder):
            folders = [dataset.image_folder, dataset.path]
        return [*([annotations] if annotations.is_file() else []), *(
            path for folder in folders for path in sorted(pathlib.Path(folder).rglob('*'))
            if path.is_file())]

    def check(self) -> None:
        """Prints the problems.

        Raises:
            DatasetError: There are images that cannot be read, with --strict.
        """
        from chainer_seg.datasets import CocoDataset, validate_coco
        if not isinstance(self.dataset, CocoDataset):
            return
        options = self.options
        problems = validate_coco(self.annotations, self.images, read_pixels=not options.quick,
                                 progress=options.progress(f'checking {self.name}'))
        print_problems(problems, options.shown)
        unreadable = sum(problem.kind in _UNREADABLE for problem in problems)
        if unreadable and options.strict:
            raise DatasetError(f'{unreadable} of the {len(self.dataset)} images of {self.annotations} '
                               f'cannot be used as they are; repair or replace them, or skip them '
                               f'with --skip_bad.')
        if not options.common.quiet:
            print(f'{self.name}: {len(self.dataset)} images, {len(problems) or "no"} problems')

    def pack(self) -> None:
        """Writes the packed file unless an earlier run wrote it from the same files."""
        from chainer_seg.datasets import PackedDataset
        from chainer_seg.jobs import pack
        from chainer_seg.jobs.fingerprints import fingerprint_of_files
        options, source = self.options, fingerprint_of_files(self.files())
        if options.reading.labels_as != 'auto':
            source += f' {options.reading.labels_as}'
        if self.path.exists() and not options.overwrite:
            packed = PackedDataset(self.path)
            if packed.source == source:
                self._note_missing(packed)
                if not options.common.quiet:
                    print(f'{self.path} is up to date')
                return
            raise DatasetError(f'{self.path} holds other data; choose another output folder or replace '
                               f'it with --overwrite.')
        pack(self.dataset, self.path, source=source, read_pixels=not options.quick,
             title=f'packing {self.name}', progress=not options.common.quiet, on_error=self.bad)
        if not options.common.quiet:
            print(f'wrote {self.path} ({self.path.stat().st_size / 1e6:.1f} MB)')

    def _note_missing(self, packed: 'PackedDataset') -> None:
        """Notes the images that could not be read when an earlier run packed them."""
        known = set(packed.ids)
        for number, image_id in enumerate(self.dataset.ids):
            if image_id not in known:
                self.bad(number, ImageError(f'The image {self.dataset.file_name(number)} is not in '
                                            f'{self.path}: it could not be read.'))


def check_classes(splits: Sequence[Split]) -> None:
    """Raises a DatasetError if splits differ in categories; TFRecord files only list those that occur."""
    from chainer_seg.datasets.tfrecord import with_shared_categories
    for split, dataset in zip(splits, with_shared_categories([split.dataset for split in splits])):
        split.dataset = dataset
    first, *others = splits
    for split in others:
        if (split.dataset.class_names, split.dataset.category_ids) != (
                first.dataset.class_names, first.dataset.category_ids):
            raise DatasetError(f'{split.annotations} has other categories than {first.annotations}; '
                               f'give both the same list.')


def report(split: Split) -> None:
    """Prints and writes the figures of the training images, and anchors that fit them."""
    from chainer_seg.datasets import measure_dataset
    from chainer_seg.visualization import draw_statistics
    options, folder = split.options, split.options.output_dir
    statistics = measure_dataset(split.dataset, options.progress('measuring'), split.bad)
    figures, sizes = statistics.to_dict(), statistics.sizes_at(options.image_size)
    candidates = anchor_choices(sizes, options.image_size)
    suggested = candidates.get('suggested anchors')
    write_json(folder / 'statistics.json', {
        **figures, 'image size': options.image_size,
        **{name: dataclasses.asdict(anchors) for name, anchors in candidates.items()}}, indent=2)
    with atomic_write(folder / 'statistics.png') as temporary:
        draw_statistics(statistics, suggested, options.image_size)[0].figure.savefig(temporary)
    if options.common.quiet:
        return
    print_figures(figures, options.shown)
    if statistics.unseen_classes:
        print(f'classes without an object to learn from: {", ".join(statistics.unseen_classes)}')
    for name, anchors in candidates.items():
        print_anchors(name, anchors)
    print(f'wrote {folder / "statistics.json"} and {folder / "statistics.png"}')


def anchor_choices(sizes: 'np.ndarray', image_size: int) -> dict[str, 'Anchors']:
    """Anchors by name for boxes of ``sizes`` (M, 2) in an input of ``image_size``; {} without boxes."""
    from chainer_seg.datasets import fit_anchors, suggest_anchors
    suggested = suggest_anchors(sizes)
    if suggested is None:
        return {}
    scales = [scale * image_size / PUBLISHED_SIZE for scale in PUBLISHED_SCALES]
    return {'published anchors, square as released': fit_anchors(sizes, scales),
            'published anchors with their ratios': fit_anchors(sizes, scales, PUBLISHED_RATIOS),
            'suggested anchors': suggested}
