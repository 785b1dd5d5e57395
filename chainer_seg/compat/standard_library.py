"""What Python, setuptools and NumPy removed: distutils, pkg_resources, numpy.distutils."""

from chainer_seg.compat.import_hook import Patches

_TRUE = ('y', 'yes', 't', 'true', 'on', '1')
_FALSE = ('n', 'no', 'f', 'false', 'off', '0')

_REQUIREMENTS = ('import pkg_resources',
                 'from chainer_seg.compat import requirements as pkg_resources')

PATCHES = Patches(replacements={
    'chainer._environment_check': (('import numpy.distutils.system_info', ''), _REQUIREMENTS),
    'chainer.testing.helper': (_REQUIREMENTS,),
    'chainer.testing.doctest_helper': (_REQUIREMENTS,),
    'chainercv': (_REQUIREMENTS,),
    'chainercv.utils.download': (
        ('from distutils.util import strtobool',
         'from chainer_seg.compat.standard_library import strtobool'),),
    'chainer.iterators.multiprocess_iterator': (
        ('thread.setDaemon(True)', 'thread.daemon = True'),),
})


def strtobool(text: str) -> int:
    """1 or 0 for a word such as ``'yes'`` or ``'off'``; raises ValueError for any other word."""
    word = text.lower()
    if word not in _TRUE + _FALSE:
        raise ValueError(f'expected one of {_TRUE + _FALSE}, got {text!r}')
    return int(word in _TRUE)
