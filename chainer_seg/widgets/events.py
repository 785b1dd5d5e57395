"""Buttons and rows, and what becomes of the errors of events."""

import contextlib
import functools
import html

import ipywidgets

from chainer_seg.errors import UserError


def told(action):
    """``action`` without its errors: an event has no caller for them, and they are shown already."""
    @functools.wraps(action)
    def run(*args, **options):
        with contextlib.suppress(Exception, KeyboardInterrupt):
            action(*args, **options)

    return run


def problem_sentence(problem, failure, interrupted='Interrupted; nothing was changed.'):
    """An error in one sentence for users.

    Args:
        problem: The error.
        failure: What has failed, without a full stop, where the error is not a user's.
        interrupted: The sentence where the user has interrupted Python.
    """
    if isinstance(problem, UserError):
        return str(problem)
    if isinstance(problem, KeyboardInterrupt):
        return interrupted
    reason = str(problem).splitlines()[0] if str(problem) else 'no details'
    return f'{failure} ({type(problem).__name__}: {reason}).'


def status_html(message, is_error=False):
    """A sentence as the HTML of a status line, red where it is an error."""
    color = 'var(--jp-error-color1, #b00020)' if is_error else 'inherit'
    return f'<span style="color: {color}">{html.escape(message)}</span>'


def button(text, icon, tooltip, action, width='84px', **options):
    """A button that calls ``action()``, which shows its errors itself."""
    made = ipywidgets.Button(description=text, icon=icon, tooltip=tooltip,
                             layout={'width': width}, **options)
    made.on_click(lambda _: told(action)())
    return made


def row(children, **layout):
    """Widgets side by side, in more lines where they have no room."""
    return ipywidgets.HBox(
        children, layout={'align_items': 'center', 'flex_flow': 'row wrap', **layout})
