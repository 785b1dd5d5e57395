"""Chainer's RoI functions that are nested Python loops on the CPU, replaced by vectorised ones."""

from chainer_seg.compat.import_hook import Patches

_POOLING = 'chainer.functions.pooling.'
_ALIGN_HERE = 'chainer_seg.functions.chainer_roi_align'
_POOLING_HERE = 'chainer_seg.functions.chainer_roi_pooling'

PATCHES = Patches(functions={
    _POOLING + 'roi_average_align_2d': (_ALIGN_HERE, {
        'ROIAverageAlign2D.forward_cpu': 'average_forward',
        'ROIAverageAlign2D.backward_cpu': 'average_backward'}),
    _POOLING + 'roi_max_align_2d': (_ALIGN_HERE, {
        'ROIMaxAlign2D.forward_cpu': 'max_forward',
        'ROIMaxAlign2D.backward_cpu': 'max_backward'}),
    _POOLING + 'roi_average_pooling_2d': (_POOLING_HERE, {
        'ROIAveragePooling2D.forward_cpu': 'average_forward',
        'ROIAveragePooling2D.backward_cpu': 'average_backward'}),
    _POOLING + 'roi_max_pooling_2d': (_POOLING_HERE, {
        'ROIMaxPooling2D.backward_cpu': 'max_backward'}),
    _POOLING + 'roi_pooling_2d': (_POOLING_HERE, {
        'ROIPooling2DGrad.forward_cpu': 'caffe_max_backward'}),
})
