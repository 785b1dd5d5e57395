"""Buttons and rows, and what becomes of the errors of events."""

import contextlib
import functools

import ipywidgets


def told(action):
    """``action`` without its errors: an event has no caller for them, and they are shown already."""
    @functools.wraps(action)
    def run(*args, **options):
        with contextlib.suppress(Exception, KeyboardInterrupt):
            action(*args, **options)

    return run


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
