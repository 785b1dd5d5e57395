"""Sample clicks on the objects of a data set once, and write them as files for training."""

import dataclasses
import pathlib
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from tyro.conf import Positional, arg

from chainer_seg.bad_images import BadImages
from chainer_seg.cli.common import Common, Strict
from chainer_seg.cli.file_options import Reading
from chainer_seg.cli.parsing import Command
from chainer_seg.files import atomic_write
from chainer_seg.models.deeplab.precomputed_clicks import LEAST_AREA, MAP_SCALE, clicks_of_maps
from chainer_seg.recipes.data import SYNTHETIC, VALIDATION_SEED_OFFSET, synthetic_class
from chainer_seg.recipes.options import Flat, Positive, Size, Switch, chosen, option
from chainer_seg.recipes.rules import only, with_any, without
from chainer_seg.recipes.sampling import Sampling

if TYPE_CHECKING:
    from chainer_seg.datasets.click_files import ClickFilesDataset

_SHOWN = 12  # samples on the sheet of --preview


@dataclasses.dataclass(frozen=True)
class StoredSampling(Sampling):
    """Sampling of the clicks. Distances are in pixels; defaults are those of --method.

    Names in capitals are those of the TensorFlow implementation's configuration.

    Attributes:
        sampling: Sampling as in the paper, or as in the TensorFlow implementation.
        n_pairs: Number of samples of each object, which take turns with the strategies.
    """

    sampling: Annotated[Literal['paper', 'tensorflow'], arg(name='method')] = 'tensorflow'
    n_pairs: Annotated[Positive | None, option('--pairs', '--N_PAIRS', metavar='N')] = None


@dataclasses.dataclass(frozen=True)
class Clicks(Command):
    """Sample clicks on the objects of a data set once, and write them as files for training.

    Writes to the folder OUT what the TensorFlow implementation's tool writes: data/SAMPLE_pnsamples.tif with
    the maps of distances to positive and to negative clicks, labels/SAMPLE_label.tif with the object, and
    train_converted.txt and val_converted.txt, which list images and samples. Synthetic and packed images are
    written to OUT/images. The same command resumes an interrupted run.

    Attributes:
        out: Folder to write to.
        annotations: Objects of the training images: a COCO JSON, a packed data set, a list of VOC or SBD,
            TFRecord files, or a folder of masks.
        images: Folder of these images.
        val_annotations: Objects of the validation images, in the same forms.
        val_images: Folder of these images.
        reading: Reading of masks, label images and lists.
        draw: Kind of synthetic images, without --annotations.
        n: Number of synthetic training images.
        val_n: Number of synthetic validation images.
        size: Size of synthetic images, in pixels.
        least_area: Minimum area of an object, in pixels.
        max_objects: Maximum number of objects.
        energy_scale: Factor of the distances in the stored maps.
        sampling: Sampling of the clicks.
        preview: PNG to draw some samples to, on a contact sheet.
        overwrite: Replace samples made with other options.
        strict: Stop at the first image that cannot be read.
        common: Common options.
    """

    out: Positional[Annotated[pathlib.Path, option(metavar='OUT')]]
    annotations: Annotated[str | None, option(metavar='J')] = None
    images: Annotated[str | None, option(metavar='D')] = None
    val_annotations: Annotated[str | None, option(metavar='J')] = None
    val_images: Annotated[str | None, option(metavar='D')] = None
    reading: Flat[Reading] = Reading()
    draw: Annotated[str, chosen(SYNTHETIC)] = 'shapes'
    n: Annotated[Positive, option(metavar='N')] = 200
    val_n: Annotated[Positive, option(metavar='N')] = 40
    size: Size = (256, 256)
    least_area: Annotated[int, option(metavar='PX')] = LEAST_AREA
    max_objects: Annotated[Positive | None, option(metavar='N')] = None
    energy_scale: Annotated[float, option('--ENERGY_SCALE', metavar='S')] = MAP_SCALE
    sampling: Flat[StoredSampling] = StoredSampling()
    preview: Annotated[str | None, option(metavar='PNG')] = None
    overwrite: Switch = False
    strict: Strict = False
    common: Flat[Common] = Common()

    rules: ClassVar = (
        only(without('--annotations'), '--draw', '--n', '--val-n', '--size'),
        only(with_any('--annotations'), '--images', '--val-annotations'),
        only(with_any('--val-annotations'), '--val-images'))

    def run(self) -> None:
        datasets, bad = self.datasets(), BadImages(self.strict)
        with bad.reported(sum(map(len, datasets.values())), 'have no samples', self.common.verbose):
            self.write_all(datasets, bad)

    def write_all(self, datasets: Mapping[str, Any], bad: BadImages) -> None:
        """Writes the samples of all splits and, if asked for, a preview."""
        from chainer_seg.datasets import ClickFilesDataset
        lists = {name: self.write(name, dataset, bad) for name, dataset in datasets.items()}
        if self.preview:
            preview(ClickFilesDataset(lists['train'], self.out, datasets['train'].image_folder), self.preview)
        if self.common.quiet:
            return
        if self.preview:
            print(f'wrote {self.preview}')
        print(f'train on it with: {self.training_command(lists, datasets)}')

    def datasets(self) -> dict[str, Any]:
        """The data sets by the names of their splits."""
        from chainer_seg.datasets import open_dataset
        from chainer_seg.datasets.opening import folder_for
        reading, seed = self.reading.settings(self.annotations), self.common.seed
        if not self.annotations:
            draw = synthetic_class(self.draw)
            return {'train': draw(self.n, seed, self.size),
                    'val': draw(self.val_n, seed + VALIDATION_SEED_OFFSET, self.size)}
        splits = {'train': open_dataset(self.annotations, self.images, **reading)}
        if self.val_annotations:
            folder = folder_for(self.val_annotations, self.val_images, self.images)
            splits['val'] = open_dataset(self.val_annotations, folder, **reading)
        return splits

    def write(self, split: str, dataset: Any, bad: BadImages) -> pathlib.Path:
        """Writes the samples of one split and returns the path of its list."""
        from chainer_seg.datasets.click_files import read_list
        from chainer_seg.jobs import write_click_files
        sampling = self.sampling.chosen()
        assert sampling is not None  # only 'few', which cannot be chosen here, has no numbers
        annotations, count = {'train': (self.annotations, self.n),
                              'val': (self.val_annotations, self.val_n)}[split]
        source = str(pathlib.Path(annotations).resolve()) if annotations else (
            f'{self.draw} {count} {self.size}')
        if self.reading.labels_as != 'auto':
            source += f', labels as {self.reading.labels_as}'
        path = write_click_files(
            dataset, self.out, split, sampling, scale=self.energy_scale, seed=self.common.seed,
            least_area=self.least_area, max_objects=self.max_objects, source=source,
            overwrite=self.overwrite, progress=not self.common.quiet,
            on_error=lambda number, error: bad((split, number), error))
        if not self.common.quiet:
            print(f'{split}: {len(read_list(path))} samples in {path}')
        return path

    def training_command(self, lists: Mapping[str, pathlib.Path], datasets: Mapping[str, Any]) -> str:
        """The command that trains on the samples as the TensorFlow implementation does."""
        words = ['chainer-seg', 'train', 'click', '--recipe', 'tensorflow', '--dataset', 'click-files',
                 '--list', str(lists['train']), '--data', str(self.out)]
        if self.energy_scale != MAP_SCALE:
            words += ['--click-scale', f'{self.energy_scale:g}']
        if 'val' in lists:
            words += ['--val-list', str(lists['val'])]
        for prefix, split in (('', 'train'), ('val-', 'val')):
            folder = datasets[split].image_folder if split in datasets else None
            if folder is not None:
                words += [f'--{prefix}images', str(folder)]
        return shlex.join([*words, '--init', 'MODEL', '--out', 'out/click'])


def preview(dataset: 'ClickFilesDataset', path: str) -> None:
    """Draws samples spread over a list, as they were written."""
    from chainer_seg.visualization import draw_click_sheet
    numbers = np.linspace(0, len(dataset) - 1, min(_SHOWN, len(dataset))).astype(int)
    examples = [dataset[number] for number in numbers]
    axes = draw_click_sheet([(image, label, clicks_of_maps(maps)) for image, maps, label in examples],
                            titles=[dataset.ids[number] for number in numbers])
    with atomic_write(path) as temporary:
        axes[0].figure.savefig(temporary)
