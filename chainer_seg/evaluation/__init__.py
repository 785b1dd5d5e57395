"""How good predictions are: COCO's average precision and recall, mean IoU, and the number of clicks."""

from chainer_seg.evaluation.boundary import boundary_iou
from chainer_seg.evaluation.classes import ClassMatch, match_classes
from chainer_seg.evaluation.clicks import (
    ClickFigures,
    click_ious,
    evaluate_clicks,
    next_click,
    number_of_clicks,
)
from chainer_seg.evaluation.coco import CocoEvaluator, evaluate_coco
from chainer_seg.evaluation.object_choice import find_labels, sample_objects
from chainer_seg.evaluation.patches import evaluate_patches
from chainer_seg.evaluation.proposals import (
    ProposalEvaluator,
    evaluate_proposal_files,
    evaluate_proposals,
)
from chainer_seg.evaluation.result_folder import ResultFolder
from chainer_seg.evaluation.semantic import SemanticEvaluator, evaluate_semantic

__all__ = ['ClassMatch', 'ClickFigures', 'CocoEvaluator', 'ProposalEvaluator', 'ResultFolder',
           'SemanticEvaluator', 'boundary_iou', 'click_ious', 'evaluate_clicks', 'evaluate_coco',
           'evaluate_patches', 'evaluate_proposal_files', 'evaluate_proposals',
           'evaluate_semantic', 'find_labels', 'match_classes', 'next_click', 'number_of_clicks',
           'sample_objects']
