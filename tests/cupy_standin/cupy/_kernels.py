"""ElementwiseKernel, ReductionKernel and RawKernel: their arguments checked as CuPy does, then g++."""

import numpy

from cupy import _host, _log
from cupy._array import ndarray, poison, strict, wrap


class ElementwiseKernel:
    """See cupy.ElementwiseKernel."""

    def __init__(self, in_params, out_params, operation, name='kernel', reduce_dims=True, preamble='',
                 no_return=False, return_tuple=False, **kwargs):
        unknown = set(kwargs) - {'loop_prep', 'after_loop', 'options', 'doc'}
        if unknown:
            raise TypeError(f'Wrong arguments {unknown}')
        self.in_params, self.out_params = _host.parse(in_params), _host.parse(out_params)
        self.operation, self.name, self.preamble = operation, name, preamble
        self.no_return, self.return_tuple = no_return, return_tuple
        self.loop_prep, self.after_loop = kwargs.get('loop_prep', ''), kwargs.get('after_loop', '')
        self.texts = (in_params, out_params)

    def __call__(self, *args, size=None, block_size=128, stream=None):
        n_in, n_all = len(self.in_params), len(self.in_params) + len(self.out_params)
        if len(args) not in (n_in, n_all):
            raise TypeError(f'Wrong number of arguments for {self.name!r}: {len(args)}')
        values = [strict(each) for each in args]
        for each in args[n_in:]:
            if not isinstance(each, ndarray):
                raise TypeError('Output arguments must be cupy.ndarray')
        kinds = [each.dtype if isinstance(each, ndarray) else None for each in args]
        in_types, out_types, letters = _host.decide(
            self.in_params, self.out_params, kinds[:n_in], kinds[n_in:])
        params, types = self.in_params + self.out_params, in_types + out_types
        flat = [v for v, p, a in zip(values, params, args) if not p.raw and isinstance(a, ndarray)]
        if size is not None and flat:
            raise ValueError("Specified 'size' can be used only if all of the ndarray are 'raw'.")
        if size is None and not flat:
            raise ValueError('Loop size is undecided.')
        shape = (size,) if size is not None else numpy.broadcast_shapes(*[v.shape for v in flat])
        n = int(numpy.prod(shape))
        given = list(args[n_in:])
        if not given:
            if any(p.raw for p in self.out_params) and size is None:
                raise ValueError('Output array size is Undecided')
            given = [wrap(poison(shape, dtype), 0) for dtype in out_types]
        for p, each in zip(self.out_params, given):
            if not p.raw and each.shape != shape:
                raise ValueError('Out shape is mismatched')
        arrays = []
        for number, (p, dtype) in enumerate(zip(params, types)):
            if number >= n_in:
                arrays.append(numpy.ascontiguousarray(given[number - n_in]._a))
            elif p.raw:
                if not isinstance(args[number], ndarray):
                    raise TypeError(f'raw {p.name} must be an array')
                arrays.append(numpy.ascontiguousarray(values[number]))
            else:
                arrays.append(numpy.ascontiguousarray(
                    numpy.broadcast_to(numpy.asarray(values[number]).astype(dtype), shape)))
        _log.note('launch')
        body = _host.elementwise(self, params, types, letters)
        _log.kernels.add((self.name, _host.CUDA_PRELUDE + _host.CLASSES + body))
        if n:
            _host.run_elementwise(body, arrays, n, shape)
        for each, array in zip(given, arrays[n_in:]):
            if array is not each._a:
                each._a[...] = array
        if self.no_return:
            return None
        return given[0] if len(given) == 1 and not self.return_tuple else tuple(given)


class ReductionKernel:
    """See cupy.ReductionKernel."""

    def __init__(self, in_params, out_params, map_expr, reduce_expr, post_map_expr, identity,
                 name='reduce_kernel', reduce_type=None, reduce_dims=True, preamble='', options=()):
        self.in_params, self.out_params = _host.parse(in_params), _host.parse(out_params)
        self.map_expr, self.reduce_expr, self.post_map_expr = map_expr, reduce_expr, post_map_expr
        self.identity, self.name, self.reduce_type, self.preamble = identity, name, reduce_type, preamble
        self.texts = (in_params, out_params)

    def __call__(self, *args, out=None, axis=None, keepdims=False, stream=None):
        n_in = len(self.in_params)
        if len(args) not in (n_in, n_in + len(self.out_params)):
            raise TypeError(f'Wrong number of arguments for {self.name!r}: {len(args)}')
        if len(args) > n_in:
            out = args[n_in]
        args = args[:n_in]
        kinds = [each.dtype if isinstance(each, ndarray) else None for each in args]
        in_types, out_types, letters = _host.decide(
            self.in_params, self.out_params, kinds, None if out is None else [out.dtype])
        flat = [strict(a) for a, p in zip(args, self.in_params) if not p.raw and isinstance(a, ndarray)]
        shape = numpy.broadcast_shapes(*[v.shape for v in flat])
        axes = tuple(range(len(shape))) if axis is None else tuple(
            a % len(shape) for a in ((axis,) if isinstance(axis, int) else axis))
        rest = tuple(a for a in range(len(shape)) if a not in axes)
        ins = []
        for a, p, t in zip(args, self.in_params, in_types):
            value = numpy.asarray(strict(a)).astype(t)
            ins.append(numpy.ascontiguousarray(value) if p.raw else numpy.ascontiguousarray(
                numpy.broadcast_to(value, shape).transpose(rest + axes)))
        out_shape = tuple(shape[a] for a in rest)
        n_out = int(numpy.prod(out_shape))
        n_red = int(numpy.prod([shape[a] for a in axes]))
        if n_red == 0 and self.identity in (None, ''):
            raise ValueError(f'zero-size array to reduction operation {self.name}')
        outs = [poison(out_shape, t) for t in out_types]
        _log.note('launch')
        body = _host.reduction(self, in_types, out_types, letters)
        _log.kernels.add((self.name, _host.CUDA_PRELUDE + _host.CLASSES + body))
        _host.run_reduction(body, ins, outs, n_out, n_red)
        kept = tuple(1 if a in axes else shape[a] for a in range(len(shape)))
        result = outs[0].reshape(kept) if keepdims else outs[0]
        if out is not None:
            out._a[...] = result
            return out
        return wrap(result, 0)


class RawKernel:
    """See cupy.RawKernel."""

    def __init__(self, code, name, options=(), backend='nvrtc', translate_cucomplex=False, *,
                 enable_cooperative_groups=False, jitify=False):
        self.code, self.name = code, name

    def __call__(self, grid, block, args, *, shared_mem=0):
        values = []
        for each in args:
            value = strict(each)
            # Python's numbers are passed in their widest types, which the kernel has to declare.
            values.append(numpy.asarray(value)[()] if isinstance(value, (bool, int, float)) else value)
        _log.note('launch')
        _log.kernels.add((self.name, self.code))
        _host.run_raw(self.code, self.name, grid, block, values)
