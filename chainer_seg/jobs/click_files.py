"""Click data files of a whole data set, as the TensorFlow code of arXiv 1603.04042 makes them."""

import collections
import dataclasses
import os
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np

from chainer_seg.bad_images import OnError
from chainer_seg.datasets.base import Dataset, as_dataset
from chainer_seg.datasets.click_files import (
    IMAGE_ENDING, LABELS_FOLDER, MAPS_ENDING, MAPS_FOLDER, has_sample, label_path, read_list, write_sample)
from chainer_seg.errors import DatasetError
from chainer_seg.files import atomic_write, check_inside, write_text
from chainer_seg.images import write_image
from chainer_seg.jobs.results import Results
from chainer_seg.models.deeplab.sampling import ClickSampling, find_sampling
from chainer_seg.models.deeplab.precomputed_clicks import (
    LEAST_AREA, MAP_SCALE, maps_of_clicks, sample_object_clicks, usable_objects)

_LIST_ENDING, _SETTINGS_ENDING = '_converted.txt', '_sampling.json'
_JPEG_QUALITY = 95


def write_click_files(dataset: Dataset, folder: str | os.PathLike[str], split: str = 'train',
                      sampling: str | ClickSampling = 'tensorflow', *, scale: float = MAP_SCALE,
                      seed: int = 0, least_area: float = LEAST_AREA, max_objects: int | None = None,
                      source: str = '', overwrite: bool = False, progress: bool = True,
                      on_error: OnError | None = None) -> pathlib.Path:
    """Samples clicks on the objects of a data set and writes them as files.

    A sample depends only on the seed, its image, its object and its pair. Existing samples are kept, so
    an interrupted call is resumed by another one. Images are listed by their names;
    those of a data set without image files are written to ``folder/images``.

    Args:
        dataset: Any data set of images and their objects.
        folder: Output folder; see :mod:`chainer_seg.datasets.click_files`.
        split: Name of the list, ``SPLIT_converted.txt``.
        sampling: As the ``method`` of :func:`sample_clicks`.
        scale: Distances are multiplied by this.
        seed: A whole number from 0.
        least_area: Minimum area of an object in pixels; crowds are skipped, too.
        max_objects: Maximum number of objects; None for all.
        source: Text that identifies the data set.
        overwrite: Replace samples of other settings, which are an error otherwise.
        progress: Show a progress bar.
        on_error: Called with the number and the error of an image that cannot be read, which is then
            skipped; None raises the error.

    Returns:
        The path of the list.

    Raises:
        chainer_seg.errors.DatasetError: No object is large enough, the folder contains samples of other
            settings, or the names of the images cannot be listed.
        chainer_seg.errors.ImageError: An image is unreadable.
        chainer_seg.errors.DiskFullError: The disk is full or the folder is not writable.
        chainer_seg.errors.FolderInUseError: Another run is writing to the folder.
        chainer_seg.errors.LinkError: A folder in it is a link that leads out of it.
    """
    folder, sampling, dataset = pathlib.Path(folder), find_sampling(sampling), as_dataset(dataset)
    writer = _ImageWriter(dataset, folder, split, scale)
    _check_names(writer.names, folder, split)
    check_inside(folder, 'images', MAPS_FOLDER, LABELS_FOLDER)
    path, settings_name = folder / f'{split}{_LIST_ENDING}', f'{split}{_SETTINGS_ENDING}'
    settings = {'source': source, 'seed': seed, 'least_area': least_area, 'max_objects': max_objects,
                'energy_scale': scale, **dataclasses.asdict(sampling)}
    lines: list[str] = []

    def sample(number: int) -> list[str]:
        left = None if max_objects is None else max_objects - len(lines) // sampling.n_pairs
        image, instances = dataset[number]
        chosen = usable_objects(instances, least_area)[:left]
        if not len(chosen):
            return []
        return writer.write(number, image, instances.masks, chosen, sampling, (seed, number))

    with Results(folder, settings, list[str], content='click files', database=f'{split}.sqlite',
                 files=lambda: [path, folder / settings_name, *writer.written()],
                 overwrite=overwrite) as results:
        results.forget([number for number in results.done
                        if not writer.has_all(number, results.read(number))])
        for number, samples in results.rows(range(len(dataset)), sample, title=f'sampling {split}',
                                            progress=progress, on_error=on_error):
            lines += [f'{writer.names[number]} {each}\n' for each in samples]
            if max_objects is not None and len(lines) >= max_objects * sampling.n_pairs:
                break
        if not lines:
            raise DatasetError(f'The data set has no object of at least {least_area} pixels to click '
                               f'on; lower the least area or use another data set.')
        write_text(path, ''.join(lines))
        results.write_settings(settings_name)
    return path


class _ImageWriter:
    """Writes all files of one image."""

    def __init__(self, dataset: Dataset, folder: pathlib.Path, split: str, scale: float) -> None:
        self._dataset, self._folder, self._scale = dataset, folder, scale
        # Images of a data set without image files are written, too.
        self._writes_images = dataset.image_folder is None
        self._files = [
            dataset.file_name(number) if dataset.has_files else f'{split}-{number:06d}{IMAGE_ENDING}'
            for number in range(len(dataset))]
        # The names in the list.
        self.names = [name.removesuffix(IMAGE_ENDING) for name in self._files]

    def write(self, number: int, image: np.ndarray, masks: np.ndarray, chosen: np.ndarray,
              sampling: ClickSampling, seed: tuple[int, ...]) -> list[str]:
        """Writes the missing samples; returns the names of all samples of the image."""
        samples = [f'{self.names[number]}-{part}' for part in range(sampling.n_pairs * len(chosen))]
        wanted = {part for part, sample in enumerate(samples)
                  if not has_sample(self._folder, sample)}
        for part, clicks, label in sample_object_clicks(masks, chosen, wanted, sampling, seed):
            maps = maps_of_clicks(clicks, label.shape, self._scale)
            write_sample(self._folder, samples[part], maps, label)
        if self._writes_images:
            self._write_image(self._folder / 'images' / self._files[number], number, image)
        return samples

    def has_all(self, number: int, samples: Sequence[str]) -> bool:
        """Whether these are samples of an image, and all of their files and the image are there."""
        if number not in range(len(self.names)):
            return False
        if samples and self._writes_images and not (self._folder / 'images' / self._files[number]).exists():
            return False
        return all(sample.rpartition('-')[0] == self.names[number] and has_sample(self._folder, sample)
                   for sample in samples)

    def written(self) -> Iterator[pathlib.Path]:
        """The files of these images that an earlier run wrote."""
        names, maps = set(self.names), self._folder / MAPS_FOLDER
        for path in list(maps.rglob(f'*{MAPS_ENDING}')):
            sample = path.relative_to(maps).as_posix().removesuffix(MAPS_ENDING)
            if sample.rpartition('-')[0] in names:
                yield from (path, label_path(self._folder, sample))
        if self._writes_images:
            yield from (self._folder / 'images' / file for file in self._files)

    def _write_image(self, path: pathlib.Path, number: int, image: np.ndarray) -> None:
        if path.exists():
            return
        if not self._dataset.has_files:
            write_image(path, image, quality=_JPEG_QUALITY)
            return
        data, _ = self._dataset.read_file(number)
        with atomic_write(path) as temporary:
            temporary.write_bytes(data)


def _check_names(names: Sequence[str], folder: pathlib.Path, split: str) -> None:
    """Raises an error for names that a list cannot contain, or that several images have."""
    for name in names:
        path = pathlib.Path(name)
        if len(name.split()) != 1 or path.is_absolute() or '..' in path.parts:
            raise DatasetError(f'The image {name!r} cannot be listed because its name contains a space '
                               f'or leads out of the image folder; rename it.')
    name, count = collections.Counter(names).most_common(1)[0] if names else ('', 0)
    if count > 1:
        raise DatasetError(f'{count} images have the name {name}; give each image its own name.')
    for path in folder.glob(f'*{_LIST_ENDING}'):
        shared = set() if path.name == f'{split}{_LIST_ENDING}' else (
            {image for image, _ in read_list(path)} & set(names))
        if shared:
            raise DatasetError(f'{path} lists images of the same names as the {split} images '
                               f'({min(shared)}); write these to another folder.')
