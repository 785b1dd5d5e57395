"""What NumPy 1.24 and 2.x removed or changed, replaced in the modules that use it.

The numpy namespace itself is not changed: other packages test `hasattr(np, 'float')` to find out
which version of NumPy is installed.
"""

from chainer_seg.compat.import_hook import Patches

_SIGNED = '(np.int8, np.int16, np.int32, np.int64)'
_FLOATING = '(np.float16, np.float32, np.float64, np.longdouble)'
_BOOL = (('np.bool)', 'np.bool_)'),)
_LEVELS = ('xp.array((l,) * len(rois[l])) for l in range(n_level))',
           '[xp.array((l,) * len(rois[l])) for l in range(n_level)])')
_INT = (('np.int)', 'np.int_)'),)

PATCHES = Patches(replacements={
    'chainer.functions.array.as_strided': (
        ("np.sctypes['int']", _SIGNED), ("np.sctypes['float']", _FLOATING)),
    'chainer.functions.array.resize_images': (('numpy.float)', 'numpy.float64)'),),
    # meshgrid now returns a tuple, which cannot be added to a list.
    'chainer.distributions.categorical': (
        ('mg + [x.data.astype(numpy.int32)]', '(*mg, x.data.astype(numpy.int32))'),
        ('mg + [x.astype(numpy.int32)]', '(*mg, x.astype(numpy.int32))')),
    'chainer.dataset.convert': (
        ('numpy.maximum(shape, array.shape, shape)',
         'numpy.maximum(shape, array.shape, out=shape)'),),
    # Assigning -1 to an unsigned integer used to wrap around and now raises.
    'chainer.functions.array.pad_sequence': (
        ('y[i, l:] = self.padding',
         'y[i, l:] = numpy.array(self.padding).astype(y.dtype).item()'),),
    # Arrays now have an attribute `device`, which is 'cpu'.
    'chainer.variable': (
        ("getattr(array, 'device', 'CPU')",
         "'CPU' if isinstance(array, numpy.ndarray) else getattr(array, 'device', 'CPU')"),),
    # SciPy's sparse matrices no longer take float16.
    'chainer.functions.math.sparse_matmul': (
        ('        raise RuntimeError(msg)\n\n    _m, _k = A_shape\n',
         '        raise RuntimeError(msg)\n\n    _m, _k = A_shape\n'
         '    if A_data.dtype == numpy.float16:\n'
         '        A_data = A_data.astype(numpy.float32)\n'
         '    if B.dtype == numpy.float16:\n'
         '        B = B.astype(numpy.float32)\n'),),
    # int() of an array with one axis now raises.
    'chainermn.iterators.multi_node_iterator': (('int(_size)', 'int(_size[0])'),),
    'chainercv.experimental.links.model.fcis.fcis_train_chain': _INT,
    'chainercv.experimental.links.model.fcis.fcis': _BOOL,
    'chainercv.experimental.links.model.fcis.utils.proposal_target_creator': _INT,
    'chainercv.datasets.coco.coco_instances_base_dataset': _BOOL,
    'chainercv.datasets.cub.cub_keypoint_dataset': _BOOL,
    'chainercv.datasets.voc.voc_bbox_dataset': _BOOL,
    'chainercv.datasets.voc.voc_utils': _BOOL,
    'chainercv.visualizations.vis_point': _BOOL,
    'chainercv.links.model.fpn.mask_utils': _BOOL,
    # hstack no longer takes a generator.
    'chainercv.links.model.fpn.bbox_head': (_LEVELS,),
    'chainercv.links.model.fpn.mask_head': (*_BOOL, _LEVELS),
    'chainercv.utils.mask.scale_mask': _BOOL,
})
