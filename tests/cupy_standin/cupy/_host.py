"""The CUDA source of elementwise, reduction and raw kernels, compiled by g++ and looped over."""

import ctypes
import functools
import hashlib
import os
import pathlib
import re
import subprocess
import tempfile

import numpy

CACHE = pathlib.Path(tempfile.gettempdir()) / f'cupy_standin_{os.getuid()}'

PRELUDE = r'''
#include <cmath>
#include <cstdint>
#include <cstddef>
#include <climits>
#include <limits>
#include <type_traits>
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define LOOP(i, n) for (ptrdiff_t i = 0; i < n; ++i)
#define __restrict__
struct float16 {
    _Float16 v;
    float16() {}
    template <class A, class = std::enable_if_t<std::is_arithmetic<A>::value>>
    float16(A a) : v((float)a) {}
    operator float() const { return (float)v; }
    template <class A> float16& operator+=(A a) { v = (float)v + (float)a; return *this; }
    template <class A> float16& operator-=(A a) { v = (float)v - (float)a; return *this; }
    template <class A> float16& operator*=(A a) { v = (float)v * (float)a; return *this; }
    template <class A> float16& operator/=(A a) { v = (float)v / (float)a; return *this; }
};
template <class A, class B> static inline auto min(A a, B b) {
    using C = decltype(a + b); return (C)a < (C)b ? (C)a : (C)b;
}
template <class A, class B> static inline auto max(A a, B b) {
    using C = decltype(a + b); return (C)a > (C)b ? (C)a : (C)b;
}
using std::isnan; using std::isinf; using std::isfinite;
static inline float rsqrt(float x) { return 1 / std::sqrt(x); }
static inline double rsqrt(double x) { return 1 / std::sqrt(x); }
#define __expf expf
template <typename T> static inline T atomicAdd(T* address, T value) {
    T old = *address; *address = old + value; return old;
}
struct Dim3 { unsigned x, y, z; };
static Dim3 blockIdx, threadIdx, blockDim, gridDim;
'''

# What stands before the kernels that NVRTC is to accept: types are all that counts, nothing runs.
CUDA_PRELUDE = r'''
#define LOOP(i, n) for (ptrdiff_t i = blockIdx.x * (ptrdiff_t)blockDim.x + threadIdx.x; \
                        i < n; i += gridDim.x * (ptrdiff_t)blockDim.x)
struct float16 {
    unsigned short v;
    __device__ float16() {}
    __device__ float16(float a) { asm("cvt.rn.f16.f32 %0, %1;" : "=h"(v) : "f"(a)); }
    __device__ operator float() const {
        float a; asm("cvt.f32.f16 %0, %1;" : "=f"(a) : "h"(v)); return a;
    }
    template <class A> __device__ float16& operator+=(A a) { return *this = (float)*this + (float)a; }
    template <class A> __device__ float16& operator-=(A a) { return *this = (float)*this - (float)a; }
    template <class A> __device__ float16& operator*=(A a) { return *this = (float)*this * (float)a; }
    template <class A> __device__ float16& operator/=(A a) { return *this = (float)*this / (float)a; }
};
'''

# CuPy's classes of the arrays that a kernel takes as `raw`, and of its index.
CLASSES = r'''
template <class T> struct CArray {
    T* p; ptrdiff_t n; const ptrdiff_t* s; int ndim;
    __device__ T& operator[](ptrdiff_t i) const { return p[i]; }
    template <class I> __device__ T& operator[](const I* ind) const {
        ptrdiff_t flat = 0;
        for (int d = 0; d < ndim; ++d) flat = flat * s[d] + ind[d];
        return p[flat];
    }
    __device__ ptrdiff_t size() const { return n; }
    __device__ const ptrdiff_t* shape() const { return s; }
};
struct CIndexer {
    ptrdiff_t n, i; const ptrdiff_t* s; int ndim; mutable ptrdiff_t buffer[32];
    __device__ ptrdiff_t size() const { return n; }
    __device__ const ptrdiff_t* get() const {
        ptrdiff_t rest = i;
        for (int d = ndim - 1; d >= 0; --d) { buffer[d] = rest % s[d]; rest /= s[d]; }
        return buffer;
    }
};
'''

C_TYPES = {'bool': 'bool', 'int8': 'signed char', 'uint8': 'unsigned char', 'int16': 'short',
           'uint16': 'unsigned short', 'int32': 'int', 'uint32': 'unsigned int', 'int64': 'long long',
           'uint64': 'unsigned long long', 'float16': 'float16', 'float32': 'float', 'float64': 'double'}


def c_type(dtype):
    """C's name of a NumPy type."""
    return C_TYPES[numpy.dtype(dtype).name]


@functools.cache
def library(text):
    """The compiled source, which is kept from one run to the next."""
    stem = CACHE / hashlib.sha256(text.encode()).hexdigest()[:24]
    if not stem.with_suffix('.so').exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        own = CACHE / f'{stem.name}.{os.getpid()}'
        pathlib.Path(f'{own}.cpp').write_text(text)
        run = subprocess.run(['g++', '-std=c++17', '-O1', '-w', '-shared', '-fPIC', '-o', f'{own}.so',
                              f'{own}.cpp'], capture_output=True, text=True)
        pathlib.Path(f'{own}.cpp').unlink()
        if run.returncode:
            raise RuntimeError(f'kernel does not compile:\n{run.stderr[:3000]}\n{text[-1500:]}')
        pathlib.Path(f'{own}.so').replace(stem.with_suffix('.so'))
    return ctypes.CDLL(str(stem.with_suffix('.so')))


class Param:
    """One parameter of a kernel: 'raw T x', 'int32 n', ..."""

    def __init__(self, text):
        words = text.split()
        if len(words) < 2:
            raise Exception(f'Syntax error: {text}')
        kind, self.name = words[-2:]
        self.raw = 'raw' in words[:-2]
        unknown = set(words[:-2]) - {'raw', '_non_const'}
        if unknown:
            raise Exception(f'Unknown keyword {unknown}')
        self.ctype = kind if len(kind) == 1 else None
        self.dtype = None if len(kind) == 1 else numpy.dtype(kind)


def parse(text):
    """The parameters that a kernel declares."""
    return [Param(each) for each in text.strip().split(',')] if text.strip() else []


def decide(in_params, out_params, in_types, out_types):
    """The types of all parameters, and what each letter stands for."""
    known = {}
    for params, types in ((out_params, out_types), (in_params, in_types)):
        for param, dtype in zip(params, types or ()):
            if dtype is None:
                continue
            wanted = param.dtype if param.dtype is not None else known.get(param.ctype)
            if wanted is not None and numpy.dtype(wanted) != numpy.dtype(dtype):
                raise TypeError(f'Type is mismatched. {param.name} {dtype} {wanted}')
            if param.dtype is None:
                known[param.ctype] = numpy.dtype(dtype)
    both = []
    for params in (in_params, out_params):
        both.append([p.dtype if p.dtype is not None else known[p.ctype] for p in params])
    return (*both, known)


def _pointers(arrays):
    return (ctypes.c_void_p * max(1, len(arrays)))(*[a.ctypes.data for a in arrays])


def _shape(shape):
    return (ctypes.c_ssize_t * max(1, len(shape)))(*shape)


def elementwise(kernel, params, types, letters):
    """The source of an elementwise kernel behind one of the preludes and :data:`CLASSES`."""
    raws, elements = [], []
    for number, (p, dtype) in enumerate(zip(params, types)):
        t = c_type(dtype)
        if p.raw:
            raws.append(f'CArray<{t}> {p.name} = {{({t}*)args[{number}], sizes[{number}], '
                        f'shapes[{number}], ndims[{number}]}};')
        else:
            elements.append(f'{t}& {p.name} = (({t}*)args[{number}])[i];')
    return f'''{_typedefs(letters)}
{kernel.preamble}
extern "C" __global__ void run(ptrdiff_t n, const ptrdiff_t* shape, int ndim, void** args,
                               const ptrdiff_t* sizes, const ptrdiff_t** shapes, const int* ndims) {{
    CIndexer _ind = {{n, 0, shape, ndim}};
    {' '.join(raws)}
    {kernel.loop_prep};
    LOOP(i, n) {{
        _ind.i = i;
        {' '.join(elements)}
        {kernel.operation};
    }}
    {kernel.after_loop};
}}
'''


def run_elementwise(source, arrays, n, shape):
    """Runs what :func:`elementwise` made over n elements."""
    shapes = [_shape(a.shape) for a in arrays]
    ndims = (ctypes.c_int * max(1, len(arrays)))(*[a.ndim for a in arrays])
    table = (ctypes.POINTER(ctypes.c_ssize_t) * max(1, len(arrays)))(
        *[ctypes.cast(s, ctypes.POINTER(ctypes.c_ssize_t)) for s in shapes])
    library(PRELUDE + CLASSES + source).run(
        ctypes.c_ssize_t(n), _shape(shape), ctypes.c_int(len(shape)), _pointers(arrays),
        _shape([a.size for a in arrays]), table, ndims)


def reduction(kernel, in_types, out_types, letters):
    """The source of a reduction of m elements each to n, one after the other."""
    reads, raws = [], []
    for k, (p, d) in enumerate(zip(kernel.in_params, in_types)):
        t = c_type(d)
        if p.raw:
            raws.append(f'CArray<{t}> {p.name} = {{({t}*)args[{k}], sizes[{k}], 0, 0}};')
        else:
            reads.append(f'{t}& {p.name} = (({t}*)args[{k}])[_i * m + j];')
    writes = ' '.join(f'{c_type(d)}& {p.name} = (({c_type(d)}*)args[{len(in_types) + k}])[_i];'
                      for k, (p, d) in enumerate(zip(kernel.out_params, out_types)))
    kind = kernel.reduce_type or c_type(out_types[0])
    kind = kind if kind in letters else C_TYPES.get(kind, kind)
    identity = f'({kernel.identity})' if kernel.identity not in (None, '') else ''
    return f'''{_typedefs(letters)}
typedef {kind} _type_reduce;
{kernel.preamble}
#define REDUCE(a, b) ({kernel.reduce_expr})
#define POST_MAP(a) ({kernel.post_map_expr})
extern "C" __global__ void run(ptrdiff_t n, ptrdiff_t m, void** args, const ptrdiff_t* sizes) {{
    {' '.join(raws)}
    LOOP(_i, n) {{
        _type_reduce _s = _type_reduce{identity or '()'};
        for (ptrdiff_t j = 0; j < m; ++j) {{
            ptrdiff_t _J = j, _j = j * n + _i;
            {' '.join(reads)}
            _type_reduce _a = static_cast<_type_reduce>({kernel.map_expr});
            _s = {'REDUCE(_s, _a)' if identity else 'j ? REDUCE(_s, _a) : _a'};
        }}
        {writes}
        POST_MAP(_s);
    }}
}}
'''


def run_reduction(source, ins, outs, n, m):
    """Runs what :func:`reduction` made."""
    library(PRELUDE + CLASSES + source).run(
        ctypes.c_ssize_t(n), ctypes.c_ssize_t(m), _pointers(ins + outs),
        _shape([a.size for a in ins + outs]))


def _typedefs(letters):
    return ''.join(f'typedef {c_type(d)} {letter};\n' for letter, d in sorted(letters.items()))


_RAW_TYPES = {
    'int': numpy.int32, 'float': numpy.float32, 'double': numpy.float64, 'long long': numpy.int64,
    'unsigned int': numpy.uint32, 'unsigned long long': numpy.uint64, 'bool': numpy.bool_,
    'char': numpy.int8, 'unsigned': numpy.uint32, 'size_t': numpy.uint64, 'ptrdiff_t': numpy.int64}
_CTYPES = {numpy.int32: ctypes.c_int, numpy.float32: ctypes.c_float, numpy.float64: ctypes.c_double,
           numpy.int64: ctypes.c_longlong, numpy.uint32: ctypes.c_uint, numpy.uint64: ctypes.c_ulonglong,
           numpy.bool_: ctypes.c_bool, numpy.int8: ctypes.c_byte}


def run_raw(source, name, grid, block, arguments):
    """Runs a raw kernel on NumPy arrays, whose memory is passed as it is, and NumPy scalars."""
    typedefs = {new: old for old, new in re.findall(r'typedef\s+([\w ]+?)\s+(\w+)\s*;', source)}
    signature = re.search(rf'void\s+{name}\s*\((.*?)\)', source, re.DOTALL).group(1)
    parameters = [each.replace('const', '').replace('__restrict__', '').strip()
                  for each in signature.split(',')]
    if len(parameters) != len(arguments):
        raise TypeError(f'{name} takes {len(parameters)} arguments, {len(arguments)} given')
    values, declared, casts = [], [], []
    for number, (parameter, argument) in enumerate(zip(parameters, arguments)):
        if '*' in parameter:
            kind = parameter.rsplit('*', 1)[0].strip()
            base = typedefs.get(kind, kind)
            if not isinstance(argument, numpy.ndarray):
                raise TypeError(f'{name}: {parameter} is given {argument!r}')
            wanted = numpy.dtype(_RAW_TYPES[base])
            if argument.dtype != wanted:
                raise TypeError(f'{name}: {parameter} is given an array of {argument.dtype}')
            values.append(ctypes.c_void_p(argument.ctypes.data))
            declared.append(f'void* a{number}')
            casts.append(f'({kind}*)a{number}')
        else:
            kind = parameter.rsplit(None, 1)[0]
            wanted = _RAW_TYPES[typedefs.get(kind, kind)]
            given = numpy.asarray(argument).dtype
            if given.itemsize != numpy.dtype(wanted).itemsize or given.kind != numpy.dtype(wanted).kind:
                raise TypeError(f'{name}: {parameter} is given a {given}')
            values.append(_CTYPES[wanted](argument.item() if hasattr(argument, 'item') else argument))
            declared.append(f'{kind} a{number}')
            casts.append(f'a{number}')
    text = f'''{PRELUDE}
{source}
extern "C" void run(unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                    {', '.join(declared)}) {{
    gridDim = {{gx, gy, gz}}; blockDim = {{bx, by, bz}};
    for (unsigned k = 0; k < gz; ++k) for (unsigned j = 0; j < gy; ++j)
    for (unsigned i = 0; i < gx; ++i)
    for (unsigned c = 0; c < bz; ++c) for (unsigned b = 0; b < by; ++b)
    for (unsigned a = 0; a < bx; ++a) {{
        blockIdx = {{i, j, k}}; threadIdx = {{a, b, c}};
        {name}({', '.join(casts)});
    }}
}}
'''
    sizes = list(grid) + [1] * (3 - len(grid)) + list(block) + [1] * (3 - len(block))
    library(text).run(*map(ctypes.c_uint, sizes), *values)
