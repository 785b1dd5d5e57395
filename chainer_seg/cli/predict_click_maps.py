"""Segment the objects of a list of precomputed click maps."""

import collections
import dataclasses
import logging
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np

from chainer_seg.cli.common import CommonOfModel, Strict
from chainer_seg.cli.crf_options import crf_parameters
from chainer_seg.cli.dispatch import ModelCommand, ModelName
from chainer_seg.cli.prediction import predict_each
from chainer_seg.errors import ImageError
from chainer_seg.recipes.options import Flat, Switch, chosen, option
from chainer_seg.recipes.rules import only, with_any

if TYPE_CHECKING:
    from chainer_seg.datasets import ClickFilesDataset
    from chainer_seg.jobs import Input

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class PredictClickMaps(ModelCommand):
    """Segment the objects of a list of click maps, as inference_list_tiff.py of the TensorFlow code.

    Each line of the list names an image and a sample, as ``chainer-seg data clicks`` writes it. With --joint,
    the objects of each image are refined together by a dense CRF, as denseCRF_infer3.py does, so that no
    pixel belongs to two of them: IMAGE_joint.png has 0 where there is none, and the numbers of the objects
    from 1, in the order of the list.

    Attributes:
        model: Name of the model.
        list: List of images and samples.
        protocol: What the model does; maps if there is a list.
        data: Folder with data, the click maps; that of the list if not given.
        images: Folder of the images; "images" in --data if not given.
        allow_outside: Allow the list to name files outside these folders.
        out: Folder for the results.
        threshold: Minimum probability of a pixel of the object.
        joint: Refine the objects of each image together.
        crf_parameters: Parameters of the dense CRF: deeplab or tensorflow, optionally with changes, as in
            tensorflow,steps=5.
        strict: Stop at the first sample that cannot be read.
        common: Common options.
    """

    model: ModelName
    list: Annotated[pathlib.Path, option(metavar='TXT')]
    protocol: Annotated[str, chosen(('maps', 'clicks', 'instances', 'proposals'))] = 'maps'
    data: Annotated[pathlib.Path | None, option(metavar='D')] = None
    images: Annotated[pathlib.Path | None, option(metavar='D')] = None
    allow_outside: Switch = False
    out: Annotated[pathlib.Path, option('--save-dir', metavar='DIR')] = pathlib.Path('out/predict')
    threshold: Annotated[float, option(metavar='P')] = 0.5
    joint: Switch = False
    crf_parameters: Annotated[str, option(metavar='P')] = 'tensorflow'
    strict: Strict = False
    common: Flat[CommonOfModel] = CommonOfModel()

    rules: ClassVar = (only(with_any('--joint'), '--crf-parameters'),)

    def work(self, model: Any) -> None:
        from chainer_seg.datasets import ClickFilesDataset
        from chainer_seg.datasets.click_files import maps_path
        from chainer_seg.jobs import Input, save_click_mask
        from chainer_seg.jobs.result_paths import result_stems
        from chainer_seg.models.deeplab.precomputed_clicks import clicks_of_maps
        from chainer_seg.models.deeplab.precomputed_maps import segment_maps
        dataset = ClickFilesDataset(self.list, self.data, self.images, allow_outside=self.allow_outside,
                                    labels=False)
        stems = [stem for _, stem in result_stems(map(pathlib.Path, dataset.ids), self.out)]
        inputs = [Input(maps_path(dataset.folder, sample), False, pathlib.Path(f'{stem}_overlay.png'),
                        pathlib.Path(f'{stem}.json'), number)
                  for number, (sample, stem) in enumerate(zip(dataset.ids, stems), 1)]

        def save(each: 'Input') -> None:
            image, maps = dataset.read_clicked(each.image_id - 1)
            probability = segment_maps(model, image, maps)
            save_click_mask(each, image, probability > self.threshold, probability, clicks_of_maps(maps))

        try:
            predict_each(self, model, inputs, save, strict=self.strict, folders=[self.out])
        except ImageError:
            if self.joint and not self.strict:
                self.refine(dataset, stems)
            raise
        if self.joint:
            self.refine(dataset, stems)

    def refine(self, dataset: 'ClickFilesDataset', stems: Sequence[pathlib.Path]) -> None:
        """Writes the objects that a dense CRF finds together, of images whose samples all have results."""
        from chainer_seg.images import read_image
        from chainer_seg.jobs.result_paths import result_stems
        from chainer_seg.label_images import write_label_image
        from chainer_seg.models.deeplab.dense_crf import joint_crf
        samples: Mapping[str, list[int]] = collections.defaultdict(list)
        for number, name in enumerate(dataset.image_names):
            samples[name].append(number)
        stems_of_images = [stem for _, stem in result_stems(map(pathlib.Path, samples), self.out)]
        for (name, numbers), stem in zip(samples.items(), stems_of_images):
            missing = [dataset.ids[number] for number in numbers
                       if not pathlib.Path(f'{stems[number]}_probability.png').exists()]
            if missing:
                log.warning('%s: not refined, because %s has no result', name, ', '.join(missing))
                continue
            image, _ = dataset.read_clicked(numbers[0])
            probabilities = np.stack([read_image(f'{stems[number]}_probability.png')[:, :, 0]
                                      for number in numbers]) / np.float32(255)
            labels = joint_crf(image, probabilities, preset=crf_parameters(self.crf_parameters))
            write_label_image(f'{stem}_joint.png', labels)
            log.info('%s: %d objects; wrote %s_joint.png', name, len(numbers), stem)
