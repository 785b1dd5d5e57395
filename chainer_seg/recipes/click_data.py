"""The data of a training of click segmentation: objects, collages of them, or precomputed click maps."""

import dataclasses
import pathlib
from typing import Annotated, Any

from chainer_seg.errors import DatasetError
from chainer_seg.recipes.data import OBJECT_SETS, Data
from chainer_seg.recipes.options import chosen, option


@dataclasses.dataclass(frozen=True)
class ClickData(Data):
    """The data.

    Attributes:
        dataset: Synthetic shapes, textured or plain, or people; coco, voc or sbd, a data set of files (the
            default with --annotations); collages, objects of these files and synthetic shapes pasted into
            their images; or click-files, the samples that ``chainer-seg data clicks`` wrote.
        list: List of samples to train on, for --dataset click-files.
        data: Folder of the samples; that of the list if not given. --images defaults to "images" there.
        val_list: List of samples to validate on.
    """

    dataset: Annotated[str | None, chosen((*OBJECT_SETS, 'collages', 'click-files')), option()] = None
    list: Annotated[pathlib.Path | None, option(metavar='TXT')] = None
    data: Annotated[pathlib.Path | None, option(metavar='D')] = None
    val_list: Annotated[pathlib.Path | None, option(metavar='TXT')] = None

    def _open(self, examples: int, seed: int, keypoints: bool | None) -> tuple[Any, Any]:
        from chainer_seg.datasets import ClickFilesDataset, CollageDataset
        if self.dataset == 'collages':
            photographs, validation = self._open_files(keypoints)
            return CollageDataset(photographs, max(1, examples), seed), validation
        if self.dataset != 'click-files':
            return super()._open(examples, seed, keypoints)
        if not self.list:
            raise DatasetError('--dataset click-files needs --list, a list that chainer-seg data clicks '
                               'wrote.')
        if self.labels_as != 'auto':
            raise DatasetError('--labels-as is for masks and label images, not for click files; omit it.')
        train = ClickFilesDataset(self.list, self.data, self.images, allow_outside=self.allow_outside)
        if not self.val_list:
            return train, train
        return train, ClickFilesDataset(self.val_list, self.data, self.val_images or self.images,
                                        allow_outside=self.allow_outside)
