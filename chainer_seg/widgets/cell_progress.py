"""Progress while a widget computes: in its cell before it can be displayed, later in its status line."""

import contextlib
import html
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

T = TypeVar('T')
Progress = Callable[[Sequence[T]], Iterator[T]]  # wraps an iteration, as tqdm does


def progress_html(text: str, share: float | None = None) -> str:
    """A bar with a text; without a share of the work that is done, a bar that only shows that it runs."""
    value = '' if share is None else f' value="{share:.3f}"'
    return f'<label>{html.escape(text)} <progress{value}></progress></label>'


def followed(show: Callable[[str], object], text: str) -> Progress:
    """A function that wraps an iteration and passes the HTML of a bar to ``show`` at every step."""
    def follow(steps: Sequence[T]) -> Iterator[T]:
        for number, step in enumerate(steps):
            show(progress_html(text, number / len(steps)))
            yield step

    return follow


@contextlib.contextmanager
def cell_progress(text: str) -> Iterator[Progress]:
    """Shows a bar in the output of the running cell of a notebook until the block ends; elsewhere nothing.

    Args:
        text: What is computed.

    Yields:
        A function that wraps an iteration over the steps of the work, as ``tqdm`` does. Until it is used, the
        bar only shows that something is computed.
    """
    handle = _display(progress_html(text))

    def show(bar: str) -> None:
        if handle is not None:
            handle.update(_bundle(bar), raw=True)

    try:
        yield followed(show, text)
    finally:
        show('')


def _bundle(text: str) -> dict[str, str]:
    return {'text/html': text, 'text/plain': ''}


def _display(text: str) -> Any:
    """The handle of a new output; None outside of a notebook."""
    try:
        from IPython import get_ipython
        from IPython.display import display
    except ImportError:
        return None
    shell = get_ipython()
    if shell is None or not hasattr(shell, 'kernel'):
        return None
    return display(_bundle(text), raw=True, display_id=True)
