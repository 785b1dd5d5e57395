"""How good predictions are: COCO's average precision and recall, and the number of clicks."""

from chainer_seg.evaluation.clicks import click_ious, evaluate_clicks, next_click
from chainer_seg.evaluation.coco import CocoEvaluator, evaluate_coco

__all__ = ['CocoEvaluator', 'click_ious', 'evaluate_clicks', 'evaluate_coco', 'next_click']
