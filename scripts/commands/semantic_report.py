"""The figures of semantic segmentation as text."""

import math


def class_table(figures, class_names):
    """Intersection over union and accuracy of each class in percent, and their means.

    Args:
        figures: As of :meth:`chainer_seg.evaluation.SemanticEvaluator.summary`.
        class_names: The classes, the background among them.
    """
    width = max(map(len, ('all pixels', *class_names)))
    rows = [('class', 'IoU', 'accuracy')]
    rows += [(name, _percent(figures[f'iou/{name}']), _percent(figures[f'class_accuracy/{name}']))
             for name in class_names]
    rows += [('mean', _percent(figures['miou']), _percent(figures['mean_class_accuracy'])),
             ('all pixels', '', _percent(figures['pixel_accuracy']))]
    return '\n'.join(f'{name:{width}}  {iou:>6}  {accuracy:>8}' for name, iou, accuracy in rows)


def _percent(value):
    return '-' if math.isnan(value) else f'{100 * value:.2f}'
