"""What ChainerCV lacks: its compiled helper, and a fast non-maximum suppression on the CPU."""

from chainer_seg.compat.import_hook import Patches

PATCHES = Patches(
    # ChainerCV overrides Link.to_cpu and to_gpu, which still works; Chainer warns of it at each class.
    replacements={'chainer.utils.meta': (
        ('if issubclass(action, Warning):\n',
         "if issubclass(action, Warning):\n"
         "                        if d.get('__module__', '').startswith('chainercv.'):\n"
         "                            continue\n"),)},
    functions={'chainercv.utils.bbox.non_maximum_suppression': (
        'chainer_seg.functions.suppression',
        {'_non_maximum_suppression_cpu': 'suppress'})},
    supplied={'chainercv.utils.bbox._nms_gpu_post': 'chainer_seg.compat.nms_gpu_post'})
