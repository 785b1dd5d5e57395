"""Find objects in images and videos: boxes, masks or contours, names, scores and keypoints."""

import dataclasses
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
import tyro

from chainer_seg.class_names import find_names
from chainer_seg.cli.common import CommonOfModel
from chainer_seg.cli.detector_inputs import Inputs, check_for_videos
from chainer_seg.cli.detector_options import Detection
from chainer_seg.cli.dispatch import ModelCommand, ModelName
from chainer_seg.cli.prediction import predict_each
from chainer_seg.errors import UserError
from chainer_seg.recipes.options import Flat, Positive, Share, Switch, chosen, option
from chainer_seg.recipes.rules import When, only

if TYPE_CHECKING:
    from chainer_seg.instances import Instances
    from chainer_seg.jobs import Input
    from chainer_seg.models.detector import InstanceDetector
    from chainer_seg.visualization.window import Window

log = logging.getLogger(__name__)

_SURE = 0.3  # detections with lower scores clutter an image
_SHOWN = tyro.conf.create_mutex_group(required=False)


@dataclasses.dataclass(frozen=True)
class Drawing:
    """Drawing.

    Attributes:
        contour: Draw the contours of the masks.
        hide: Parts that are not drawn.
        alpha: Opacity of the masks, from 0 to 1.
        show: Also show the images in a window.
        background: Do not open a window, which is the default.
        no_fps: Do not draw the frames per second of a video.
    """

    contour: Switch = False
    hide: Annotated[tuple[Literal['masks', 'boxes', 'labels', 'keypoints'], ...],
                    option(metavar='{masks,boxes,labels,keypoints} ...')] = ()
    alpha: Share = 0.45
    show: Annotated[Switch, _SHOWN] = False
    background: Annotated[Switch, _SHOWN] = False
    no_fps: Switch = False

    def settings(self) -> dict[str, Any]:
        """The options of :func:`chainer_seg.visualization.overlay_detections`."""
        return {'alpha': 0 if 'masks' in self.hide else self.alpha, 'contour': self.contour,
                **{name: name not in self.hide for name in ('boxes', 'labels', 'keypoints')}}

    def window(self) -> 'Window | None':
        """The window of --show."""
        from chainer_seg.visualization.window import Window
        return Window() if self.show else None


@dataclasses.dataclass(frozen=True)
class PredictInstances(ModelCommand):
    """Find objects in images and videos: boxes, masks or contours, names, scores and keypoints.

    Writes each image or video with the detections drawn on it, and COCO results next to it. The category_id
    is that of the data set that the model was trained on; if unknown, COCO's if all classes are COCO's;
    otherwise the number of the class, from 1. The image_id is the number in the file name, if all images are
    named by numbers as in COCO (000000005802.jpg is 5802); otherwise images are counted from 1; for a video
    it is the number of the frame, from 0. category_name and file_name are added. For results with the ids of
    an annotation file use chainer-seg evaluate --results. Ctrl-C ends a video or a camera at the current
    frame.

    Attributes:
        model: Name of the model.
        protocol: What the model does; clicks if there are any.
        inputs: Inputs and outputs.
        classes: Names of classes; only these are detected.
        frames: Number of frames after which a video is stopped.
        detection: Detections.
        drawing: Drawing.
        common: Common options.
    """

    model: ModelName
    protocol: Annotated[str, chosen(('instances', 'clicks'))] = 'instances'
    inputs: Flat[Inputs] = Inputs()
    classes: Annotated[tuple[str, ...] | None, option(metavar='NAME ...')] = None
    frames: Annotated[Positive | None, option(metavar='N')] = None
    detection: Flat[Detection] = Detection(score=_SURE)
    drawing: Flat[Drawing] = Drawing()
    common: Flat[CommonOfModel] = CommonOfModel()

    rules: ClassVar = (only(When('where masks are drawn, without --hide masks',
                                 lambda options: 'masks' not in options['hide']), '--alpha'),)

    def work(self, model: Any) -> None:
        from chainer_seg.images import read_image
        from chainer_seg.jobs import save_instance_video, save_instances
        inputs = self.inputs.found()
        check_for_videos(inputs, {'--frames': self.frames, '--no-fps': self.drawing.no_fps})
        find = Finder(model, self)
        log.info('category ids in the results: %s', find.whose_ids)
        window = self.drawing.window()
        drawing = self.drawing.settings()

        def save(each: 'Input') -> None:
            if each.is_video:
                save_instance_video(
                    each, find, find.category_ids, frames=self.frames, drawing=drawing,
                    show_rate=not self.drawing.no_fps, progress=not self.common.quiet,
                    on_overlay=window.show if window else None)
                return
            image = read_image(each.source)
            overlay = save_instances(each, image, find(image), find.category_ids, drawing)
            if window:
                window.show(overlay)
                window.wait()

        predict_each(self, model, inputs, save, strict=self.inputs.strict,
                     folders=self.inputs.folders(inputs))


class Finder:
    """A model with the options of the command line: image in, chosen objects out."""

    def __init__(self, model: 'InstanceDetector', options: PredictInstances) -> None:
        from chainer_seg.jobs.result_paths import category_ids
        settings = options.detection.settings(model)
        if options.classes:
            # The best detections of these classes, not these classes among the best detections.
            settings.pop('max_detections', None)
        self._model, self._settings = model, settings
        self._labels, self._most = labels_of(model, options.classes), options.detection.top_k
        self.category_ids, self.whose_ids = category_ids(model)

    def __call__(self, image: np.ndarray) -> 'Instances':
        found = self._model.detect(image, **self._settings)
        if self._labels is not None:
            found = found[np.isin(found.labels, self._labels)]
        # Detectron keeps more where scores are equal.
        best = np.argsort(-found.scores, kind='stable')[:self._most]
        return found[np.sort(best)]


def labels_of(model: 'InstanceDetector', names: Sequence[str] | None) -> list[int] | None:
    """The labels of the classes of these names; None for all."""
    if names is None:
        return None
    labels = find_names(names, model.class_names)
    unknown = [name for name, label in zip(names, labels) if label < 0]
    if unknown:
        raise UserError(f'The model knows no {", ".join(unknown)}; it knows '
                        f'{", ".join(model.class_names) or "no names of classes"}.')
    return labels
