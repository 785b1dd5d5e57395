"""What a file says, checked for type, range and size where it is read, never deep inside.

A reader states the form of its file as a type - a ``msgspec.Struct``, a ``TypedDict`` or a container of
the annotated numbers below - and :func:`check` gives the value in that form, or the one sentence that
says where the file differs.
"""

import re
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from chainer_seg.errors import UserError, shortened

T = TypeVar('T')

MAX_SIDE = 65_500  # Pixels; what libjpeg, the widest-spread coder, can write is 65,500.

Side = Annotated[int, Meta(ge=1, le=MAX_SIDE)]  # the height or width of an image, in pixels
Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Positive = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Text = Annotated[str, Meta(max_length=10_000)]


def check(value: Any, form: type[T], name: str, error: type[UserError] = UserError) -> T:
    """Gives ``value`` in the form ``form``.

    Whole numbers that are written as floats are whole numbers.

    Args:
        value: What a parser made of the file: dicts, lists, strings, numbers.
        form: Any type that msgspec knows.
        name: What the value is, the subject of the error: ``'The model file a.npz'``.
        error: The class of the error.

    Raises:
        chainer_seg.errors.UserError: ``value`` is of another form; the sentence names the place.
    """
    try:
        return msgspec.convert(value, form)
    except msgspec.ValidationError:
        pass
    try:
        return msgspec.convert(_with_whole_numbers(value), form)
    except msgspec.ValidationError as failure:
        raise error(f'{name} is not what it should be: {_sentence(failure)}.') from failure


def whole_number(value: object) -> int | None:
    """The whole number that ``value`` is, also if written as a float (3.0); None where it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return value


def _with_whole_numbers(value):
    """``value`` with whole floats as ints; a field of floats takes ints as well."""
    if isinstance(value, dict):
        return {key: _with_whole_numbers(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_whole_numbers(each) for each in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _sentence(failure):
    """msgspec's ``Expected `int`, got `str` - at `$.config.width``` as a part of a sentence."""
    text, _, place = str(failure).partition(' - at ')
    place = re.sub(r'^\$\.?', '', place.strip('`'))
    text = text[:1].lower() + text[1:].replace('`', '')
    return shortened(f'{place}: {text}' if place else text)
