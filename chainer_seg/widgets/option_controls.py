"""Controls for the fields of a dataclass of options, made from their types, defaults and docstrings."""

import dataclasses
import inspect
import tomllib
import types
import typing
from collections.abc import Mapping
from typing import Any

import docstring_parser
import ipywidgets
from tyro.conf import Suppress

from chainer_seg.cli.parsing import options_of

_WIDTH = '330px'


class OptionControls(ipywidgets.Box):
    """A control for each field of a dataclass: a checkbox, a menu, a number, or a text.

    A text stands for a value as in TOML, such as ``[[24], [48]]``; an empty one for None.

    Args:
        options: An instance, whose values are shown.
        omitted: Names of fields without a control.

    Attributes:
        controls: The controls by the names of the fields.
    """

    def __init__(self, options: Any, omitted: tuple[str, ...] = ()) -> None:
        hints, about = typing.get_type_hints(type(options), include_extras=True), descriptions(type(options))
        self.controls = {
            field.name: _control(field.name, hints[field.name], getattr(options, field.name),
                                 about.get(field.name, ''))
            for field in dataclasses.fields(options)
            if field.name not in omitted and Suppress not in getattr(hints[field.name], '__metadata__', ())}
        super().__init__(list(self.controls.values()),
                         layout={'display': 'flex', 'flex_flow': 'row wrap', 'width': '100%'})

    @property
    def values(self) -> dict[str, Any]:
        """The values by the names of the fields, as a TOML file would have them."""
        return {name: _value(control) for name, control in self.controls.items()}

    @values.setter
    def values(self, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            control = self.controls[name]
            control.value = _text(value) if isinstance(control, ipywidgets.Text) else value


def command_words(controls: OptionControls, form: type) -> list[str]:
    """The options of a command line for the values that differ from the defaults of a dataclass."""
    usual = OptionControls(form()).values
    spellings = {option.path: option.spellings[0] for option in options_of(form) if option.spellings}
    words = []
    for name, value in controls.values.items():
        if value is None or value == usual[name]:
            continue
        words.append(spellings[name,])
        if isinstance(value, list):  # names, or a size, which is written as HxW
            words += value if isinstance(value[0], str) else ['x'.join(map(str, value))]
        elif value is not True:
            words.append(str(value))
    return words


def descriptions(form: type) -> dict[str, str]:
    """What each field of a dataclass sets, from the docstrings of the class and of its bases."""
    found: dict[str, str] = {}
    for each in reversed(form.__mro__):
        for entry in docstring_parser.parse(inspect.cleandoc(each.__doc__ or '')).params:
            found[entry.arg_name] = ' '.join((entry.description or '').split())
    return found


def _control(name: str, hint: Any, value: Any, about: str) -> ipywidgets.ValueWidget:
    common = {'description': name, 'tooltip': about, 'layout': {'width': _WIDTH},
              'style': {'description_width': '150px'}}
    choices = _choices(hint)
    if choices:
        labels = [('' if choice is None else str(choice), choice) for choice in choices]
        return ipywidgets.Dropdown(options=labels, value=value, **common)
    kinds = _kinds(hint)
    if kinds == {bool}:
        return ipywidgets.Checkbox(value=value, **common)
    if kinds == {int}:
        return ipywidgets.IntText(value=value, **common)
    if kinds == {float}:
        return ipywidgets.FloatText(value=value, **common)
    return ipywidgets.Text(value=_text(value), placeholder=about, continuous_update=False, **common)


def _choices(hint: Any) -> tuple[Any, ...]:
    """The values that a field can have, if they are listed; with None where it can be omitted."""
    plain, notes = _plain(hint)
    parts = [_plain(each)[0] for each in typing.get_args(plain)] if _is_union(plain) else [plain]
    listed = [choice for part in parts if typing.get_origin(part) is typing.Literal
              for choice in typing.get_args(part)]
    listed += [choice for note in notes for choice in getattr(note, 'choices', None) or ()]
    return (*([None] if listed and type(None) in parts else []), *listed)


def _kinds(hint: Any) -> set[Any]:
    plain, _ = _plain(hint)
    return {_plain(each)[0] for each in typing.get_args(plain)} if _is_union(plain) else {plain}


def _plain(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """A type without its annotations, and these."""
    notes = getattr(hint, '__metadata__', ())
    return (hint.__origin__, notes) if notes else (hint, ())


def _is_union(hint: Any) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType)


def _text(value: Any) -> str:
    if value is None:
        return ''
    if isinstance(value, (list, tuple)):
        return f'[{", ".join(map(_quoted, value))}]'
    return str(value)


def _quoted(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else _text(value)


def _value(control: ipywidgets.ValueWidget) -> Any:
    if not isinstance(control, ipywidgets.Text):
        return control.value
    text = control.value.strip()
    try:
        return tomllib.loads(f'value = {text}')['value'] if text else None
    except tomllib.TOMLDecodeError:
        return text
