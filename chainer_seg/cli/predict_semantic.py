"""Find the class of every pixel in images and videos."""

import dataclasses
import functools
import pathlib
from typing import TYPE_CHECKING, Annotated, Any

from chainer_seg.cli.common import CommonOfModel
from chainer_seg.cli.detector_inputs import Inputs, check_for_images, check_for_videos
from chainer_seg.cli.dispatch import ModelCommand, ModelName
from chainer_seg.cli.prediction import predict_each
from chainer_seg.cli.semantic_options import SemanticInference
from chainer_seg.recipes.options import Flat, Positive, Share, Switch, option

if TYPE_CHECKING:
    from chainer_seg.jobs import Input


@dataclasses.dataclass(frozen=True)
class PredictSemantic(ModelCommand):
    """Find the class of every pixel in images and videos.

    Writes the labels of each image as a PNG with VOC's palette, the image with its classes in colours, and
    the fraction of each class as JSON; for a video, the frames with their classes in colours and the
    fractions in each. Ctrl-C ends a video or a camera at the current frame.

    Attributes:
        model: Name of the model.
        inputs: Inputs and outputs.
        save_labels: Folder to write the labels to, under the names of the images, in the format of VOC's
            server.
        probabilities: Also write the probabilities of all classes, as .npz.
        alpha: Opacity of the colours, from 0 to 1.
        no_legend: Do not draw the names of the classes.
        frames: Number of frames after which a video is stopped.
        inference: Inference.
        common: Common options.
    """

    model: ModelName
    inputs: Flat[Inputs] = Inputs()
    save_labels: Annotated[pathlib.Path | None, option(metavar='DIR')] = None
    probabilities: Switch = False
    alpha: Share = 0.6
    no_legend: Switch = False
    frames: Annotated[Positive | None, option(metavar='N')] = None
    inference: Flat[SemanticInference] = SemanticInference()
    common: Flat[CommonOfModel] = CommonOfModel()

    def work(self, model: Any) -> None:
        from chainer_seg.images import read_image
        from chainer_seg.jobs import save_label_video, save_labels
        inputs = self.inputs.found()
        check_for_videos(inputs, {'--frames': self.frames})
        check_for_images(inputs, {'--save-labels': self.save_labels, '--probabilities': self.probabilities})
        settings = self.inference.settings()
        folders = self.inputs.folders(inputs) + ([self.save_labels] if self.save_labels else [])
        names = tuple(model.class_names) or tuple(map(str, range(model.config['n_class'])))
        drawing = {'alpha': self.alpha, 'legend': not self.no_legend}

        def save(each: 'Input') -> None:
            if each.is_video:
                save_label_video(each, functools.partial(model.segment, **settings), names,
                                 frames=self.frames, drawing=drawing, progress=not self.common.quiet)
                return
            image = read_image(each.source)
            if self.probabilities:
                probabilities = model.probabilities(image, **settings)
                labels = probabilities.argmax(axis=0)
            else:
                probabilities, labels = None, model.segment(image, **settings)
            save_labels(each, image, labels, names, folder=self.save_labels, probabilities=probabilities,
                        drawing=drawing)

        predict_each(self, model, inputs, save, strict=self.inputs.strict, folders=folders)
