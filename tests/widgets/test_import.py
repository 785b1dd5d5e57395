"""Without the notebook extra, importing the widgets says what to install."""

import subprocess
import sys

import pytest

PROGRAM = '''
import sys
sys.modules[{missing!r}] = None
import chainer_seg
try:
    import chainer_seg.widgets
except chainer_seg.UserError as error:
    print(error)
'''


@pytest.mark.parametrize('missing', ['anywidget', 'ipywidgets'])
def test_a_missing_extra_is_reported(missing):
    done = subprocess.run([sys.executable, '-c', PROGRAM.format(missing=missing)],
                          capture_output=True, text=True, check=True)
    assert done.stdout == ('chainer_seg.widgets needs ipywidgets and anywidget; install them with '
                           'pip install "chainer-seg[notebook]".\n')
