"""Notebook widgets, built on ipywidgets and anywidget; no other package needs these two."""

from chainer_seg.errors import UserError

try:
    import anywidget as _anywidget  # noqa: F401
    import ipywidgets as _ipywidgets  # noqa: F401
except ImportError as _error:
    raise UserError('chainer_seg.widgets needs ipywidgets and anywidget; install them with '
                    'pip install "chainer-seg[notebook]".') from _error

from chainer_seg.widgets.click_canvas import ClickCanvas
from chainer_seg.widgets.click_segmenter import ClickSegmenter
from chainer_seg.widgets.crf_explorer import CrfExplorer
from chainer_seg.widgets.dataset_viewer import DatasetViewer
from chainer_seg.widgets.demo_page import DemoPage
from chainer_seg.widgets.detection_explorer import DetectionExplorer
from chainer_seg.widgets.evaluation_browser import EvaluationBrowser
from chainer_seg.widgets.proposal_explorer import ProposalExplorer
from chainer_seg.widgets.training_dashboard import TrainingDashboard
from chainer_seg.widgets.weight_converter import WeightConverter

__all__ = ['ClickCanvas', 'ClickSegmenter', 'CrfExplorer', 'DatasetViewer', 'DemoPage', 'DetectionExplorer',
           'EvaluationBrowser', 'ProposalExplorer', 'TrainingDashboard', 'WeightConverter']
