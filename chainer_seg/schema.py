"""Checks the content of files for types, ranges and sizes where they are read.

A reader declares the form of its file as a type - a ``msgspec.Struct``, a ``TypedDict`` or a container of
the annotated numbers below - and :func:`check` converts the value to it, or raises an error of one
sentence that says where the file differs.
"""

import functools
import inspect
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from chainer_seg.errors import UserError, shortened
from chainer_seg.files import parse_json

T = TypeVar('T')

MAX_SIDE = 65_500  # Pixels; what libjpeg, the widest-spread coder, can write is 65,500.

# Forms with both an int and a float are of numbers that may have a fraction; whole ones stay whole.
Side = Annotated[int, Meta(ge=1, le=MAX_SIDE)]  # the height or width of an image, in pixels
Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Positive = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Share = Annotated[int, Meta(ge=0, le=1)] | Annotated[float, Meta(ge=0, le=1)]
# Intersection over union from which something happens.
Overlap = Annotated[int, Meta(gt=0, le=1)] | Annotated[float, Meta(gt=0, le=1)]
Finite = Annotated[int, Meta(ge=-10**12, le=10**12)] | Annotated[float, Meta(ge=-10**12, le=10**12)]
NotNegative = Annotated[int, Meta(ge=0, le=10**12)] | Annotated[float, Meta(ge=0, le=10**12)]
Above = Annotated[int, Meta(gt=0, le=10**12)] | Annotated[float, Meta(gt=0, le=10**12)]
Text = Annotated[str, Meta(max_length=10_000)]

# Of networks: what a configuration may ask for, beyond which one number asks for gigabytes. The widest
# published network of these systems has 8,192 channels, the largest input 1,333 pixels.
Channels = Annotated[int, Meta(ge=1, le=2**16)]
InputSide = Annotated[int, Meta(ge=1, le=4096)]  # pixels to which an image may be enlarged
ClicksBefore = Annotated[int, Meta(ge=-1, le=1000)]  # clicks after which zooming in begins; -1 for at once
RegionSide = Annotated[int, Meta(ge=1, le=64)]  # of the features of a region
Proposals = Annotated[int, Meta(ge=1, le=100_000)]
Detections = Annotated[int, Meta(ge=1, le=5000)]  # each has a mask of the size of the image
Padding = Literal['zero', 'symmetric', 'same']
Stages = Annotated[Sequence[Annotated[int, Meta(ge=1, le=1000)]], Meta(min_length=1, max_length=8)]
Strides = Annotated[Sequence[Annotated[int, Meta(ge=1, le=8)]], Meta(min_length=1, max_length=8)]
Dilations = Annotated[Sequence[Annotated[int, Meta(ge=1, le=128)]], Meta(min_length=1, max_length=64)]
# Sides of anchors, or their ratios.
_Length = Annotated[int, Meta(gt=0, le=10**6)] | Annotated[float, Meta(gt=0, le=10**6)]
Lengths = Annotated[Sequence[_Length], Meta(min_length=1, max_length=100)]


def check(value: Any, form: type[T], name: str, error: type[Exception] = UserError) -> T:
    """Converts ``value`` to the type ``form``; floats without a fraction are accepted as whole numbers.

    Args:
        value: A parsed file: dicts, lists, strings and numbers.
        form: Any type that msgspec supports.
        name: The subject of the error, such as ``'The model file a.npz'``.
        error: The class of the error.

    Raises:
        chainer_seg.errors.UserError: ``value`` has another form; the message names the place.
    """
    try:
        try:
            return msgspec.convert(value, form)
        except msgspec.ValidationError:
            return msgspec.convert(_with_whole_numbers(value), form)
    except msgspec.ValidationError as failure:
        raise error(f'{name} is not what it should be: {_sentence(failure, form)}.') from failure
    except RecursionError as failure:
        raise error(f'{name} is nested too deeply.') from failure
    except UnicodeError as failure:
        raise error(f'{name} contains text that is not Unicode.') from failure


def parse(text: str | bytes, form: type[T], name: str, error: type[UserError] = UserError) -> T:
    """The value of a JSON text as ``form``; arguments and errors as in :func:`check`."""
    return check(parse_json(text, name, error), form, name, error)


def check_arguments(function: Callable, values: Any, name: str,
                    error: type[UserError] = UserError) -> dict[str, Any]:
    """Converts ``values`` to keyword arguments of ``function`` after a check against its type hints.

    Args:
        function: A function or a class; arguments without a hint may be anything.
        values: A dict of arguments by name, from a file.
        name, error: As in :func:`check`.

    Raises:
        chainer_seg.errors.UserError: An argument is unknown or missing, or has another form.
    """
    values = dict(values) if isinstance(values, Mapping) else values
    checked = check(values, _arguments_form(function), name, error)
    return {key: getattr(checked, key) for key in values}


def argument_forms(function: Callable) -> dict[str, Any]:
    """The type hint of each keyword argument of a function or class; ``Any`` without a hint."""
    described = inspect.getattr_static(function, '__init__') if isinstance(function, type) else function
    hints = typing.get_type_hints(described, include_extras=True)
    return {key: hints.get(key, Any) for key in inspect.signature(function).parameters}


@functools.cache
def _arguments_form(function: Callable) -> type[msgspec.Struct]:
    """A msgspec.Struct with the arguments of ``function`` as fields."""
    parameters = inspect.signature(function).parameters
    fields = [(key, form) if parameters[key].default is inspect.Parameter.empty
              else (key, form, parameters[key].default)
              for key, form in argument_forms(function).items()]
    return msgspec.defstruct(function.__name__, fields, kw_only=True, forbid_unknown_fields=True)


def whole_number(value: object) -> int | None:
    """``value`` as a whole number, also from a float (3.0); None if it is not one."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return value


def _with_whole_numbers(value: Any) -> Any:
    """``value`` with floats without a fraction as ints, which are valid for float fields, too."""
    if isinstance(value, dict):
        return {key: _with_whole_numbers(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_whole_numbers(each) for each in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _sentence(failure: msgspec.ValidationError, form: Any) -> str:
    """msgspec's message ``Expected `int`, got `str` - at `$.config.width``` as a part of a sentence."""
    text, _, place = str(failure).partition(' - at ')
    place = re.sub(r'^\$\.?', '', place.strip('`'))
    text = text[:1].lower() + text[1:].replace('`', '')
    choices = _choices(form, place) if text.startswith('invalid enum value') else ()
    if choices:
        text = f'{text[len("invalid enum value "):]} is none of {", ".join(map(str, choices))}'
    return shortened(f'{place}: {text}' if place else text)


def _choices(form: Any, place: str) -> tuple[Any, ...]:
    """The values of the ``Literal`` at a place of a form; none if there is no Literal."""
    for field in filter(None, place.split('.')):
        form = typing.get_type_hints(form).get(field) if isinstance(form, type) else None
    return typing.get_args(form) if typing.get_origin(form) is Literal else ()
