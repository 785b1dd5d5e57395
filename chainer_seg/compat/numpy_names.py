"""Names that NumPy 1.24 and 2.0 removed, replaced in the modules that use them.

The numpy namespace itself stays as it is: other packages ask `hasattr(np, 'float')` to learn
which NumPy they run on.
"""

from chainer_seg.compat.import_hook import Mends

_SIGNED = '(np.int8, np.int16, np.int32, np.int64)'
_FLOATING = '(np.float16, np.float32, np.float64, np.longdouble)'
_BOOL = (('np.bool)', 'np.bool_)'),)
_INT = (('np.int)', 'np.int_)'),)

MENDS = Mends(replacements={
    'chainer.functions.array.as_strided': (
        ("np.sctypes['int']", _SIGNED), ("np.sctypes['float']", _FLOATING)),
    'chainer.functions.array.resize_images': (('numpy.float)', 'numpy.float64)'),),
    'chainercv.experimental.links.model.fcis.fcis_train_chain': _INT,
    'chainercv.experimental.links.model.fcis.fcis': _BOOL,
    'chainercv.experimental.links.model.fcis.utils.proposal_target_creator': _INT,
    'chainercv.datasets.coco.coco_instances_base_dataset': _BOOL,
    'chainercv.datasets.cub.cub_keypoint_dataset': _BOOL,
    'chainercv.datasets.voc.voc_bbox_dataset': _BOOL,
    'chainercv.datasets.voc.voc_utils': _BOOL,
    'chainercv.visualizations.vis_point': _BOOL,
    'chainercv.links.model.fpn.mask_utils': _BOOL,
    'chainercv.links.model.fpn.mask_head': _BOOL,
    'chainercv.links.model.mobilenet.mobilenet_v2': (('np.float)', 'np.float64)'),),
    'chainercv.utils.mask.scale_mask': _BOOL,
})
