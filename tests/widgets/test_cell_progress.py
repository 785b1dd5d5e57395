"""The bar in a cell while a widget computes: shown in notebooks only, and gone afterwards."""

import pytest

pytest.importorskip('anywidget')

from chainer_seg.widgets.cell_progress import cell_progress, followed, progress_html  # noqa: E402


class Shell:
    kernel = object()


class Handle:
    def __init__(self, shown):
        self.shown = shown

    def update(self, data, raw):
        self.shown.append(data['text/html'])


@pytest.fixture
def shown(monkeypatch):
    """What is displayed, as HTML, in a process that pretends to be the kernel of a notebook."""
    shown = []

    def display(data, raw, display_id):
        shown.append(data['text/html'])
        return Handle(shown)

    monkeypatch.setattr('IPython.get_ipython', Shell)
    monkeypatch.setattr('IPython.display.display', display)
    return shown


def test_the_bar_grows_with_the_steps_and_vanishes(shown):
    with cell_progress('Counting') as progress:
        assert shown == ['<label>Counting <progress></progress></label>']
        assert list(progress(range(4))) == [0, 1, 2, 3]
    shares = [f'<label>Counting <progress value="{share}"></progress></label>'
              for share in ('0.000', '0.250', '0.500', '0.750')]
    assert shown[1:] == [*shares, '']


def test_the_bar_vanishes_after_an_error(shown):
    with pytest.raises(ValueError, match='wrong'), cell_progress('Counting'):
        raise ValueError('wrong')
    assert shown[-1] == ''


def test_outside_of_a_notebook_nothing_is_shown(shown, monkeypatch):
    monkeypatch.setattr('IPython.get_ipython', lambda: None)
    with cell_progress('Counting') as progress:
        assert list(progress([1])) == [1]
    assert shown == []


def test_the_text_is_escaped():
    seen = []
    assert list(followed(seen.append, '<b>')([1])) == [1]
    assert seen == [progress_html('<b>', 0)] and '&lt;b&gt;' in seen[0]
