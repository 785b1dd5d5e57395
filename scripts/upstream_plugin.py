"""A pytest plugin that lets the test suites of Chainer 7.8.1 and ChainerCV 0.13.1 run today.

It imports chainer_seg first. What else it does is for the test code alone, which uses names that
NumPy, pytest and mock have removed; chainer_seg.compat knows nothing of it.
"""

import chainer_seg  # noqa: F401  (has to come before Chainer)
import numpy as np

for _name, _value in {'bool': np.bool_, 'int': int, 'float': float, 'object': object,
                      'complex': complex, 'str': str}.items():
    if not hasattr(np, _name):
        setattr(np, _name, _value)
