"""Long work over many images, of which everything that is done is kept: an interrupted run resumes."""

import typing

from chainer_seg import lazy

if typing.TYPE_CHECKING:
    from chainer_seg.jobs.click_files import write_click_files
    from chainer_seg.jobs.evaluation import evaluate_click_model, evaluate_detector, evaluate_segmenter
    from chainer_seg.jobs.packing import pack
    from chainer_seg.jobs.prediction import Input, image_inputs, predict
    from chainer_seg.jobs.prediction_files import (
        save_click_mask, save_instance_video, save_instances, save_label_video, save_labels, save_proposals)
    from chainer_seg.jobs.proposals import propose
    from chainer_seg.jobs.results import Results

_NAMES = {
    'Input': 'prediction', 'Results': 'results', 'evaluate_click_model': 'evaluation', 'evaluate_detector':
    'evaluation', 'evaluate_segmenter': 'evaluation', 'image_inputs': 'prediction', 'pack': 'packing',
    'predict': 'prediction', 'propose': 'proposals', 'write_click_files': 'click_files',
    **dict.fromkeys(('save_click_mask', 'save_instance_video', 'save_instances', 'save_label_video',
                     'save_labels', 'save_proposals'), 'prediction_files')}

__all__ = ['Input', 'Results', 'evaluate_click_model', 'evaluate_detector', 'evaluate_segmenter',
           'image_inputs', 'pack', 'predict', 'propose', 'save_click_mask', 'save_instance_video',
           'save_instances', 'save_label_video', 'save_labels', 'save_proposals', 'write_click_files']
__getattr__, __dir__ = lazy.names(__name__, _NAMES)
