"""Data sets of images with annotated objects, read from files or synthetic; independent of models."""

import typing

from chainer_seg import lazy

if typing.TYPE_CHECKING:
    from chainer_seg.datasets.base import Dataset, ExampleList
    from chainer_seg.datasets.click_files import ClickFilesDataset
    from chainer_seg.datasets.coco import CocoDataset
    from chainer_seg.datasets.coco_append import append_coco
    from chainer_seg.datasets.coco_writer import write_coco
    from chainer_seg.datasets.synthetic.collages import CollageDataset
    from chainer_seg.datasets.synthetic.figures import FiguresDataset
    from chainer_seg.datasets.mask_folder import MaskFolder
    from chainer_seg.datasets.synthetic.moving_shapes import MovingPlainShapes, MovingShapes
    from chainer_seg.datasets.object_index import ObjectIndex
    from chainer_seg.datasets.opening import open_dataset
    from chainer_seg.datasets.packed import PackedDataset
    from chainer_seg.datasets.packing import pack_dataset
    from chainer_seg.datasets.synthetic.plain_shapes import PlainShapesDataset
    from chainer_seg.datasets.proposal_files import read_proposal_instances, read_proposals
    from chainer_seg.datasets.sbd import SbdDataset
    from chainer_seg.datasets.semantic import SemanticDataset, open_semantic, semantic_labels
    from chainer_seg.datasets.synthetic.shapes import ShapesDataset
    from chainer_seg.datasets.statistics import (
        Anchors,
        DatasetStatistics,
        fit_anchors,
        measure_dataset,
        suggest_anchors,
    )
    from chainer_seg.datasets.tfrecord import TFRecordDataset
    from chainer_seg.datasets.validation import Problem, coco_statistics, validate_coco
    from chainer_seg.datasets.voc import VocDataset
    from chainer_seg.published_classes import PASCAL_NAMES

_NAMES = {
    'Anchors': 'statistics', 'ClickFilesDataset': 'click_files', 'CocoDataset': 'coco',
    'CollageDataset': 'synthetic.collages',
    'Dataset': 'base', 'ExampleList': 'base', 'DatasetStatistics': 'statistics', 'FiguresDataset':
    'synthetic.figures', 'MaskFolder':
    'mask_folder', 'MovingPlainShapes': 'synthetic.moving_shapes', 'MovingShapes':
    'synthetic.moving_shapes', 'ObjectIndex': 'object_index', 'PASCAL_NAMES': 'sbd', 'PackedDataset':
    'packed', 'PlainShapesDataset': 'synthetic.plain_shapes', 'Problem': 'validation', 'SbdDataset':
    'sbd', 'SemanticDataset': 'semantic', 'ShapesDataset': 'synthetic.shapes', 'TFRecordDataset': 'tfrecord',
    'VocDataset': 'voc', 'coco_statistics': 'validation', 'fit_anchors': 'statistics', 'measure_dataset':
    'statistics', 'open_dataset': 'opening', 'open_semantic': 'semantic', 'pack_dataset': 'packing',
    'read_proposal_instances': 'proposal_files', 'read_proposals': 'proposal_files', 'semantic_labels':
    'semantic', 'suggest_anchors': 'statistics', 'validate_coco': 'validation', 'write_coco': 'coco_writer',
    'append_coco': 'coco_append'}

__all__ = ['PASCAL_NAMES', 'Anchors', 'ClickFilesDataset', 'CocoDataset', 'CollageDataset', 'Dataset',
           'DatasetStatistics', 'ExampleList', 'FiguresDataset', 'MaskFolder', 'MovingPlainShapes',
           'MovingShapes', 'ObjectIndex', 'PackedDataset', 'PlainShapesDataset', 'Problem',
           'SbdDataset', 'SemanticDataset', 'ShapesDataset', 'TFRecordDataset',
           'VocDataset', 'coco_statistics',
           'fit_anchors', 'measure_dataset', 'open_dataset', 'open_semantic', 'pack_dataset',
           'read_proposal_instances', 'read_proposals', 'semantic_labels', 'suggest_anchors',
           'append_coco', 'validate_coco', 'write_coco']
__getattr__, __dir__ = lazy.names(__name__, _NAMES)
