"""The one name of cupy._util that Chainer asks for."""


class PerformanceWarning(RuntimeWarning):
    """Something is slow on a GPU."""
