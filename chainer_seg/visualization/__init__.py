"""Visualization of images, instances, clicks and probabilities: matplotlib axes and NumPy overlays."""

from chainer_seg.visualization.click_curves import (
    draw_click_comparison,
    draw_click_curves,
    draw_iou_curves,
    draw_noc_curves,
    draw_success_curves,
)
from chainer_seg.visualization.click_marks import overlay_clicks
from chainer_seg.visualization.click_samples import draw_click_samples, draw_click_sheet
from chainer_seg.colors import instance_colors
from chainer_seg.visualization.contact_sheet import contact_sheet
from chainer_seg.visualization.detections import overlay_detections
from chainer_seg.visualization.drawing import (
    draw_clicks,
    draw_image,
    draw_instances,
    draw_labels,
    draw_probability,
)
from chainer_seg.visualization.evaluation_charts import (
    draw_confusion,
    draw_error_kinds,
    draw_precision_recall,
)
from chainer_seg.visualization.figures import NotebookFigure, axes_grid
from chainer_seg.visualization.gallery import draw_gallery, draw_semantic
from chainer_seg.visualization.overlay import (
    blend,
    instances_layer,
    overlay_masks,
    overlay_probability,
    probability_layer,
)
from chainer_seg.visualization.semantic import labels_layer, overlay_labels
from chainer_seg.visualization.statistics import draw_statistics

__all__ = ['NotebookFigure', 'axes_grid', 'blend', 'contact_sheet', 'draw_click_comparison',
           'draw_click_curves', 'draw_click_samples', 'draw_click_sheet', 'draw_clicks',
           'draw_confusion', 'draw_error_kinds', 'draw_gallery', 'draw_image', 'draw_instances',
           'draw_iou_curves', 'draw_labels', 'draw_noc_curves', 'draw_precision_recall',
           'draw_probability', 'draw_semantic', 'draw_statistics', 'draw_success_curves', 'instance_colors',
           'instances_layer', 'labels_layer', 'overlay_clicks', 'overlay_detections',
           'overlay_labels', 'overlay_masks', 'overlay_probability', 'probability_layer']
