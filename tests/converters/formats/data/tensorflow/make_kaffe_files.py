"""Writes kaffe_pythonN.npy of this folder, with Python 2 and with Python 3: python make_kaffe_files.py.

Python 2.7.18 with NumPy 1.16.6 and Python 3.11 with NumPy 2.4 wrote them.
"""

import sys

import numpy as np


def layers():
    """Layers as caffe-tensorflow makes them of Caffe's blobs."""
    convolution = np.arange(3 * 2 * 3 * 3, dtype=np.float32).reshape(3, 2, 3, 3)
    product = np.arange(5 * 4, dtype=np.float32).reshape(5, 4)
    return {'conv1': {'weights': convolution.transpose((2, 3, 1, 0)),
                      'biases': np.float32([1, 2, 3])},
            'bn_conv1': {'mean': np.float32([[[[.5, 1, 2]]]]), 'variance': np.float32([1, 2, 3]),
                         'scale': np.float32([[[[3, 2, 1]]]]), 'offset': np.float32([0, 1, 2])},
            'fc1000': {'weights': product.transpose((1, 0)), 'biases': np.arange(5, dtype=np.float32)}}


with open('kaffe_python' + str(sys.version_info[0]) + '.npy', 'wb') as file:
    np.save(file, layers())
