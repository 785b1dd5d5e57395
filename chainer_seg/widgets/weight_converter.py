"""Inspects published weights, converts them, and compares the result with the original."""

import contextlib
import html
import os
import pathlib
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import ipywidgets

from chainer_seg.errors import UserError
from chainer_seg.model_file import save_model
from chainer_seg.widgets.events import (
    button, error_message, row, status_html, status_line, without_errors)
from chainer_seg.widgets.file_link import file_link
from chainer_seg.widgets.file_picker import FilePicker
from chainer_seg.widgets.notebook_cell import NotebookBox
from chainer_seg.widgets.weight_report import WeightReport, network_name

if TYPE_CHECKING:
    from converters import Conversion, Inspection
    from converters.comparison import Difference
    from converters.weight_mapping import Placement

_FILES = {'.json', '.toml', '.prototxt'}
_RUNNING = 'A conversion is running; cancel it, or wait until it ends.'

class WeightConverter(NotebookBox):
    """Converts published weights to model files.

    A file is chosen by its path, from the list of a folder, or by upload. Its format, its network and
    the tree of its arrays are shown immediately. "Convert" writes the model file and shows the weight
    mapping, which arrays were skipped and why, and a link to download the file. "Compare" shows how much
    the outputs of its layers differ from the original's. Errors are shown in one sentence at the bottom.

    Args:
        path: The weight file, or the folder that is listed first.
        out: The folder for model files; created when needed.

    Attributes:
        inspection: The contents of the file, a :class:`converters.Inspection`; None without a file.
        conversion: The :class:`converters.Conversion` of the file; None before it is converted.
        written: The path of the model file; None before it is written.
        differences: The result of :meth:`compare`, a list of :class:`converters.comparison.Difference`.

    Raises:
        chainer_seg.errors.UserError: ``path`` names a file that cannot be read.
    """

    inspection: 'Inspection | None'
    _path: pathlib.Path | None
    conversion: 'Conversion | None'
    written: pathlib.Path | None
    differences: 'list[Difference]'

    def __init__(self, path: str | os.PathLike = '.', out: str | os.PathLike = 'converted') -> None:
        self._out = pathlib.Path(out)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._make_views()
        self._make_controls()
        self._clear()
        self._show_running(False)
        self._picker = FilePicker(self._choose, self._say)
        super().__init__([
            self._picker, self._report, self._settings,
            row([self._convert, self._cancel, self._progress, self._result]), self._status])
        self.add_class('chainer-seg-converter')
        self._say('Choose a weight file.')
        self._picker.go_to(path)

    def _make_views(self) -> None:
        self._original = ipywidgets.Text(
            placeholder='.prototxt of a Caffe network, or .npz file of recorded outputs',
            layout={'flex': '1 1 300px', 'width': 'auto'})
        self._compare = button('Compare', 'balance-scale',
                               'Compare outputs of the model and of the original',
                               self.compare, '110px', disabled=True)
        self._report = WeightReport(row([self._original, self._compare]))

    def _make_controls(self) -> None:
        self._config = ipywidgets.Textarea(
            placeholder='Model arguments in JSON or TOML, such as {"dropout": 0}, or the path of a '
                        '.json, .toml or .prototxt file', layout={'width': 'auto', 'height': '56px'})
        self._target = ipywidgets.Text(description='Save as', layout={'flex': '1 1 300px'})
        self._half = ipywidgets.Checkbox(
            False, description='float16', indent=False, layout={'width': '90px'},
            tooltip='Store weights in half precision, for a file of half the size')
        self._settings = ipywidgets.VBox([
            ipywidgets.Accordion([self._config], titles=('Configuration (optional)',)),
            row([self._target, self._half])], layout={'display': 'none'})
        self._convert = button('Convert', 'cogs', 'Write the model file', self._start, '110px',
                               button_style='primary', disabled=True)
        self._cancel = button('Cancel', 'stop', 'Stop the conversion', self.cancel, '110px')
        self._progress = ipywidgets.FloatProgress(0, max=1, layout={'width': '220px'})
        self._result = ipywidgets.HBox()
        self._status = status_line()

    @property
    def path(self) -> pathlib.Path | None:
        """The chosen file; None without one."""
        return self._path

    @property
    def mapping(self) -> 'list[Placement]':
        """The weight mapping: which array became which parameter."""
        return [] if self.conversion is None else self.conversion.mapping

    @property
    def message(self) -> str:
        """The status line at the bottom, as plain text."""
        return self._message

    def choose(self, path: str | os.PathLike) -> None:
        """Shows the contents of a weight file, or lists a folder.

        Raises:
            chainer_seg.errors.UserError: The file cannot be read.
        """
        self._picker.go_to(path)

    def convert(self, config: Any = None) -> pathlib.Path:
        """Converts the file and writes the model; returns the path of the model file.

        Args:
            config: As in :func:`converters.convert`; default: the text of the configuration field.

        Raises:
            chainer_seg.errors.UserError: No file is chosen, it cannot be converted, or the conversion
                was cancelled or is already running.
        """
        if not self._lock.acquire(blocking=False):
            raise UserError(_RUNNING)
        self._show_running(True)
        try:
            with self._reporting_errors():
                written = self._run(self._read_config() if config is None else config)
        finally:
            self._show_running(False)
            self._lock.release()
        return written

    def cancel(self) -> None:
        """Stops the conversion started by the button "Convert", if it is still running."""
        self._stop.set()

    def compare(self, original: str | os.PathLike | None = None) -> None:
        """Compares outputs of layers of the converted model and of the original.

        Args:
            original: The .prototxt of a Caffe network, which OpenCV runs with the weights of the file,
                or a .npz file of recorded outputs (see :func:`converters.comparison.compare_recorded`);
                default: the text of the field.

        Raises:
            chainer_seg.errors.UserError: Nothing has been converted yet, or the original cannot be run.
        """
        from converters import comparison
        original = pathlib.Path(original or self._original.value.strip())
        with self._reporting_errors():
            if self.conversion is None or self._path is None:
                raise UserError('There is no converted model to compare; convert the file first.')
            if original.suffix == '.prototxt':
                found = comparison.compare_with_opencv(self.conversion, self._path, original)
            else:
                found = comparison.compare_recorded(self.conversion.model, original)
        self.differences = found
        self._report.show_differences(found)
        largest = max((each.relative for each in found), default=0)
        outputs = f'{len(found)} output{"s" * (len(found) != 1)}'
        self._say(f'{outputs} compared; the maximum difference is {largest:.1e} of the '
                  f'maximum value.')

    def saved_view(self) -> dict[str, str]:
        """The file, the first rows of the weight mapping and the warnings, as HTML and as text."""
        return {'text/html': f'<div class="chainer-seg-saved">{self._report.saved_html()}'
                             f'<p>{html.escape(self.message)}</p></div>',
                'text/plain': repr(self)}

    def __repr__(self) -> str:
        what = 'no file'
        if self.inspection is not None and self._path is not None:
            what = f'{self._path.name}: {network_name(self.inspection)}'
        return f'WeightConverter({what}, {len({each.name for each in self.mapping})} arrays placed)'

    def _choose(self, path: str | os.PathLike) -> None:
        import converters
        from converters.formats import locate
        with self._reporting_errors():
            if self._lock.locked():
                raise UserError(_RUNNING)
            self._clear()
            path = pathlib.Path(locate(path))  # A TensorFlow checkpoint may be given by its prefix.
            inspection = converters.inspect(path)
        self._path, self.inspection = path, inspection
        self._show_inspection(path, inspection)

    def _clear(self) -> None:
        """Resets the widget to the state without a file."""
        self._path = self.inspection = self.conversion = self.written = None
        self.differences = []
        self._report.clear()
        self._result.children = ()
        self._settings.layout.display = 'none'
        self._convert.disabled = self._compare.disabled = True

    def _show_inspection(self, path: pathlib.Path, found: 'Inspection') -> None:
        self._report.show_inspection(path, found)
        self._target.value = str(self._out / f'{path.stem}.npz')
        beside = path.with_suffix('.prototxt')
        self._original.value = str(beside) if beside.is_file() and beside != path else ''
        self._settings.layout.display = None
        self._convert.disabled = found.network is None
        self._say('Press "Convert" to write a model file.' if found.network else
                  'This network is not supported, so the file can be inspected but not converted.')

    def _read_config(self) -> Any:
        from converters.configuration import parse_configuration
        text = self._config.value.strip()
        if not text:
            return None
        return text if pathlib.Path(text).suffix in _FILES else parse_configuration(text)

    def _start(self) -> None:
        """Converts in a separate thread, so that the kernel can handle "Cancel"."""
        self._thread = threading.Thread(target=without_errors(self.convert), daemon=True)
        self._thread.start()

    def _run(self, config: Any) -> pathlib.Path:
        import converters
        if self.inspection is None or self._path is None:
            raise UserError('No weight file is chosen; choose a weight file first.')
        target = pathlib.Path(self._target.value.strip())
        if os.path.isdir(target) or (os.path.exists(target) and target.samefile(self._path)):
            raise UserError(f'{target} is a folder or the weight file itself; give the model file '
                            f'another name.')
        conversion = converters.conversion(self._path, config, self._step)
        save_model(target, conversion.model, dtype='float16' if self._half.value else None)
        self.conversion, self.written, self.differences = conversion, target, []
        self._show_conversion(conversion, target)
        return target

    def _step(self, used: int, total: int) -> None:
        if self._stop.is_set():
            raise UserError('Cancelled; nothing was written.')
        self._progress.value = used / total

    def _show_conversion(self, conversion: 'Conversion', written: pathlib.Path) -> None:
        self._report.show_conversion(conversion)
        self._compare.disabled = False
        self._result.children = (file_link(written),)
        model = conversion.model
        self._say(f'Saved {written}: {type(model).__name__} with {model.count_params():,} '
                  f'parameters.')

    def _show_running(self, running: bool) -> None:
        if running:
            self._stop.clear()
            self._progress.value = 0
        self._convert.disabled = running or self.inspection is None or self.inspection.network is None
        shown = None if running else 'none'
        self._cancel.layout.display = self._progress.layout.display = shown

    @contextlib.contextmanager
    def _reporting_errors(self) -> Iterator[None]:
        """Errors raised in the block are also shown in the status line."""
        try:
            yield
        except BaseException as problem:
            self._say(error_message(problem, 'Unexpected error', 'Interrupted; nothing was written.'),
                      is_error=True)
            raise

    def _say(self, message: str, is_error: bool = False) -> None:
        self._message = message
        self._status.value = status_html(message, is_error)
        self.update_saved_view()
