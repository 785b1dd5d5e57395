"""Segment a clicked object."""

import dataclasses
import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import msgspec
import numpy as np
from tyro.conf import Positional, UseAppendAction
from tyro.constructors import PrimitiveConstructorSpec

from chainer_seg import schema
from chainer_seg.cli.click_options import ClickView, refinement
from chainer_seg.cli.common import CommonOfModel, Strict
from chainer_seg.cli.dispatch import ModelCommand, ModelName
from chainer_seg.cli.file_options import LabelReading
from chainer_seg.cli.prediction import predict_each
from chainer_seg.errors import ClickError, UserError, shortened
from chainer_seg.files import read_json
from chainer_seg.models.deeplab.refine import REFINEMENTS
from chainer_seg.recipes.options import Flat, Switch, chosen, option
from chainer_seg.recipes.rules import only, where

if TYPE_CHECKING:
    from chainer_seg.jobs import Input
    from chainer_seg.models.deeplab import Click


def _point(words: list[str]) -> tuple[float, float]:
    try:
        x, y = (float(part) for part in words[0].split(','))
    except ValueError as error:
        raise ValueError(f'{words[0]!r} is not of the form X,Y') from error
    return x, y


_Point = Annotated[tuple[float, float], PrimitiveConstructorSpec(
    nargs=1, metavar='X,Y', instance_from_str=_point, is_instance=lambda value: isinstance(value, tuple),
    str_from_instance=lambda value: [','.join(map(str, value))])]
_Points = UseAppendAction[tuple[_Point, ...]]


@dataclasses.dataclass(frozen=True)
class Clicks:
    """Clicks.

    Attributes:
        pos: Click on the object, in pixels from the top left.
        neg: Click off the object.
        clicks: File of more clicks, before these: a JSON list of {"x": X, "y": Y, "positive": true}.
        mask: Mask to start from, of the size of the input, with the object in white or by its number.
        object: Number of the object in --mask, where it has several.
        labels: Reading of masks and label images.
        pnmap: TIFF of precomputed click maps in place of clicks: the distances to positive and to negative
            clicks, in two pages of 8 bits, of the size of the input.
    """

    pos: Annotated[_Points, option(metavar='X,Y')] = ()
    neg: Annotated[_Points, option(metavar='X,Y')] = ()
    clicks: Annotated[str | None, option(metavar='JSON')] = None
    mask: Annotated[str | None, option(metavar='IMAGE')] = None
    object: Annotated[int | None, option(metavar='N')] = None
    labels: Flat[LabelReading] = LabelReading()
    pnmap: Annotated[str | None, option(metavar='TIFF')] = None

    def given(self) -> list[Any]:
        """The clicks of --clicks, --pos and --neg.

        Raises:
            chainer_seg.errors.UserError: The options define no object.
        """
        from chainer_seg.models.deeplab import Click
        clicks = read_clicks(self.clicks) if self.clicks else []
        clicks += [Click(y, x, True) for x, y in self.pos]
        clicks += [Click(y, x, False) for x, y in self.neg]
        if not self.mask and (self.object is not None or self.labels != LabelReading()):
            raise UserError('--object and --labels-as apply only with --mask; give a --mask or omit them.')
        if self.pnmap and (clicks or self.mask):
            raise UserError('--pnmap replaces clicks and --mask; omit these.')
        if not any(click.positive for click in clicks) and not self.mask and not self.pnmap:
            raise UserError('A click model needs a click on the object; give at least one --pos X,Y, '
                            'or a --mask to start from.')
        return clicks


@dataclasses.dataclass(frozen=True)
class PredictClick(ModelCommand):
    """Segment a clicked object: --pos X,Y on the object and --neg X,Y off it, each any number of times.

    With --mask, the clicks correct an existing mask locally. With --pnmap, precomputed click maps of the
    TensorFlow implementation replace the clicks.

    Attributes:
        model: Name of the model.
        protocol: What the model does; clicks if there are any.
        inputs: Images or folders of images.
        out: Folder for the results.
        strict: Stop at the first image that cannot be read.
        clicks: Clicks.
        refine: Refinement of the probability, by a graph cut or a dense CRF.
        crf_parameters: Parameters of the dense CRF: deeplab or tensorflow, optionally with changes, as in
            tensorflow,steps=5.
        threshold: Minimum probability of a pixel of the object.
        save_pnmap: Also write the click maps as a file for --pnmap.
        view: Inference.
        common: Common options.
    """

    model: ModelName
    inputs: Positional[Annotated[tuple[str, ...], option(metavar='INPUT ...')]]
    protocol: Annotated[str, chosen(('clicks', 'instances', 'proposals'))] = 'clicks'
    out: Annotated[pathlib.Path, option('--save', metavar='DIR')] = pathlib.Path('out/predict')
    strict: Strict = False
    clicks: Flat[Clicks] = Clicks()
    refine: Annotated[str, chosen(('none', *REFINEMENTS))] = 'none'
    crf_parameters: Annotated[str, option(metavar='P')] = 'deeplab'
    threshold: Annotated[float, option(metavar='P')] = 0.5
    save_pnmap: Switch = False
    view: Flat[ClickView] = ClickView()
    common: Flat[CommonOfModel] = CommonOfModel()

    rules: ClassVar = (only(where('--refine', 'crf'), '--crf-parameters'),)

    def work(self, model: Any) -> None:
        from chainer_seg.images import find_images
        from chainer_seg.jobs import image_inputs, save_click_mask
        clicks = self.clicks.given()
        sharpen = refinement(self.refine, self.crf_parameters)
        self.view.apply(model, self.model)
        paths = [image for each in self.inputs for image in find_images(each)]
        if not paths:
            raise UserError('There is nothing to do; name images or folders.')
        if self.clicks.pnmap and len(paths) > 1:
            raise UserError(f'--pnmap holds the clicks on one image, but {len(paths)} are named; give one '
                            f'image.')

        def save(each: 'Input') -> None:
            image, used, (probability, mask) = self.find(model, each.source, clicks, sharpen)
            save_click_mask(each, image, mask, probability, used, self.save_pnmap)

        predict_each(self, model, image_inputs(paths, self.out), save, strict=self.strict, folders=[self.out])

    def find(self, model: Any, path: pathlib.Path, clicks: list[Any], sharpen: Callable | None
             ) -> tuple[np.ndarray, list[Any], tuple[np.ndarray, np.ndarray]]:
        """The image, the clicks on it, and the resulting probability and mask (H, W)."""
        from chainer_seg.datasets.click_files import read_maps
        from chainer_seg.images import read_image
        from chainer_seg.models.deeplab.precomputed_clicks import clicks_of_maps
        image = read_image(path)
        try:
            if self.clicks.pnmap:
                maps = read_maps(self.clicks.pnmap)
                return image, clicks_of_maps(maps), self.segment_maps(model, image, maps, sharpen)
            return image, clicks, self.segment(model, image, clicks, sharpen)
        except ClickError as error:
            raise ClickError(f'{path}: {error}') from error

    def segment(self, model: Any, image: np.ndarray, clicks: list[Any], sharpen: Callable | None
                ) -> tuple[np.ndarray, np.ndarray]:
        """The probability and the mask (H, W) for the clicks."""
        from chainer_seg.label_images import Guesses
        from chainer_seg.mask_images import read_mask
        session = model.session(image, sharpen)
        session.threshold = self.threshold
        if self.clicks.mask:
            mask, _ = read_mask(self.clicks.mask, labels_as=self.clicks.labels.labels_as,
                                number=self.clicks.object, report=Guesses())
            session.start_from(mask)
        session.add(*clicks)
        return session.probability, session.mask

    def segment_maps(self, model: Any, image: np.ndarray, maps: np.ndarray, sharpen: Callable | None
                     ) -> tuple[np.ndarray, np.ndarray]:
        """The probability and the mask (H, W) for precomputed click maps."""
        from chainer_seg.models.deeplab.precomputed_clicks import clicks_of_maps
        from chainer_seg.models.deeplab.precomputed_maps import segment_maps
        probability = segment_maps(model, image, maps)
        if sharpen is not None:
            probability = sharpen(image, probability, clicks_of_maps(maps))
        return probability, probability > self.threshold


class _Entry(msgspec.Struct):
    """A click in a JSON file, in pixels from the top left."""

    x: schema.Finite
    y: schema.Finite
    positive: bool = True


def read_clicks(path: str | pathlib.Path) -> list['Click']:
    """The clicks of a JSON file, a list of :class:`Click`."""
    from chainer_seg.models.deeplab import Click
    entries = read_json(path, 'file of clicks')
    try:
        entries = schema.check(entries, list[_Entry], f'The file of clicks {path}')
    except UserError as error:
        raise UserError(f'{path} is not a list of clicks ({shortened(str(error))}); write [{{"x": 20, '
                        f'"y": 10, "positive": true}}, ...] into it.') from error
    return [Click(float(entry.y), float(entry.x), entry.positive) for entry in entries]
