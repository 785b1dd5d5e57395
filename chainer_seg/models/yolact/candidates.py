"""The anchors of YOLACT as candidates for clicks: the best ones, whatever their class."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from chainer.backends import cuda

from chainer_seg.functions.arguments import as_array
from chainer_seg.run_length_masks import RunLengthMasks
from chainer_seg.models.candidate_masks import CandidateMasks
from chainer_seg.models.inference import inference
from chainer_seg.models.yolact.detection import find_detections
from chainer_seg.models.yolact.masks import assemble_masks, enlarge_masks

if TYPE_CHECKING:
    from chainer_seg.models.yolact.model import Yolact

MAX_CANDIDATES = 200
# Overlap of boxes from which the worse of two candidates is dropped: near copies of a mask add nothing.
SAME_BOX = 0.9
# Anchors that score less are background for certain.
LEAST_SCORE = 1e-3

# Approximate number of pixels of the masks that are enlarged at once, which bounds the memory.
_PIXELS_AT_ONCE = 2 ** 24


def click_candidates(model: 'Yolact', image: npt.NDArray[np.uint8]) -> CandidateMasks:
    """The candidates of an image (H, W, 3) uint8, with the scores of their likeliest classes."""
    with inference():
        x, [size] = model.prepare([image])
        outputs = model.forward(x)
        model.check_finite(outputs)
        codes, logits, coefficients, prototypes = (as_array(output)[0] for output in outputs)
        found = find_detections(
            codes, logits, coefficients, model.device.send(model.anchors()), model.image_size,
            suppression='cross_class', anchor_threshold=LEAST_SCORE, score_threshold=LEAST_SCORE,
            nms_threshold=SAME_BOX, top_k=MAX_CANDIDATES, max_detections=MAX_CANDIDATES)
        masks = cuda.to_cpu(assemble_masks(prototypes, found.coefficients, found.boxes))
    return CandidateMasks.of(_runs(masks, cuda.to_cpu(found.boxes), size), cuda.to_cpu(found.scores))


def _runs(masks: np.ndarray, boxes: np.ndarray, size: tuple[int, int]) -> RunLengthMasks:
    """Masks (R, h, w) at the size of the image, a few at a time."""
    step = max(1, _PIXELS_AT_ONCE // (size[0] * size[1]))
    numbers = np.split(np.arange(len(masks)), range(step, len(masks), step))
    return RunLengthMasks.collect(
        [(RunLengthMasks.from_masks(enlarge_masks(masks[some], boxes[some], size)), some)
         for some in numbers], len(masks), size)
