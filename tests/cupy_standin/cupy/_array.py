"""cupy.ndarray that lies in host memory but refuses what CuPy refuses."""

import functools

import numpy

from cupy import _devices, _log
from cupy._names import METHODS, binder

SCALARS = (bool, int, float, complex, numpy.number, numpy.bool_)
_REFUSED_KINDS = 'OSUMmV'
_ATOMIC_TYPES = ('int32', 'float16', 'float32', 'float64', 'uint32', 'uint64', 'int64')
_COMPARISONS = ('greater', 'greater_equal', 'less', 'less_equal', 'equal', 'not_equal')


class MemoryPointer:
    """Where an array begins, and on which device."""

    def __init__(self, array):
        self.ptr, self.device_id, self.device = array._a.ctypes.data, array._device, array.device


def checked(array):
    """The array, if CuPy has its type."""
    if array.dtype.kind in _REFUSED_KINDS or array.dtype.itemsize > 16 or array.dtype.char in 'gG':
        raise ValueError(f'Unsupported dtype {array.dtype}')
    return array


def wrap(value, launches=1):
    """NumPy's result as one of the device."""
    if launches:
        _log.note('launch', launches)
    if isinstance(value, (tuple, list)):
        return type(value)(wrap(each, 0) for each in value)
    if isinstance(value, (numpy.ndarray, numpy.generic)):
        new = ndarray.__new__(ndarray)
        new._a = checked(numpy.asarray(value))
        new._device = _devices.place(new._a)
        return new
    return value


def strict(value):
    """The argument of a ufunc or a kernel: an array of the device, or a number."""
    if isinstance(value, ndarray):
        _devices.check(value._device)
        return value._a
    if isinstance(value, SCALARS):
        return value
    raise TypeError(f'Unsupported type {type(value)}')


def deep(value, is_view=False):
    """The argument of any other function: refuses arrays of the host, in lists, too."""
    if isinstance(value, ndarray):
        if not is_view:
            _devices.check(value._device)
        return value._a
    if isinstance(value, numpy.ndarray):
        raise TypeError(f'Unsupported type {type(value)} (a host array of shape {value.shape})')
    if type(value) in (list, tuple):
        return type(value)(deep(each, is_view) for each in value)
    return value


def index(slices):
    """NumPy's index; host arrays are sent to the device by CuPy, silently."""
    several = isinstance(slices, tuple)
    parts, launches = [], 0
    for part in (slices if several else (slices,)):
        if isinstance(part, ndarray):
            _devices.check(part._device)
            launches += 1
            if part.dtype.kind == 'b':
                launches += 2
                _log.note('sync')  # CuPy has to know how many are true.
            elif part.dtype.kind not in 'iu':
                raise IndexError(f'indices must be of integer or boolean type, not {part.dtype}')
            part = part._a
        elif isinstance(part, (numpy.ndarray, list)):
            _log.note('implicit_h2d')
            launches += 1
            if isinstance(part, list) and any(isinstance(each, ndarray) for each in part):
                raise TypeError('a list of device arrays as an index')
            if isinstance(part, numpy.ndarray) and part.dtype.kind == 'b':
                _log.note('sync')
        parts.append(part)
    return (tuple(parts) if several else parts[0]), launches


class ndarray:
    """An array of a device; its numbers are those of the NumPy array ``_a``."""

    __slots__ = ('_a', '_device', '__weakref__')
    __array_priority__ = 100

    def __init__(self, shape, dtype=float, memptr=None, strides=None, order='C'):
        self._a = poison(shape, dtype, order)
        self._device = _devices.place(self._a)

    # What NumPy must not do behind our back.
    def __array__(self, dtype=None, copy=None):
        raise TypeError('Implicit conversion to a NumPy array is not allowed. '
                        'Please use `.get()` to construct a NumPy array explicitly.')

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        import cupy
        import cupyx.scipy.special
        out = kwargs.get('out')
        if out is not None:
            kwargs['out'] = out[0]
        func = getattr(cupy, ufunc.__name__, None) or getattr(cupyx.scipy.special, ufunc.__name__, None)
        if func is None:
            return NotImplemented
        if method != '__call__':
            func = getattr(func, method, None)
            if func is None:
                return NotImplemented
        for each in inputs:
            if not isinstance(each, (*SCALARS, ndarray, numpy.ndarray)):
                return NotImplemented
        if ufunc.__name__ in _COMPARISONS:
            inputs = tuple(each.item() if isinstance(each, numpy.ndarray) and each.ndim == 0 else each
                           for each in inputs)
        return func(*inputs, **kwargs)

    def __array_function__(self, func, types, args, kwargs):
        import cupy
        try:
            module = functools.reduce(getattr, func.__module__.split('.')[1:], cupy)
            own = getattr(module, func.__name__)
        except AttributeError:
            return NotImplemented
        if own is func or not all(issubclass(t, (ndarray, numpy.ndarray)) for t in types):
            return NotImplemented
        return own(*args, **kwargs)

    # Attributes
    shape = property(lambda self: self._a.shape)
    dtype = property(lambda self: self._a.dtype)
    ndim = property(lambda self: self._a.ndim)
    size = property(lambda self: self._a.size)
    itemsize = property(lambda self: self._a.itemsize)
    nbytes = property(lambda self: self._a.nbytes)
    strides = property(lambda self: self._a.strides)
    flags = property(lambda self: self._a.flags)
    data = property(MemoryPointer)
    device = property(lambda self: _devices.Device(self._device))
    T = property(lambda self: wrap(self._a.T, 0))
    real = property(lambda self: wrap(self._a.real, 0))
    base = property(lambda self: None)
    _c_contiguous = property(lambda self: self._a.flags.c_contiguous)

    @shape.setter
    def shape(self, value):
        self._a.shape = value

    def __len__(self):
        if not self._a.ndim:
            raise TypeError('len() of unsized object')
        return len(self._a)

    def __iter__(self):
        if not self._a.ndim:
            raise TypeError('iteration over a 0-d array')
        return (self[i] for i in range(len(self._a)))

    def __getitem__(self, slices):
        slices, launches = index(slices)
        if launches:
            _devices.check(self._device)
        return wrap(numpy.asarray(self._a[slices]), launches)

    def __setitem__(self, slices, value):
        slices, launches = index(slices)
        _devices.check(self._device)
        if isinstance(value, numpy.ndarray) and value.ndim:
            if launches == 0:
                raise ValueError('non-scalar numpy.ndarray cannot be used for fill')
            _log.note('implicit_h2d')
        elif isinstance(value, ndarray):
            value = strict(value)
        elif not isinstance(value, (*SCALARS, numpy.ndarray)):
            raise TypeError(f'cannot store a {type(value)}')
        _log.note('launch', launches + 1)
        self._a[slices] = value

    # The host waits for these.
    def get(self, stream=None, order='C', out=None, blocking=True):
        _log.note('sync')
        _log.note('d2h')
        if out is not None:
            if not isinstance(out, numpy.ndarray) or out.dtype != self.dtype or out.shape != self.shape:
                raise TypeError('out does not fit')
            out[...] = self._a
            return out
        return numpy.array(self._a, order='C' if order == 'A' else order)

    def set(self, arr, stream=None):
        if not isinstance(arr, numpy.ndarray):
            raise TypeError('Only numpy.ndarray can be set to cupy.ndarray')
        if arr.dtype != self.dtype or arr.shape != self.shape:
            raise ValueError('arrays must have same shape and dtype')
        _log.note('h2d')
        self._a[...] = arr

    def _value(self):
        _log.note('sync')
        return self._a

    def item(self):
        return self._value().item()

    def tolist(self):
        return self._value().tolist()

    def tobytes(self, order='C'):
        return self._value().tobytes(order)

    def __bool__(self):
        return bool(self._value())

    def __int__(self):
        return int(self._value().item())

    def __float__(self):
        return float(self._value().item())

    def __index__(self):
        return self._value().__index__()

    def __complex__(self):
        return complex(self._value().item())

    def __repr__(self):
        return f'device {self._a!r}'

    def __str__(self):
        return str(self._value())

    def __format__(self, spec):
        return format(self._value(), spec)

    def __copy__(self):
        return self.copy()

    def __deepcopy__(self, memo):
        return self.copy()

    def __reduce__(self):
        return _rebuild, (self._a,)

    __hash__ = None

    # Methods with their own mind
    def astype(self, dtype, order='K', casting=None, subok=None, copy=True):
        new = self._a.astype(dtype, order, casting or 'unsafe', True, copy)
        if new is not self._a:
            _devices.check(self._device)
        return self if new is self._a else wrap(new)

    def copy(self, order='C'):
        return wrap(self._a.copy(order))

    def view(self, dtype=None, array_class=None):
        return wrap(self._a.view() if dtype is None else self._a.view(dtype), 0)

    def fill(self, value):
        if isinstance(value, numpy.ndarray):
            if value.ndim:
                raise ValueError('non-scalar numpy.ndarray cannot be used for fill')
            value = value.item()
        _log.note('launch')
        _devices.check(self._device)
        self._a.fill(strict(value))

    def reduced_view(self, dtype=None):
        return self

    def scatter_add(self, slices, value):
        _log.note('deprecated')
        scatter(numpy.add, self, slices, value)


def _rebuild(array):
    return wrap(array, 0)


def scatter(ufunc, target, slices, value):
    """The atomic operations behind ``ufunc.at``."""
    slices, launches = index(slices)
    if target.dtype.name not in _ATOMIC_TYPES:
        raise TypeError(f'only {", ".join(_ATOMIC_TYPES)} are supported, not {target.dtype}')
    _log.note('launch', launches + 1)
    ufunc.at(strict(target), slices, strict(value))


def poison(shape, dtype=float, order='C'):
    """Memory that nothing was written to: NaN, or a striking number."""
    if isinstance(shape, (ndarray,)):
        raise TypeError('a device array is no shape')
    array = checked(numpy.empty(shape, dtype, order))
    array.fill(poison_of(array.dtype))
    return array


def poison_of(dtype):
    """What memory holds to which nothing was written."""
    return {'f': numpy.nan, 'c': numpy.nan, 'b': True}.get(dtype.kind, 119)


_COST = {'argsort': 3, 'sort': 2, 'nonzero': 3, 'var': 3, 'std': 3, 'searchsorted': 1, 'argpartition': 4}
_FREE = {'reshape', 'ravel', 'transpose', 'swapaxes', 'squeeze', 'diagonal'}
_SYNC = {'nonzero'}


def _method(name, signature):
    bind = binder(name, signature, is_method=True)
    twin = getattr(numpy.ndarray, name)

    def method(self, *args, **kwargs):
        bind(self, *args, **kwargs)
        if name in _SYNC:
            _log.note('sync')
        args = [deep(each) for each in args]
        kwargs = {key: deep(each) for key, each in kwargs.items()}
        before = deep(self, is_view=name in _FREE)
        result = twin(before, *args, **kwargs)
        if name in ('reshape', 'ravel'):
            is_view = numpy.may_share_memory(result, before)
            if not is_view:
                _devices.check(self._device)
            return wrap(result, 0 if is_view else 1)
        if result is None:
            _log.note('launch')
            return None
        return wrap(result, 0 if name in _FREE else _COST.get(name, 1))
    method.__name__ = name
    return method


for _name, _signature in METHODS.items():
    if not hasattr(ndarray, _name) and callable(getattr(numpy.ndarray, _name, None)):
        setattr(ndarray, _name, _method(_name, _signature))


def _binary(name, ufunc_name, swapped=False):
    def method(self, other):
        import cupy
        if not isinstance(other, (*SCALARS, ndarray, numpy.ndarray)):
            return NotImplemented
        if isinstance(other, numpy.ndarray) and (other.ndim or ufunc_name not in _COMPARISONS):
            raise TypeError(f'Unsupported type {type(other)} (a host array of shape {other.shape})')
        if isinstance(other, numpy.ndarray):
            other = other.item()
        ufunc = getattr(cupy, ufunc_name)
        return ufunc(other, self) if swapped else ufunc(self, other)
    return method


def _unary(ufunc_name):
    def method(self):
        import cupy
        return getattr(cupy, ufunc_name)(self)
    return method


def _in_place(ufunc_name):
    def method(self, other):
        import cupy
        if isinstance(other, numpy.ndarray):
            raise TypeError(f'Unsupported type {type(other)} (a host array of shape {other.shape})')
        return getattr(cupy, ufunc_name)(self, other, self)
    return method


for _short, _long in {'add': 'add', 'sub': 'subtract', 'mul': 'multiply', 'truediv': 'true_divide',
                      'floordiv': 'floor_divide', 'mod': 'remainder', 'pow': 'power',
                      'and': 'bitwise_and', 'or': 'bitwise_or', 'xor': 'bitwise_xor',
                      'lshift': 'left_shift', 'rshift': 'right_shift', 'matmul': 'matmul'}.items():
    setattr(ndarray, f'__{_short}__', _binary(_short, _long))
    setattr(ndarray, f'__r{_short}__', _binary(_short, _long, True))
    setattr(ndarray, f'__i{_short}__', _in_place(_long))
for _short, _long in {'lt': 'less', 'le': 'less_equal', 'gt': 'greater', 'ge': 'greater_equal',
                      'eq': 'equal', 'ne': 'not_equal'}.items():
    setattr(ndarray, f'__{_short}__', _binary(_short, _long))
for _short, _long in {'neg': 'negative', 'pos': 'positive', 'abs': 'absolute',
                      'invert': 'invert'}.items():
    setattr(ndarray, f'__{_short}__', _unary(_long))
