"""How good predictions are: COCO's average precision and recall, mean IoU, and the number of clicks."""

import typing

from chainer_seg import lazy

if typing.TYPE_CHECKING:
    from chainer_seg.evaluation.analysis import Case, DetectionAnalysis, analyse_detections
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
    from chainer_seg.evaluation.error_analysis import ErrorAnalysis
    from chainer_seg.evaluation.object_choice import find_labels, sample_objects
    from chainer_seg.evaluation.patches import evaluate_patches
    from chainer_seg.evaluation.proposals import (
        ProposalEvaluator,
        evaluate_proposal_files,
        evaluate_proposals,
    )
    from chainer_seg.evaluation.semantic import SemanticEvaluator, evaluate_semantic

_NAMES = {
    'Case': 'analysis', 'ClassMatch': 'classes', 'ClickFigures': 'clicks', 'CocoEvaluator': 'coco',
    'DetectionAnalysis': 'analysis', 'ErrorAnalysis': 'error_analysis',
    'ProposalEvaluator': 'proposals', 'SemanticEvaluator': 'semantic', 'analyse_detections': 'analysis',
    'boundary_iou': 'boundary', 'click_ious': 'clicks', 'evaluate_clicks': 'clicks',
    'evaluate_coco': 'coco', 'evaluate_patches': 'patches', 'evaluate_proposal_files': 'proposals',
    'evaluate_proposals': 'proposals', 'evaluate_semantic': 'semantic', 'find_labels': 'object_choice',
    'match_classes': 'classes', 'next_click': 'clicks', 'number_of_clicks': 'clicks',
    'sample_objects': 'object_choice'}

__all__ = ['Case', 'ClassMatch', 'ClickFigures', 'CocoEvaluator', 'DetectionAnalysis', 'ErrorAnalysis',
           'ProposalEvaluator', 'SemanticEvaluator', 'analyse_detections', 'boundary_iou', 'click_ious',
           'evaluate_clicks', 'evaluate_coco', 'evaluate_patches', 'evaluate_proposal_files',
           'evaluate_proposals', 'evaluate_semantic', 'find_labels', 'match_classes', 'next_click',
           'number_of_clicks', 'sample_objects']
__getattr__, __dir__ = lazy.names(__name__, _NAMES)
