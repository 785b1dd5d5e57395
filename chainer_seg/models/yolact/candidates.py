"""The anchors of YOLACT as candidates for clicks: the best ones, whatever their class."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from chainer.backends import cuda

from chainer_seg.functions.arguments import as_array
from chainer_seg.models.candidate_masks import CandidateMasks
from chainer_seg.models.inference import inference
from chainer_seg.models.yolact.detection import find_detections
from chainer_seg.models.yolact.masks import assemble_masks, enlarged_runs

if TYPE_CHECKING:
    from chainer_seg.models.yolact.model import Yolact

MAX_CANDIDATES = 200
# Overlap of boxes from which the worse of two candidates is dropped: near copies of a mask add nothing.
SAME_BOX = 0.9
# Anchors that score less are background for certain.
LEAST_SCORE = 1e-3


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
    return CandidateMasks.of(enlarged_runs(masks, cuda.to_cpu(found.boxes), size), cuda.to_cpu(found.scores))
