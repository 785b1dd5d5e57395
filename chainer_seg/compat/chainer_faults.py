"""Bugs of Chainer 7.8.1 itself: wrong numbers or crashes that no newer library causes."""

from chainer_seg import lazy
from chainer_seg.compat.import_hook import Patches

whole_pixels = lazy.function('chainer_seg.functions.chainer_roi_pooling', 'whole_pixels')

_POOLING = 'chainer.functions.pooling.'
# Chainer rounds the corners of RoIs half to even on a CPU, and half away from zero on a GPU.
_ROUNDING = (('import numpy\n', 'import numpy\n'
              'from chainer_seg.compat.chainer_faults import whole_pixels\n'),
             ('int(round(', 'int(whole_pixels('))

PATCHES = Patches(replacements={
    # backward raised where only the weights have gradients, as in the first layer of a network.
    'chainer.functions.connection.deconvolution_2d': (
        ('self._set_cover_all(x, W)', 'self._set_cover_all(x.shape, W.shape)'),),
    # A batch of no images raised.
    'chainer.functions.normalization.group_normalization': (
        ('reduced_shape = (batch_size * groups, -1)\n        x = x.reshape(reduced_shape)',
         'reduced_shape = (batch_size * groups, int(numpy.prod(orig_shape[1:])) // groups)\n'
         '        x = x.reshape(reduced_shape)'),
        ('        y = x_hat.reshape((batch_size, channels, -1))',
         '        y = x_hat.reshape((batch_size, channels, int(numpy.prod(orig_shape[2:]))))')),
    # The weights of a new link were NaN; those of NegativeSampling, its neighbour, are 0.
    'chainer.links.loss.black_out': (
        ('variable.Parameter(shape=(vocab_size, in_size))',
         'variable.Parameter(0, (vocab_size, in_size))'),),
    _POOLING + 'roi_pooling_2d': _ROUNDING,
    _POOLING + 'roi_max_pooling_2d': _ROUNDING,
    _POOLING + 'roi_average_pooling_2d': _ROUNDING,
    'chainer.links.caffe.caffe_function': (
        ('import numpy\n', 'import numpy\nfrom chainer_seg.compat import caffe_layers\n'),
        ('n_in, n_out, ksize, stride, pad, nobias=not bias_term,',
         'n_in, n_out, ksize, stride, pad, nobias=not bias_term,\n'
         '            dilate=caffe_layers.dilation_of(param),'),
        ('functions.max_pooling_2d', 'caffe_layers.max_pooling'),
        ('functions.average_pooling_2d', 'caffe_layers.average_pooling')),
})
