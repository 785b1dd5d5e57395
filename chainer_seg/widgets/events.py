"""Buttons, rows of widgets, and the errors of event handlers."""

import contextlib
import functools
import html
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import ipywidgets

from chainer_seg.errors import UserError


def without_errors(action: Callable) -> Callable[..., None]:
    """An event handler that calls ``action`` and drops its errors, which ``action`` has displayed."""
    @functools.wraps(action)
    def run(*args: Any, **options: Any) -> None:
        with contextlib.suppress(Exception, KeyboardInterrupt):
            action(*args, **options)

    return run


def error_message(problem: BaseException, failure: str,
                  interrupted: str = 'Interrupted; nothing was changed.') -> str:
    """One sentence about an error, for users.

    Args:
        problem: The error.
        failure: What failed, without a full stop; used unless the error is a :class:`UserError`.
        interrupted: The sentence for a KeyboardInterrupt.
    """
    if isinstance(problem, UserError):
        return str(problem)
    if isinstance(problem, KeyboardInterrupt):
        return interrupted
    reason = str(problem).splitlines()[0] if str(problem) else 'no details'
    return f'{failure} ({type(problem).__name__}: {reason}).'


def count_of(count: int, name: str) -> str:
    """A number of things as text, such as '1 object' and '2 objects'."""
    return f'{count} {name}{"" if count == 1 else "s"}'


@contextlib.contextmanager
def reporting_errors(say: Callable[[str, bool], object], failure: str) -> Iterator[None]:
    """Errors raised in the block are also said; ``failure`` is as of :func:`error_message`."""
    try:
        yield
    except BaseException as problem:
        say(error_message(problem, failure), True)
        raise


def status_html(message: str, is_error: bool = False) -> str:
    """The HTML of a status line, red if it is an error."""
    color = 'var(--jp-error-color1, #b00020)' if is_error else 'inherit'
    return f'<span style="color: {color}">{html.escape(message)}</span>'


def status_line() -> ipywidgets.HTML:
    """An empty line of text whose changes screen readers announce."""
    line = ipywidgets.HTML()
    line.add_class('chainer-seg-status')
    return line


def button(text: str, icon: str, tooltip: str, action: Callable[[], Any], width: str = '84px',
           **options: Any) -> ipywidgets.Button:
    """A button that calls ``action()``, which displays its own errors."""
    made = ipywidgets.Button(description=text, icon=icon, tooltip=tooltip,
                             layout={'width': width}, **options)
    made.on_click(lambda _: without_errors(action)())
    return made


def row(children: Sequence[ipywidgets.Widget], **layout: Any) -> ipywidgets.HBox:
    """Widgets side by side, wrapping into more lines where space is short."""
    return ipywidgets.HBox(
        children, layout={'align_items': 'center', 'flex_flow': 'row wrap', **layout})
