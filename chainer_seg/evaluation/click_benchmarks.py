"""The data sets on which click segmentation is compared, how each is used, and what was published."""

import dataclasses

_XU = 'FCN-8s and graph cut (arXiv 1603.04042)'
_RITM = 'HRNet-18, iterative training, COCO+LVIS (arXiv 2102.06583)'

CAP = 20  # The paper's simulated user gives up after this many clicks.
THRESHOLDS = (0.8, 0.85, 0.9)
LEAST_AREA = 32 * 32  # Smaller objects are "small" in COCO's terms and are omitted by default.


@dataclasses.dataclass(frozen=True)
class ClickBenchmark:
    """How a data set is used.

    Attributes:
        title: Its name.
        threshold: The IoU to reach.
        published: The mean number of clicks until then, at most 20, by the method that needs them.
        categories: A name of :data:`chainer_seg.evaluation.object_choice.CATEGORY_SETS`; None for all.
        per_category: Number of objects sampled of each category; None for all.
        least_area: Smaller objects (pixels) are omitted.
    """

    title: str
    threshold: float
    published: dict[str, float]
    categories: str | None = None
    per_category: int | None = None
    least_area: int = 1


BENCHMARKS = {
    'pascal': ClickBenchmark('Pascal VOC 2012 val', 0.85, {_XU: 6.88, _RITM: 2.28}),
    'grabcut': ClickBenchmark('GrabCut', 0.9, {_XU: 6.04, _RITM: 1.54}),
    'berkeley': ClickBenchmark('Berkeley', 0.9, {_XU: 8.65, _RITM: 2.26}),
    'coco-seen': ClickBenchmark('MS COCO, seen categories', 0.85, {_XU: 8.31}, 'seen', 10),
    'coco-unseen': ClickBenchmark('MS COCO, unseen categories', 0.85, {_XU: 7.82}, 'unseen', 10),
    'sbd': ClickBenchmark('SBD val', 0.9, {_RITM: 6.06}),
    'davis': ClickBenchmark('DAVIS, 345 frames', 0.9, {_RITM: 5.74}),
}
