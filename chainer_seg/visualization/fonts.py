"""Fonts for names in any script: DejaVu Sans of matplotlib, then those installed on the machine."""

import functools
import itertools
import logging
import pathlib
import re
import unicodedata

import matplotlib
from matplotlib import font_manager
from matplotlib.ft2font import FT2Font
from PIL import ImageFont

log = logging.getLogger(__name__)

USUAL = str(pathlib.Path(matplotlib.get_data_path(), 'fonts', 'ttf', 'DejaVuSans.ttf'))
_SIZE = 20  # pixels at which a font has to be drawable; bitmap fonts of colour emoji are not
_LATER = re.compile(r'bold|black|heavy|light|thin|italic|oblique|mono|serif|condensed', re.IGNORECASE)


def split_by_font(text: str) -> list[tuple[str, str]]:
    """A text in parts, each with the path of a font that has its characters.

    A character that no font has stands as its number, such as ``U+72D7``, so that names stay apart;
    the log says once how to get a font.
    """
    pairs = []
    for character in text:
        font = _font_of(character)
        if font is not None:
            pairs.append((character, font))
        elif _has_width(character):
            _say_once(text)
            pairs.append((f'U+{ord(character):04X}', USUAL))
    return [(''.join(part for part, _ in group), font)
            for font, group in itertools.groupby(pairs, lambda pair: pair[1])]


def drawable(text: str) -> str:
    """The text with the numbers of characters that no font has."""
    return ''.join(part for part, _ in split_by_font(text))


def families(text: str) -> list[str]:
    """The names, for matplotlib, of the fonts that a text needs beside the usual one."""
    fonts = dict.fromkeys(font for _, font in split_by_font(text) if font != USUAL)
    return [_family(font) for font in fonts]


@functools.cache
def _family(path):
    font_manager.fontManager.addfont(path)
    return font_manager.FontProperties(fname=path).get_name()


@functools.cache
def _font_of(character):
    """The path of the first font that has a character; None where there is none."""
    if ord(character) in _characters(USUAL):
        return USUAL
    return next((path for path in _installed() if ord(character) in _characters(path)), None)


@functools.cache
def _installed():
    """Paths of the fonts on the machine, upright ones of usual weight first.

    Not matplotlib's own list, which it keeps in a file that knows no font installed since.
    """
    return sorted(font_manager.findSystemFonts(),
                  key=lambda path: (bool(_LATER.search(pathlib.Path(path).stem)), path))


@functools.cache
def _characters(path):
    """The code points that a font can draw; none where it cannot be used."""
    try:
        ImageFont.truetype(path, _SIZE).getmask('a')
        return frozenset(FT2Font(path).get_charmap())
    except Exception:  # noqa: BLE001 - there are fonts on machines that are damaged in any way
        return frozenset()


def _has_width(character):
    """Whether a character is seen by itself, unlike marks that join or vary others."""
    return unicodedata.category(character) not in ('Mn', 'Me', 'Cf', 'Cc')


def _say_once(text):
    if not _told:
        _told.append(text)
        log.warning('No installed font has all characters of %r and perhaps of other names; those that '
                    'are missing are drawn as their numbers. Install a font for the script, such as '
                    'Noto (Debian and Ubuntu: apt install fonts-noto-cjk), and start again.', text)


_told = []  # the text by which it was told that there is no font
