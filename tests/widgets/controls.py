"""The controls of a widget, as a user finds them."""

import ipywidgets


def controls(widget, kind):
    """All controls of a kind inside a widget, by what is written on them or their tooltip."""
    found, waiting = {}, list(widget.children)
    while waiting:
        child = waiting.pop()
        waiting += getattr(child, 'children', ())
        if isinstance(child, getattr(ipywidgets, kind)):
            text = getattr(child, 'description', '') or getattr(child, 'placeholder', '')
            found[text or getattr(child, 'tooltip', '')] = child
    return found
