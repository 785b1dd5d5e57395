"""The functions of CuPy: those of its own, and the others by NumPy and CuPy's signatures."""

import functools
import sys
import types

import numpy

from cupy import _log
from cupy._array import checked, deep, ndarray, poison, poison_of, scatter, strict, wrap
from cupy._devices import current
from cupy._kernels import ElementwiseKernel, RawKernel, ReductionKernel  # noqa: F401
from cupy._names import FUNCTIONS, binder


class ufunc:
    """As cupy.ufunc, on top of NumPy's."""

    def __init__(self, name, twin):
        self.name, self._twin, self.nin, self.nout = name, twin, twin.nin, twin.nout
        self.__name__ = name

    def __call__(self, *args, **kwargs):
        unknown = set(kwargs) - {'out', 'dtype', 'casting', '_where'}
        if unknown:
            raise TypeError(f'Wrong arguments {unknown} (CuPy ufunc {self.name})')
        out = kwargs.pop('out', None)
        values = [strict(each) for each in args[:self.nin]]
        outs = list(args[self.nin:])
        if out is not None:
            outs = list(out) if isinstance(out, tuple) else [out]
        for each in outs:
            if not isinstance(each, ndarray):
                raise TypeError('return arrays must be of cupy.ndarray')
        if outs:
            self._twin(*values, out=tuple(each._a for each in outs), **kwargs)
            _log.note('launch')
            return outs[0] if len(outs) == 1 else tuple(outs)
        return wrap(self._twin(*values, **kwargs))

    def at(self, a, indices, b=None):
        if self.name not in _ATOMIC:
            raise NotImplementedError(f'`{self.name}.at` is not supported yet')
        scatter(self._twin, a, indices, b)

    def outer(self, a, b, **kwargs):
        return wrap(self._twin.outer(strict(a), strict(b)))

    def reduce(self, array, axis=0, dtype=None, out=None, keepdims=False):
        if self.name not in ('add', 'multiply'):
            raise NotImplementedError(f'`{self.name}.reduce` is not supported yet')
        return wrap(self._twin.reduce(strict(array), axis=axis, dtype=dtype, keepdims=keepdims))

    def accumulate(self, array, axis=0, dtype=None, out=None):
        if self.name not in ('add', 'multiply'):
            raise NotImplementedError(f'`{self.name}.accumulate` is not supported yet')
        return wrap(self._twin.accumulate(strict(array), axis=axis, dtype=dtype))


# What takes arrays of the host, and sends them.
def array(obj, dtype=None, copy=True, order='K', subok=False, ndmin=0, *, blocking=False):
    if isinstance(obj, ndarray):  # Of any device: it is copied to the current one.
        copy = bool(copy) or obj._device != current() or None
        return wrap(numpy.array(obj._a, dtype, copy=copy, order=order, ndmin=ndmin))
    if isinstance(obj, (list, tuple)) and any(isinstance(each, ndarray) for each in obj):
        return wrap(numpy.array([deep(each) for each in obj], dtype, order=order))
    _log.note('h2d')
    order = 'C' if order in ('K', 'A') else order
    return wrap(checked(numpy.array(obj, dtype, order=order, ndmin=ndmin)), 0)


def asarray(a, dtype=None, order=None, *, copy=None, blocking=False):
    if (isinstance(a, ndarray) and a._device == current()
            and (dtype is None or a.dtype == numpy.dtype(dtype))):
        return a
    return array(a, dtype, copy=None, order=order or 'K')


def asanyarray(a, dtype=None, order=None, *, blocking=False):
    return asarray(a, dtype, order)


def asnumpy(a, stream=None, order='C', out=None, *, blocking=True):
    return a.get(stream, order, out) if isinstance(a, ndarray) else numpy.asarray(a, order=order)


def ascontiguousarray(a, dtype=None):
    if not isinstance(a, ndarray):
        raise TypeError(f"Argument 'a' has incorrect type (expected cupy.ndarray, got {type(a)})")
    if a.flags.c_contiguous and (dtype is None or a.dtype == numpy.dtype(dtype)):
        return a
    return wrap(numpy.ascontiguousarray(strict(a), dtype))


def empty(shape, dtype=float, order='C'):
    return wrap(poison(shape, dtype, order), 0)


def empty_like(prototype, dtype=None, order='K', subok=None, shape=None):
    if not isinstance(prototype, ndarray):
        raise TypeError(f'{type(prototype)} is no cupy.ndarray')
    new = numpy.empty_like(prototype._a, dtype, order, True, shape)
    new.fill(poison_of(new.dtype))
    return wrap(new, 0)


def get_array_module(*args):
    return sys.modules['cupy'] if any(isinstance(each, ndarray) for each in args) else numpy


def memoize(for_each_device=False):
    def decorate(function):
        return functools.lru_cache(None)(function)
    return decorate


def clear_memo():
    pass


def fuse(*args, **kwargs):
    if args and callable(args[0]) and not kwargs:
        return args[0]
    return lambda function: function


def where(condition, x=None, y=None):
    if x is None and y is None:
        return condition.nonzero()
    if not isinstance(condition, ndarray):
        raise TypeError(f'condition is a {type(condition)}')
    return wrap(numpy.where(strict(condition), strict(x), strict(y)))


def clip(a, a_min=None, a_max=None, out=None):
    if not isinstance(a, ndarray):
        raise TypeError(f'{type(a)} is no cupy.ndarray')
    low, high = (None if each is None else strict(each) for each in (a_min, a_max))
    result = numpy.clip(strict(a), low, high, **({} if out is None else {'out': out._a}))
    return wrap(result) if out is None else out


def copyto(dst, src, casting='same_kind', where=None):
    if not isinstance(dst, ndarray):
        raise TypeError('dst must be a cupy.ndarray')
    _log.note('launch')
    where = {} if where is None else {'where': strict(where)}
    numpy.copyto(strict(dst), strict(src), casting, **where)


def concatenate(tup, axis=0, out=None, *, dtype=None, casting='same_kind'):
    for each in tup:
        if not isinstance(each, ndarray):
            raise TypeError(f'Only cupy arrays can be concatenated, not {type(each)}')
    return wrap(numpy.concatenate([strict(each) for each in tup], axis, dtype=dtype))


def repeat(a, repeats, axis=None):
    if isinstance(repeats, (ndarray, numpy.ndarray)):
        raise ValueError('cupy.repeat takes an int, or a tuple or list of them')
    return wrap(numpy.repeat(deep(a), repeats, axis))


def flatnonzero(a):
    _log.note('sync')
    return wrap(numpy.flatnonzero(deep(a)), 4)


def nonzero(a):
    return a.nonzero()


def argwhere(a):
    _log.note('sync')
    return wrap(numpy.argwhere(deep(a)), 4)


def unique(ar, *args, **kwargs):
    _log.note('sync')
    return wrap(numpy.unique(deep(ar), *args, **kwargs), 5)


def matmul(*args, out=None, **kwargs):
    a, b = (strict(each) for each in args[:2])
    if not isinstance(a, numpy.ndarray) or not isinstance(b, numpy.ndarray):
        raise TypeError('matmul of a scalar')
    if len(args) > 2:
        out = args[2]
    if out is not None:
        numpy.matmul(a, b, out=out._a)
        return out
    return wrap(numpy.matmul(a, b))


def tensordot(a, b, axes=2):
    """As CuPy's: the result is contiguous."""
    return wrap(numpy.ascontiguousarray(numpy.tensordot(strict(a), strict(b), axes)), 2)


def shares_memory(a, b, max_work=None):
    return numpy.shares_memory(a._a, b._a)


may_share_memory = shares_memory


def isscalar(element):
    return numpy.isscalar(element) if not isinstance(element, ndarray) else element.ndim == 0


# Views, which no kernel makes; and how many kernels others take, where it is not one.
_FREE = {'broadcast_to', 'moveaxis', 'rollaxis', 'transpose', 'swapaxes', 'expand_dims', 'squeeze',
         'atleast_1d', 'broadcast_arrays', 'reshape', 'split', 'array_split', 'flip', 'empty'}
_COST = {'argsort': 3, 'sort': 2, 'argpartition': 4, 'pad': 4, 'take_along_axis': 5, 'triu': 3,
         'tril': 3, 'stack': 2, 'linspace': 2, 'einsum': 3, 'var': 3, 'std': 3}
_TAKES_HOST = {'split', 'array_split', 'hsplit', 'vsplit', 'result_type', 'can_cast', 'min_scalar_type',
               'promote_types', 'broadcast_shapes', 'shape', 'ndim', 'size', 'asfortranarray',
               'iterable', 'issubdtype'}
_DEVICE_ONLY = {'sum', 'mean', 'prod', 'max', 'min', 'amax', 'amin', 'argmax', 'argmin', 'any', 'all',
                'sort', 'argsort', 'ravel', 'reshape', 'transpose', 'moveaxis', 'broadcast_to',
                'zeros_like', 'ones_like', 'full_like'}
_ATOMIC = {'add', 'subtract', 'maximum', 'minimum', 'bitwise_and', 'bitwise_or', 'bitwise_xor'}


def _function(name, parameters, twin):
    bind = binder(name, parameters) if parameters is not None else None

    def function(*args, **kwargs):
        if bind is not None:
            bind(*args, **kwargs)
        out = kwargs.get('out')
        if name == 'argsort' and kwargs.get('kind') not in (None, 'stable'):
            raise ValueError("kind can only be None or 'stable'")
        if name in ('argsort', 'sort'):
            kwargs['kind'] = 'stable'
        if name in _DEVICE_ONLY and not isinstance(args[0], ndarray):
            raise TypeError(f'cupy.{name} of a {type(args[0])}')
        result = twin(*map(convert, args), **{key: convert(each) for key, each in kwargs.items()})
        if out is not None:
            _log.note('launch')
            return out
        return wrap(result, 0 if name in _FREE else _COST.get(name, 1))

    def convert(value):
        if name in _TAKES_HOST:
            return value._a if isinstance(value, ndarray) else value
        return deep(value, is_view=name in _FREE)
    function.__name__ = name
    return function


def namespace():
    """What the module cupy shall hold: only names that the real one of this version has."""
    hidden = {'functools', 'sys', 'types', 'numpy', 'current', 'checked', 'deep', 'poison', 'poison_of',
              'scatter', 'strict', 'wrap', 'binder'}
    own = {name: value for name, value in globals().items()
           if name in FUNCTIONS and name not in hidden}
    for name, parameters in FUNCTIONS.items():
        twin = getattr(numpy, name, None)
        if name in own or twin is None or isinstance(twin, types.ModuleType):
            continue
        if isinstance(twin, (type, numpy.dtype)) or not callable(twin):
            own[name] = twin
        elif isinstance(twin, numpy.ufunc):
            own[name] = ufunc(name, twin)
        else:
            own[name] = _function(name, parameters, twin)
    return own
