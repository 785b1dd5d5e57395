"""The results of semantic segmentation as text."""

import math
from collections.abc import Mapping, Sequence


def class_table(figures: Mapping[str, float], class_names: Sequence[str]) -> str:
    """Intersection over union and accuracy of each class in percent, and their means.

    Classes that neither occur nor are found are only counted.

    Args:
        figures: As of :meth:`chainer_seg.evaluation.SemanticEvaluator.summary`.
        class_names: The classes, the background among them.
    """
    known = [name for name in class_names if not math.isnan(figures[f'iou/{name}'])]
    width = max(map(len, ('all pixels', *known)))
    rows = [('class', 'IoU', 'accuracy')]
    rows += [(name, _percent(figures[f'iou/{name}']), _percent(figures[f'class_accuracy/{name}']))
             for name in known]
    rows += [('mean', _percent(figures['miou']), _percent(figures['mean_class_accuracy'])),
             ('all pixels', '', _percent(figures['pixel_accuracy']))]
    lines = [f'{name:{width}}  {iou:>6}  {accuracy:>8}' for name, iou, accuracy in rows]
    if len(known) < len(class_names):
        lines.append(f'{len(class_names) - len(known)} of {len(class_names)} classes neither occur '
                     f'nor are found')
    return '\n'.join(lines)


def _percent(value: float) -> str:
    return '-' if math.isnan(value) else f'{100 * value:.2f}'
