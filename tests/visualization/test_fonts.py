"""Names in any script: a font of the machine that has their characters, or their numbers."""

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

from chainer_seg.visualization import fonts
from chainer_seg.visualization.figures import new_axes
from chainer_seg.visualization.text import text_patch

GROUND = (38, 38, 42)


def square(side):
    pen = TTGlyphPen(None)
    for place in ((50, 0), (50, side), (50 + side, side), (50 + side, 0)):
        (pen.moveTo if place == (50, 0) else pen.lineTo)(place)
    pen.closePath()
    return pen.glyph()


@pytest.fixture
def font(tmp_path):
    """A font file with a large square for the character of a dog and a small one for that of a cat."""
    builder = FontBuilder(1000, isTTF=True)
    names = ['.notdef', 'a', 'dog', 'cat']
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord('a'): 'a', ord('狗'): 'dog', ord('猫'): 'cat'})
    builder.setupGlyf(dict(zip(names, map(square, (10, 100, 800, 300)))))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (1000, 50)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({'familyName': 'Squares', 'styleName': 'Regular'})
    builder.setupOS2(sTypoAscender=800)
    builder.setupPost()
    builder.save(tmp_path / 'Squares.ttf')
    return str(tmp_path / 'Squares.ttf')


@pytest.fixture
def install(monkeypatch):
    """Makes these fonts the ones of the machine."""
    def forget():
        for remembered in (fonts._font_of, fonts._installed, fonts._characters, text_patch):
            remembered.cache_clear()
        fonts._warned.clear()

    def install(*paths):
        forget()
        monkeypatch.setattr(fonts.font_manager, 'findSystemFonts', lambda: list(paths))

    yield install
    forget()


def test_characters_are_drawn_in_an_installed_font_that_has_them(install, font, caplog):
    install(font)
    dog, cat = (text_patch(name, 20, GROUND) for name in ('狗', '猫'))
    # 0.8 and 0.3 of 20 pixels, squared.
    for patch, area in ((dog, 16 * 16), (cat, 6 * 6)):
        assert (patch == 255).all(axis=2).sum() == pytest.approx(area, rel=0.15)
    assert not caplog.records


def test_a_line_may_need_several_fonts(install, font):
    install(font)
    mixed, dog, latin = (text_patch(name, 20, GROUND) for name in ('dog 狗', '狗', 'dog '))
    assert mixed.shape[1] > dog.shape[1] and mixed.shape[1] > latin.shape[1]
    assert fonts.split_by_font('dog 狗!') == [('dog ', fonts.USUAL), ('狗', font), ('!', fonts.USUAL)]


def test_without_a_font_names_differ_and_a_warning_explains_how_to_get_one(install, caplog):
    install()
    patches = [text_patch(name, 20, GROUND) for name in ('狗', '猫', '車', '개', '🐕')]
    for number, patch in enumerate(patches):
        assert all(patch.shape != other.shape or (patch != other).any() for other in patches[:number])
    np.testing.assert_array_equal(patches[0], text_patch('U+72D7', 20, GROUND))
    assert len(caplog.records) == 1 and 'apt install' in caplog.records[0].message


def test_combining_characters_are_not_shown_as_numbers(install):
    install()
    # A tag and a join of emoji that DejaVu Sans does not have.
    assert fonts.drawable('a\U000e0067\U0001e8d0b') == 'ab'


def test_unreadable_fonts_are_skipped(install, font, tmp_path):
    (tmp_path / 'A.ttf').write_bytes(b'no font')
    install(str(tmp_path / 'A.ttf'), font)
    assert fonts.split_by_font('狗') == [('狗', font)]


def test_figures_use_installed_fonts(install, font, recwarn):
    install(font)
    shown = []
    for name in ('狗', '猫'):
        ax = new_axes()
        ax.set_title(name)
        ax.figure.canvas.draw()
        shown.append(np.asarray(ax.figure.canvas.buffer_rgba()))
    assert (shown[0] != shown[1]).any()
    assert not [warning for warning in recwarn if 'Glyph' in str(warning.message)]


def test_figures_without_a_font_show_code_points(install, recwarn):
    install()
    ax = new_axes()
    ax.set_title('狗')
    ax.figure.canvas.draw()
    assert ax.get_title() == 'U+72D7' and not [w for w in recwarn if 'Glyph' in str(w.message)]


def test_ticks_use_installed_fonts(install, font, recwarn):
    for fonts_there, label in (([font], '狗'), ([], 'U+72D7')):
        install(*fonts_there)
        ax = new_axes()
        ax.set_xticks([0, 1], [fonts.drawable('狗'), 'dog'])
        for _ in range(2):
            ax.figure.canvas.draw()
        assert [text.get_text() for text in ax.get_xticklabels()] == [label, 'dog']
        assert ('Squares' in ax.get_xticklabels()[0].get_fontfamily()) == bool(fonts_there)
    assert not [w for w in recwarn if 'Glyph' in str(w.message)]
