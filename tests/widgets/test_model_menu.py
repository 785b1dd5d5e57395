"""The menu of models, and how the click segmenter continues with another one."""

import numpy as np
import pytest

pytest.importorskip('anywidget')

from chainer_seg import save_model  # noqa: E402
from chainer_seg.errors import UserError  # noqa: E402
from chainer_seg.models.deeplab import Click, ClickSegmenter, DeepLab  # noqa: E402
from chainer_seg.models.mask_rcnn import MaskRCNN  # noqa: E402
from chainer_seg.widgets import ClickSegmenter as Segmenter  # noqa: E402
from chainer_seg.widgets.model_menu import find_click_models  # noqa: E402
from tests.models.mask_rcnn.test_model import SMALL as SMALL_MASK_RCNN  # noqa: E402
from tests.models.ritm import toys  # noqa: E402
from tests.models.test_candidate_session import LEFT, RIGHT, SIZE, Boxes  # noqa: E402

from .discs import Discs, disc  # noqa: E402

SMALL = {'blocks': (1, 1, 1, 1), 'width': 2, 'longest_side': 64}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working folder, and an empty cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('CHAINER_SEG_CACHE', str(tmp_path / 'cache'))
    return tmp_path


@pytest.fixture
def image(rng):
    return rng.integers(0, 256, (*SIZE, 3), np.uint8)


def menu(segmenter):
    return segmenter._controls._model._menu


def entries(segmenter):
    return [name for name, _ in menu(segmenter).options]


def choose(segmenter, name):
    menu(segmenter).value = entries(segmenter).index(name)


def test_shipped_models_that_can_be_clicked_are_listed(here):
    assert list(find_click_models()) == ['click', 'deepmask', 'mask-rcnn', 'sharpmask', 'yolact']


def test_model_files_and_downloaded_models_are_listed_if_they_can_be_clicked(here):
    for path, model in {'mine.npz': ClickSegmenter(**SMALL),
                        'out/run/model_best.npz': MaskRCNN(**SMALL_MASK_RCNN),
                        'semantic.npz': DeepLab(blocks=(1, 1, 1, 1), width=2),
                        'cache/ritm-hrnet18s.npz': ClickSegmenter(**SMALL)}.items():
        (here / path).parent.mkdir(parents=True, exist_ok=True)
        save_model(here / path, model)
    (here / 'notes.npz').write_bytes(b'something else')
    found = find_click_models()
    assert 'mine.npz' in found and 'out/run/model_best.npz' in found
    assert 'semantic.npz' not in found and 'notes.npz' not in found
    assert found.get('ritm-hrnet18s', 'not yet published') in (
        'not yet published', str(here / 'cache/ritm-hrnet18s.npz'))


def test_a_given_model_is_in_the_menu(here, image):
    model = Discs()
    segmenter = Segmenter(image, model)
    assert menu(segmenter).label == 'given Discs' and 'sharpmask' in entries(segmenter)
    segmenter.model = Boxes(LEFT)
    assert menu(segmenter).label == 'given Boxes'
    choose(segmenter, 'given Discs')
    assert segmenter.model is model


def test_another_model_continues_with_the_clicks_and_keeps_the_objects(here, image):
    segmenter = Segmenter({'a': image, 'b': image}, Discs())
    segmenter.add(Click(40, 60))
    segmenter.finish('disc')
    segmenter.add(Click(20, 20))
    segmenter.model = Boxes(LEFT, RIGHT)
    np.testing.assert_array_equal(segmenter.mask, LEFT)
    assert segmenter.clicks == (Click(20, 20),)
    np.testing.assert_array_equal(segmenter.objects[0].mask, disc(SIZE, 40, 60))
    segmenter.go_to(1)
    segmenter.add(Click(20, 40))
    np.testing.assert_array_equal(segmenter.mask, RIGHT)
    segmenter.go_to(0)
    segmenter.reopen(0)
    np.testing.assert_array_equal(segmenter.mask, disc(SIZE, 40, 60))


def test_the_note_on_shipped_models_is_shown_only_for_them(here, image):
    segmenter = Segmenter(image[:32, :32], 'mask-rcnn')
    assert 'synthetic shapes and few photographs' in segmenter._controls._model._note.value
    segmenter.model = Discs()
    assert segmenter._controls._model._note.value == ''


@pytest.mark.parametrize('model', ['deeplab', DeepLab(blocks=(1, 1, 1, 1), width=2)])
def test_a_model_that_cannot_be_clicked_is_rejected_and_the_previous_one_kept(here, image, model):
    with pytest.raises(UserError, match='A DeepLab does not segment what is clicked on'):
        Segmenter(image, model)
    segmenter = Segmenter(image, Discs())
    segmenter.add(Click(20, 20))
    with pytest.raises(UserError, match='does not segment'):
        segmenter.model = model
    assert 'does not segment' in segmenter.message and menu(segmenter).label == 'given Discs'
    segmenter.add(Click(40, 40))
    np.testing.assert_array_equal(segmenter.mask, disc(SIZE, 20, 20) | disc(SIZE, 40, 40))


def test_a_missing_file_in_the_menu_is_an_error(here, image):
    save_model('mine.npz', ClickSegmenter(**SMALL))
    segmenter = Segmenter(image, Discs())
    (here / 'mine.npz').unlink()
    choose(segmenter, 'mine.npz')
    assert 'There is no model file mine.npz' in segmenter.message
    assert menu(segmenter).label == 'given Discs'


def test_the_click_limit_of_a_ritm_network_holds_from_the_next_click_on(here, image):
    model = toys.make('hrnet', zoom_side=None, click_limit=30)
    segmenter = Segmenter(image, model, autosave=False)
    slider = segmenter._controls._limit
    assert slider.layout.display is None and slider.value == 30
    slider.value = 1
    first, second = Click(10, 12), Click(30, 40, False)
    segmenter.add(first, second)
    unlimited = toys.make('hrnet', zoom_side=None)
    session = unlimited.session(image)
    after_first = session.add(first).copy()
    after_both = session.add(second).copy()
    unlimited.click_limit = 1
    limited = unlimited.session(image).add(first, second)
    np.testing.assert_array_equal(segmenter.probability, limited)
    assert not np.array_equal(limited, after_both) and limited.shape == after_first.shape
    slider.value = 0
    assert model.click_limit is None
    segmenter.undo()
    segmenter.add(second)
    np.testing.assert_array_equal(segmenter.probability, after_both)


def test_models_that_see_all_clicks_have_no_click_limit(here, image):
    segmenter = Segmenter(image, Discs(), autosave=False)
    assert segmenter._controls._limit.layout.display == 'none'
    segmenter.model = toys.make('deeplab')
    assert segmenter._controls._limit.layout.display is None
    assert segmenter._controls._limit.value == 0
    segmenter.model = Discs()
    assert segmenter._controls._limit.layout.display == 'none'
