"""Why detections are wrong, and what each kind of error costs: TIDE (Bolya et al., arXiv 2008.08115).

Each false positive has one kind (section 2.2 there), by its largest overlap with objects of its own class
and of others; the thresholds are those of the paper:

- ``localisation``: an object of its class overlaps by 0.1 to 0.5;
- ``class``: an object of another class overlaps by at least 0.5;
- ``duplicate``: an object of its class overlaps by at least 0.5, but a better detection has it;
- ``background``: no object overlaps by more than 0.1;
- ``both``: the class is wrong and the overlap is between 0.1 and 0.5.

An object without a detection is ``missed`` unless an error of localisation or of class points to it.
"""

import numpy as np
import numpy.typing as npt

FOREGROUND, BACKGROUND = 0.5, 0.1  # t_f and t_b of the paper
CORRECT, IGNORED = 'correct', 'ignored'
FALSE_POSITIVES = ('localisation', 'class', 'both', 'duplicate', 'background')
MISSED = 'missed'
ERROR_KINDS = (*FALSE_POSITIVES, MISSED)
VERDICTS = (CORRECT, *FALSE_POSITIVES, IGNORED)  # of detections, by number

_RECALLS = np.linspace(0, 1, 101)  # where COCO samples the precision


def match_greedily(ious: npt.NDArray[np.floating], threshold: float = FOREGROUND) -> npt.NDArray[np.int64]:
    """Matches detections with objects as COCO does: each takes the free object that it overlaps most.

    Args:
        ious: (R, T), with the detections in descending order of their scores.
        threshold: Least overlap of a match.

    Returns:
        (R,) the object of each detection; -1 for none.
    """
    matches = np.full(len(ious), -1)
    if not ious.size:
        return matches
    free = np.array(ious, float)
    for number in np.flatnonzero(free.max(axis=1) >= threshold):
        best = free[number].argmax()
        if free[number, best] >= threshold:
            matches[number] = best
            free[:, best] = -1
    return matches


def judge(ious: npt.NDArray[np.floating], same_class: npt.NDArray[np.bool_],
          matches: npt.NDArray[np.integer]) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int64]]:
    """The verdict on each detection of an image.

    Args:
        ious: (R, T), the overlap of each detection with each object that is not a crowd.
        same_class: (R, T), whether their classes agree.
        matches: (R,), as of :func:`match_greedily` with the overlaps of the same class.

    Returns:
        verdicts (R,), numbers of :data:`VERDICTS`; and (R,) the object that each is about, -1 for none.
    """
    # A column of zeros, so that there is always a largest overlap.
    own, other = (np.pad(np.where(chosen, ious, 0), ((0, 0), (0, 1))) for chosen in (same_class, ~same_class))
    own_iou, other_iou = own.max(axis=1), other.max(axis=1)
    conditions = [matches >= 0, (own_iou >= BACKGROUND) & (own_iou < FOREGROUND), other_iou >= FOREGROUND,
                  own_iou >= FOREGROUND, np.maximum(own_iou, other_iou) <= BACKGROUND]
    names = (CORRECT, 'localisation', 'class', 'duplicate', 'background')
    nearest, confused = own.argmax(axis=1), other.argmax(axis=1)
    objects = [matches, nearest, confused, nearest, np.full_like(matches, -1)]
    verdicts = np.select(conditions, [VERDICTS.index(name) for name in names], VERDICTS.index('both'))
    return verdicts.astype(np.int8), np.select(conditions, objects, confused)


def average_precision(scores: npt.NDArray[np.floating], correct: npt.NDArray[np.bool_], objects: int
                      ) -> float:
    """COCO's average precision of one class at one overlap.

    Args:
        scores: (R,), of all detections.
        correct: (R,), whether each is matched.
        objects: Number of objects to find.

    Returns:
        From 0 to 1; NaN without objects.
    """
    if objects <= 0:
        return float('nan')
    found = np.cumsum(np.asarray(correct)[np.argsort(-np.asarray(scores), kind='stable')])
    precision = found / np.arange(1, len(found) + 1)
    highest = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(found / objects, _RECALLS, side='left')
    return float(np.append(highest, 0)[places].mean())


def mean_average_precision(labels: npt.NDArray[np.integer], scores: npt.NDArray[np.floating],
                           correct: npt.NDArray[np.bool_], objects: npt.NDArray[np.integer]) -> float:
    """The mean of :func:`average_precision` over the classes that occur.

    Args:
        labels, scores, correct: (R,), of all detections.
        objects: (C,), the number of objects of each class.
    """
    each = [average_precision(scores[labels == label], correct[labels == label], int(count))
            for label, count in enumerate(objects) if count > 0]
    return float(np.mean(each)) if each else float('nan')
