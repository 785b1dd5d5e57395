"""Runs pytest on the suites of Chainer 7.8.1 and ChainerCV 0.13.1 with chainer_seg imported first.

What else it does is for the test code alone, which uses names that NumPy has removed;
chainer_seg.compat knows nothing of it. The arguments are those of pytest.
"""

import sys
import warnings
from typing import Any

import numpy as np
import pytest

import chainer_seg  # noqa: F401  (has to come before Chainer, which pytest's own start imports)

_REMOVED_NAMES = {'bool': np.bool_, 'int': int, 'float': float, 'object': object, 'str': str,
                  'complex_': np.complex128, 'product': np.prod}

# Warnings of a newer pytest and unittest about the tests; the suites turn warnings into errors.
_FILTERS = ('ignore::pytest.PytestUnraisableExceptionWarning',
            'ignore::pytest.PytestRemovedIn9Warning',
            'ignore::pytest.PytestReturnNotNoneWarning',
            'ignore:It is deprecated to return a value that is not None:DeprecationWarning',
            'ignore:invalid escape sequence:SyntaxWarning',
            'ignore:invalid escape sequence:DeprecationWarning')


_pytest_warns = pytest.warns


def _warns(expected: Any = Warning, *args: Any, **options: Any) -> Any:
    """`pytest.warns`, where None once meant to record whatever comes."""
    if expected is None:
        return warnings.catch_warnings(record=True)
    return _pytest_warns(expected, *args, **options)


def main(arguments: list[str]) -> int:
    """Run pytest; the exit status is pytest's."""
    for name, value in _REMOVED_NAMES.items():
        if name not in vars(np):
            setattr(np, name, value)
    pytest.warns = _warns  # type: ignore[assignment]
    filters = [text for text in _FILTERS
               if 'pytest.' not in text or hasattr(pytest, text.rpartition('.')[2])]
    return pytest.main([*(f'-W{text}' for text in filters), *arguments])


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
