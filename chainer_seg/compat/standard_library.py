"""What Python and setuptools removed: numpy.distutils, pkg_resources, Thread.setDaemon."""

from chainer_seg.compat.import_hook import Mends

_REQUIREMENTS = ('import pkg_resources',
                 'from chainer_seg.compat import requirements as pkg_resources')

MENDS = Mends(replacements={
    'chainer._environment_check': (('import numpy.distutils.system_info', ''), _REQUIREMENTS),
    'chainer.testing.helper': (_REQUIREMENTS,),
    'chainer.testing.doctest_helper': (_REQUIREMENTS,),
    'chainercv': (_REQUIREMENTS,),
    'chainer.iterators.multiprocess_iterator': (
        ('thread.setDaemon(True)', 'thread.daemon = True'),),
})
