"""Importing chainer_seg patches Chainer and its companion packages: silently and once."""

import importlib
import importlib.util
import subprocess
import sys

import chainer_seg
import numpy as np
import pytest
from chainer_seg import compat


def run(code, *options):
    """Standard output of `code` in a new Python; the test fails with its error output."""
    done = subprocess.run([sys.executable, *options, '-c', code], capture_output=True, text=True,
                          cwd=chainer_seg.__path__[0] + '/..', check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ''
    return done.stdout


@pytest.mark.parametrize('package', ['chainer', 'chainercv', 'chainermn', 'onnx_chainer'])
def test_package_imports_without_a_warning(package):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f'{package} is not installed')
    run(f'import chainer_seg, {package}', '-W', 'error')


def test_chainer_compiles_without_a_warning():
    # Uncompiled sources have "invalid escape sequence" warnings from Python 3.12 on.
    run('import chainer_seg, chainer, chainermn', '-W', 'error', '-X', 'pycache_prefix=/nowhere')


def test_importing_chainer_seg_imports_none_of_the_packages():
    loaded = run("import chainer_seg, sys; print('chainer' in sys.modules, 'onnx' in sys.modules, "
                 "'cupy' in sys.modules, 'google.protobuf' in sys.modules)")
    assert loaded.split() == ['False'] * 4


def test_error_names_a_package_imported_too_early_and_the_remedy():
    message = run('import sys, types\n'
                  "sys.modules['chainer'] = types.ModuleType('chainer')\n"
                  'try:\n'
                  '    import chainer_seg\n'
                  'except ImportError as error:\n'
                  '    print(error)\n')
    assert message.startswith('chainer was imported before chainer_seg')
    assert 'put "import chainer_seg" first' in message


def test_error_names_the_package_of_a_failed_import():
    message = run('import sys, types\n'
                  "sys.modules['chainer.backends'] = types.ModuleType('chainer.backends')\n"
                  'try:\n'
                  '    import chainer_seg\n'
                  'except ImportError as error:\n'
                  '    print(error)\n')
    assert message.startswith('chainer was imported before chainer_seg')


def test_numpy_may_be_imported_earlier():
    assert run('import numpy, chainer_seg, chainer; print(chainer.__version__)') == '7.8.1\n'


def hooks():
    return [finder for finder in sys.meta_path if getattr(finder, 'is_chainer_seg_hook', False)]


def test_applying_twice_installs_one_hook():
    compat.apply()
    compat.apply()
    assert len(hooks()) == 1


def test_reimporting_chainer_seg_installs_no_second_hook():
    assert run('import sys, chainer_seg, chainer\n'
               'for name in [name for name in sys.modules if name.startswith("chainer_seg")]:\n'
               '    del sys.modules[name]\n'
               'import chainer_seg\n'
               'print(sum(hasattr(f, "is_chainer_seg_hook") for f in sys.meta_path))') == '1\n'


def test_no_names_are_added_to_numpy():
    import chainer  # noqa: F401
    assert not hasattr(np, 'float')
    assert not hasattr(np, 'sctypes')


def test_the_hook_ignores_modules_of_other_packages():
    assert hooks()[0].find_spec('json') is None


def test_traceback_shows_the_source_that_runs():
    import inspect

    from chainer.functions.array import as_strided
    loader = as_strided.__spec__.loader
    assert 'np.sctypes' not in loader.get_source(as_strided.__name__)
    assert inspect.getsourcefile(as_strided) == as_strided.__file__


def original_source(module):
    spec = importlib.util.find_spec(module)
    if spec is None:
        pytest.skip(f'{module} is not installed')
    with open(spec.origin, encoding='utf-8') as file:
        return file.read()


REPLACEMENTS = hooks()[0].patches.replacements


@pytest.mark.parametrize('module', sorted(REPLACEMENTS))
def test_every_replaced_text_occurs_in_the_pinned_release(module):
    if importlib.util.find_spec(module.partition('.')[0]) is None:
        pytest.skip(f'{module.partition(".")[0]} is not installed')
    source = original_source(module)
    assert [old for old, _ in REPLACEMENTS[module] if old not in source] == []
