"""Fonts for names in any script: matplotlib's DejaVu Sans, then the fonts installed on the machine."""

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
_SIZE = 20  # pixels at which a font must be drawable; bitmap fonts of colour emoji are not
_LATER = re.compile(r'bold|black|heavy|light|thin|italic|oblique|mono|serif|condensed', re.IGNORECASE)


def split_by_font(text: str) -> list[tuple[str, str]]:
    """Splits a text into parts, each with the path of a font that has its characters.

    A character that no font has is replaced by its code point, such as ``U+72D7``, so that names stay
    distinct; how to install a font is logged once.
    """
    pairs = []
    for character in text:
        font = _font_of(character)
        if font is not None:
            pairs.append((character, font))
        elif _has_width(character):
            _warn_once(text)
            pairs.append((f'U+{ord(character):04X}', USUAL))
    return [(''.join(part for part, _ in group), font)
            for font, group in itertools.groupby(pairs, lambda pair: pair[1])]


def drawable(text: str) -> str:
    """The text, with characters that no font has replaced by their code points."""
    return ''.join(part for part, _ in split_by_font(text))


def families(text: str) -> list[str]:
    """The matplotlib names of the fonts that a text needs in addition to the default one."""
    fonts = dict.fromkeys(font for _, font in split_by_font(text) if font != USUAL)
    return [_family(font) for font in fonts]


@functools.cache
def _family(path: str) -> str:
    font_manager.fontManager.addfont(path)
    return font_manager.FontProperties(fname=path).get_name()


@functools.cache
def _font_of(character: str) -> str | None:
    """The path of the first font that has a character; None if there is none."""
    if ord(character) in _characters(USUAL):
        return USUAL
    return next((path for path in _installed() if ord(character) in _characters(path)), None)


@functools.cache
def _installed() -> list[str]:
    """Paths of the fonts on the machine, upright ones of regular weight first.

    Not matplotlib's own list, whose cache file lacks fonts installed later.
    """
    return sorted(font_manager.findSystemFonts(),
                  key=lambda path: (bool(_LATER.search(pathlib.Path(path).stem)), path))


@functools.cache
def _characters(path: str) -> frozenset[int]:
    """The code points that a font can draw; none if it cannot be used."""
    try:
        ImageFont.truetype(path, _SIZE).getmask('a')
        return frozenset(FT2Font(path).get_charmap())
    except Exception:  # noqa: BLE001 - installed fonts may be damaged in any way
        return frozenset()


def _has_width(character: str) -> bool:
    """Whether a character is visible by itself, unlike combining marks, joiners and selectors."""
    return unicodedata.category(character) not in ('Mn', 'Me', 'Cf', 'Cc')


def _warn_once(text: str) -> None:
    if not _warned:
        _warned.append(text)
        log.warning('No installed font has all characters of %r, and perhaps of other names; missing '
                    'characters are drawn as their code points. Install a font for the script, such as '
                    'Noto (Debian and Ubuntu: apt install fonts-noto-cjk), and restart.', text)


_warned: list[str] = []  # the text for which the missing font was reported
