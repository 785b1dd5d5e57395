"""Published weights looked at, converted, compared with their original, and fetched, with the mouse."""

import contextlib
import html
import os
import pathlib
import threading

import ipywidgets
import numpy as np

from chainer_seg.errors import UserError
from chainer_seg.model_file import save_model
from chainer_seg.widgets.events import button, problem_sentence, row, status_html, told
from chainer_seg.widgets.file_link import file_link
from chainer_seg.widgets.file_picker import FilePicker
from chainer_seg.widgets.weight_views import WeightTable, WeightTree

_MAPPING = ['array in the file', 'type', 'shape', 'parameter of the model', 'shape there']
_DIFFERENCES = ['layer', 'shape', 'largest difference', 'relative']
_TABS = ('Tree', 'Mapping', 'Warnings', 'Compare')
_FILES = {'.json', '.toml', '.prototxt'}
_RUNNING = 'A conversion is running; cancel it or wait for its end.'
_MANY_NODES = 300  # A tree of more is closed but for its first level.


class WeightConverter(ipywidgets.VBox):
    """Makes model files of weights that others published.

    A file is chosen by its path, from the list of a folder, or uploaded. Its format, its network and the
    tree of its arrays are shown at once. "Convert" writes the model file and shows which array went
    where, what was skipped and why, and a link to fetch the file. "Compare" shows how far the outputs of
    its layers are from the original's. What goes wrong is said in one sentence at the bottom.

    Args:
        path: The weight file, or the folder that is listed at first.
        out: The folder for model files; made when it is needed.

    Attributes:
        inspection: What the file holds, a :class:`converters.Inspection`; None before one is chosen.
        conversion: The :class:`converters.Conversion` of the file; None before it is converted.
        written: The path of the model file; None before.
        differences: What :meth:`compare` found, a list of :class:`converters.comparison.Difference`.

    Raises:
        chainer_seg.errors.UserError: ``path`` names a file that cannot be read.
    """

    def __init__(self, path='.', out='converted'):
        self._out = pathlib.Path(out)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = None
        self._make_views()
        self._make_controls()
        self._forget()
        self._show_running(False)
        self._picker = FilePicker(self._choose, self._say)
        super().__init__([
            self._picker, self._about, self._tabs, self._settings,
            row([self._convert, self._cancel, self._progress, self._result]), self._status])
        self.add_class('chainer-seg-converter')
        self._say('Choose a weight file.')
        self._picker.go_to(path)

    def _make_views(self):
        self._about = ipywidgets.HTML()
        self._tree, self._mapping = WeightTree(), WeightTable(columns=_MAPPING)
        self._warnings = ipywidgets.HTML()
        self._original = ipywidgets.Text(
            placeholder='.prototxt of a Caffe network, or .npz of recorded outputs',
            layout={'flex': '1 1 300px', 'width': 'auto'})
        self._compare = button('Compare', 'balance-scale', 'Outputs of the model and of its original',
                               self.compare, '110px', disabled=True)
        self._differences = WeightTable(columns=_DIFFERENCES)
        self._tabs = ipywidgets.Tab(
            [self._tree, self._mapping, self._warnings,
             ipywidgets.VBox([row([self._original, self._compare]), self._differences])],
            titles=_TABS, layout={'display': 'none'})

    def _make_controls(self):
        self._config = ipywidgets.Textarea(
            placeholder='Arguments of the model in JSON or TOML, such as {"dropout": 0}, or the path of '
                        'a .json, .toml or .prototxt file', layout={'width': 'auto', 'height': '56px'})
        self._target = ipywidgets.Text(description='Save as', layout={'flex': '1 1 300px'})
        self._half = ipywidgets.Checkbox(
            False, description='16 bits', indent=False, layout={'width': '90px'},
            tooltip='Round the weights, for a file of half the size')
        self._settings = ipywidgets.VBox([
            ipywidgets.Accordion([self._config], titles=('Configuration (optional)',)),
            row([self._target, self._half])], layout={'display': 'none'})
        self._convert = button('Convert', 'cogs', 'Write the model file', self._start, '110px',
                               button_style='primary', disabled=True)
        self._cancel = button('Cancel', 'stop', 'Stop the conversion', self.cancel, '110px')
        self._progress = ipywidgets.FloatProgress(0, max=1, layout={'width': '220px'})
        self._result = ipywidgets.HBox()
        self._status = ipywidgets.HTML()

    @property
    def path(self):
        """The file that was chosen last; None before."""
        return self._path

    @property
    def mapping(self):
        """Which array went where: a list of :class:`converters.weight_mapping.Placement`."""
        return [] if self.conversion is None else self.conversion.mapping

    @property
    def message(self):
        """What is written at the bottom, as plain text."""
        return self._message

    def choose(self, path):
        """Shows what a weight file holds, or lists a folder.

        Raises:
            chainer_seg.errors.UserError: The file cannot be read.
        """
        self._picker.go_to(path)

    def convert(self, config=None):
        """Converts the file and writes the model; returns the path of the model file.

        Args:
            config: As that of :func:`converters.convert`; what is written in the field if left out.

        Raises:
            chainer_seg.errors.UserError: No file is chosen, it cannot be converted, or the conversion
                was cancelled or is running already.
        """
        if not self._lock.acquire(blocking=False):
            raise UserError(_RUNNING)
        self._show_running(True)
        try:
            with self._telling():
                self._run(self._read_config() if config is None else config)
        finally:
            self._show_running(False)
            self._lock.release()
        return self.written

    def cancel(self):
        """Stops the conversion that a press of "Convert" started, if it has not ended."""
        self._stop.set()

    def compare(self, original=None):
        """Compares outputs of layers of the converted model and of its original.

        Args:
            original: The .prototxt of a network of Caffe, which OpenCV computes from the file itself, or
                a .npz of recorded outputs (see :func:`converters.comparison.compare_recorded`); what is
                written in the field if left out.

        Raises:
            chainer_seg.errors.UserError: Nothing is converted yet, or the original cannot be computed.
        """
        from converters import comparison
        original = pathlib.Path(original or self._original.value.strip())
        with self._telling():
            if self.conversion is None:
                raise UserError('There is nothing to compare yet; convert the file first.')
            if original.suffix == '.prototxt':
                found = comparison.compare_with_opencv(self.conversion, self._path, original)
            else:
                found = comparison.compare_recorded(self.conversion.model, original)
        self.differences = found
        self._differences.rows = [
            [each.name, _shape(each.shape), f'{each.largest:.2e}', f'{each.relative:.2e}']
            for each in found]
        self._tabs.selected_index = _TABS.index('Compare')
        largest = max((each.relative for each in found), default=0)
        outputs = f'{len(found)} output{"s" * (len(found) != 1)}'
        self._say(f'{outputs} compared; the largest difference is {largest:.1e} of the '
                  f'largest value.')

    def __repr__(self):
        what = 'no file' if self.inspection is None else f'{self._path.name}: {self._network()}'
        return f'WeightConverter({what}, {len({each.name for each in self.mapping})} arrays placed)'

    def _choose(self, path):
        import converters
        from converters.formats import locate
        with self._telling():
            if self._lock.locked():
                raise UserError(_RUNNING)
            self._forget()
            path = pathlib.Path(locate(path))  # A checkpoint of TensorFlow may be named by its prefix.
            inspection = converters.inspect(path)
        self._path, self.inspection = path, inspection
        self._show_inspection()

    def _forget(self):
        """Begins anew, without a file."""
        self._path = self.inspection = self.conversion = self.written = None
        self.differences = []
        self._about.value = self._warnings.value = ''
        self._tabs.titles = _TABS
        self._mapping.rows = self._differences.rows = []
        self._result.children = ()
        self._tabs.layout.display = self._settings.layout.display = 'none'
        self._convert.disabled = self._compare.disabled = True

    def _network(self):
        return self.inspection.network or 'an unknown network'

    def _show_inspection(self):
        from converters.inspection import tree_rows
        found = self.inspection
        rows = [list(each) for each in tree_rows(found.tree)]
        with self._tree.hold_sync():
            self._tree.open_depth = 1 if len(rows) > _MANY_NODES else 2
            self._tree.search, self._tree.rows = '', rows
        numbers = sum(int(np.prod(np.shape(array))) for array in found.arrays.values())
        self._about.value = (
            f'<b>{html.escape(self._path.name)}</b>: format {found.format}, '
            f'{html.escape(self._network())}; {len(found.arrays)} arrays of {numbers:,} numbers, '
            f'{self._path.stat().st_size / 1e6:.1f} MB')
        self._target.value = str(self._out / f'{self._path.stem}.npz')
        beside = self._path.with_suffix('.prototxt')
        self._original.value = str(beside) if beside.is_file() and beside != self._path else ''
        self._tabs.layout.display = self._settings.layout.display = None
        self._tabs.selected_index = 0
        self._convert.disabled = found.network is None
        self._say('Press "Convert" to write a model file.' if found.network else
                  'This network is not known, so the file can be looked at but not converted.')

    def _read_config(self):
        from converters.configuration import parse_configuration
        text = self._config.value.strip()
        if not text:
            return None
        return text if pathlib.Path(text).suffix in _FILES else parse_configuration(text)

    def _start(self):
        """Converts in a thread of its own, so that the kernel hears a press of "Cancel"."""
        self._thread = threading.Thread(target=told(self.convert), daemon=True)
        self._thread.start()

    def _run(self, config):
        import converters
        if self.inspection is None:
            raise UserError('There is nothing to convert; choose a weight file first.')
        target = pathlib.Path(self._target.value.strip())
        if os.path.isdir(target) or (os.path.exists(target) and target.samefile(self._path)):
            raise UserError(f'{target} cannot be written to; give the model file another name.')
        conversion = converters.conversion(self._path, config, self._step)
        save_model(target, conversion.model, dtype='float16' if self._half.value else None)
        self.conversion, self.written, self.differences = conversion, target, []
        self._show_conversion()

    def _step(self, used, total):
        if self._stop.is_set():
            raise UserError('Cancelled; nothing was written.')
        self._progress.value = used / total

    def _show_conversion(self):
        from converters.inspection import conversion_warnings
        conversion = self.conversion
        skipped = [[name, '', '', f'skipped: {reason}', '']
                   for name, reason in conversion.skipped.items()]
        self._mapping.rows = [
            [each.name, each.dtype, _shape(each.shape), each.parameter, _shape(each.parameter_shape)]
            for each in conversion.mapping] + skipped
        warnings = conversion_warnings(conversion)
        self._warnings.value = (
            '<ul>' + ''.join(f'<li>{html.escape(each)}</li>' for each in warnings) + '</ul>'
            if warnings else 'None.')
        self._tabs.set_title(_TABS.index('Warnings'), f'Warnings ({len(warnings)})')
        self._tabs.selected_index = _TABS.index('Mapping')
        self._differences.rows = []
        self._compare.disabled = False
        self._result.children = (file_link(self.written),)
        model = conversion.model
        self._say(f'Wrote {self.written}: {type(model).__name__} with {model.count_params():,} '
                  f'parameters.')

    def _show_running(self, running):
        if running:
            self._stop.clear()
            self._progress.value = 0
        self._convert.disabled = running or self.inspection is None or self.inspection.network is None
        shown = None if running else 'none'
        self._cancel.layout.display = self._progress.layout.display = shown

    @contextlib.contextmanager
    def _telling(self):
        """What goes wrong inside is written at the bottom, too."""
        try:
            yield
        except BaseException as problem:
            self._say(problem_sentence(problem, 'That failed', 'Interrupted; nothing was written.'),
                      is_error=True)
            raise

    def _say(self, message, is_error=False):
        self._message = message
        self._status.value = status_html(message, is_error)


def _shape(shape):
    return ' x '.join(map(str, shape)) or 'scalar'
