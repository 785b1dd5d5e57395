"""Chainer, written for CuPy 7, on CuPy 13 and 14.

Every name of CuPy that Chainer uses still exists, except for `cupy.util` and, since CuPy 14,
`cupy.cudnn`; Chainer has a fallback for both. Most of what remains to be patched are warnings.
"""

from chainer_seg.compat.import_hook import Patches

# CuPy 14 warns at each call that `scatter_add` is deprecated; `add.at` is the same in CuPy 13, too.
_SCATTER_ADD = (('cuda.cupyx.scatter_add', 'cuda.cupy.add.at'),)


def _quietly(statement: str) -> tuple[str, str]:
    """A replacement that runs an import statement in a ``try`` block without its warnings."""
    return (statement,
            'import warnings\n'
            '    with warnings.catch_warnings():\n'
            '        warnings.simplefilter("ignore")\n'
            f'        {statement}')


PATCHES = Patches(replacements={
    # It requires CuPy 7, and iDeep, which has been discontinued.
    'chainer._environment_check': (
        ('    _check_osx_numpy_backend()\n    _check_optional_dependencies()\n', ''),),
    # CuPy 14 has no cuDNN, so every user would see the warning "cuDNN is not enabled".
    # CuPy 13 warns when it finds no libcudnn.
    'chainer.backends.cuda': (
        ('if (not cudnn_enabled and\n', 'if (False and\n'),
        ('        if 7 < _cupy_major:\n'
         '            import cupy.cuda.cudnn\n'
         '        import cupy.cudnn\n',
         '        with warnings.catch_warnings():\n'
         '            warnings.simplefilter("ignore")\n'
         '            import cupy.cuda.cudnn\n'
         '            import cupy.cudnn\n')),
    # Without libnccl CuPy warns at each attempt to import this.
    'chainer.training.updaters.multiprocess_parallel_updater': (
        _quietly('from cupy.cuda import nccl\n'),),
    'chainermn.nccl': (_quietly('from cupy.cuda.nccl import get_build_version  # NOQA\n'),),
    **{f'chainer.{name}': _SCATTER_ADD for name in (
        'functions.array.as_strided', 'functions.array.scatter_add',
        'functions.array.spatial_transformer_sampler', 'utils.sparse')},
    'chainer.functions.array.get_item': (
        ('gx.scatter_add(slices, inputs[0])',
         'chainer.backends.cuda.cupy.add.at(gx, slices, inputs[0])'),),
    # For NumPy 2 and CuPy 14, copy=False means "raise if a copy is needed".
    'chainermn.communicators._memory_utility': (
        ('xp.array(v, copy=False, dtype=transfer_dtype)',
         'xp.asarray(v, dtype=transfer_dtype)'),),
})
