"""The only place that patches other packages: makes Chainer 7.8.1 and its family work today.

`apply()` installs one import hook. It imports nothing and touches no other package: the modules of
chainer, chainermn, onnx_chainer and chainercv are patched as they are imported, each from the tables
of the file here that is named after the library which changed. docs/compat.md lists every change and
its reason.
"""

import sys

from chainer_seg.compat import (blank, caffe_messages, chainer_faults, chainercv_names, convolution,
                                cpu_loops, cupy_names, numpy_names, onnx_names, standard_library)
from chainer_seg.compat.import_hook import PACKAGES, Patches, PatchingFinder

_TOPICS = (numpy_names, standard_library, cupy_names, caffe_messages, onnx_names, cpu_loops,
           convolution, chainercv_names, blank, chainer_faults)


def apply() -> None:
    """Install the import hook, once; later calls do nothing.

    Raises:
        ImportError: One of the packages was imported before and is therefore not patched. The message
            names it.
    """
    if any(getattr(finder, 'is_chainer_seg_hook', False) for finder in sys.meta_path):
        return
    early = [name for name in sys.modules if name.partition('.')[0] in PACKAGES]
    if early:
        raise ImportError(
            f'{early[0].partition(".")[0]} was imported before chainer_seg, which can patch it only '
            f'during its import: put "import chainer_seg" first and restart Python')
    sys.meta_path.insert(0, PatchingFinder(Patches.merged(topic.PATCHES for topic in _TOPICS)))
