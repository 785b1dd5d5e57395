"""Command lines: from a dataclass whose fields are the options, tyro makes the parser and its help."""

import dataclasses
import difflib
import functools
import typing
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

import tyro
from msgspec import Meta
from tyro import _errors as failures  # Has what tyro cannot parse, for a sentence in place of its boxes.
from tyro.conf import FlagCreatePairsOff, Positional, Suppress

from chainer_seg.errors import UserError, quoted, shortened
from chainer_seg.recipes.options import Flat
from chainer_seg.recipes.rules import Rule
from chainer_seg.zoo import SHIPPED, published_models

T = TypeVar('T')
C = TypeVar('C', bound='Command')

_HUGE = 1e6  # Limits above only keep numbers finite.


class Command:
    """A subcommand: a dataclass with this base, whose fields are the options.

    Attributes:
        rules: Where the options apply.
    """

    rules: ClassVar[tuple[Rule, ...]] = ()

    def run(self) -> None:
        """Does what the options say, and prints where the results are."""
        raise NotImplementedError  # every subcommand has its own


class Option(typing.NamedTuple):
    """A field of a dataclass of options, or of one of those inside it.

    Attributes:
        name: The name of the field, behind those of its sections if they are written.
        spellings: Every way to write the option; none for a positional argument.
        hint: The type of the field, with its annotations.
        path: The attributes that lead to the value.
    """

    name: str
    spellings: tuple[str, ...]
    hint: Any
    path: tuple[str, ...]

    def value(self, options: Any) -> Any:
        """The value in an instance of the dataclass."""
        return functools.reduce(getattr, self.path, options)


def parse(form: type[T], arguments: Sequence[str], prog: str, description: str | None = None) -> T:
    """The options of a command line.

    Args:
        form: A dataclass whose fields are the options.
        arguments: The command line without the name of the command.
        prog: The name of the command.
        description: The text above the options; the docstring of ``form`` by default.

    Raises:
        chainer_seg.errors.UserError: An option is unknown, missing, or out of its range.
        SystemExit: The help is printed.
    """
    if not {'-h', '--help'}.isdisjoint(arguments):
        arguments = ['--help']  # tyro's help omits positional arguments that are given.
    with failures.on_parse_error(functools.partial(_refuse, form)):
        options = tyro.cli(form, args=as_spelled(form, arguments), prog=prog,
                           description=description)
    check_ranges(options)
    return options


def parse_known(form: type[T], arguments: Sequence[str], prog: str) -> T:
    """The options of ``form``, all with defaults, in a command line that has others; as of :func:`parse`."""
    if not written(form, arguments):
        return form()  # at once
    with failures.on_parse_error(functools.partial(_refuse, form)):
        return tyro.cli(form, args=arguments, prog=prog, return_unknown_args=True, add_help=False)[0]


def parse_command(form: type[C], arguments: Sequence[str], prog: str) -> C:
    """The subcommand of a command line; its rules hold.

    Args and errors as of :func:`parse`.

    Raises:
        chainer_seg.errors.UserError: Also if an option has no effect.
    """
    command = parse(form, arguments, prog)
    check_rules(form.rules, written(form, arguments), command)
    return command


@functools.cache
def options_of(form: type) -> tuple[Option, ...]:
    """All options of a dataclass."""
    return tuple(_options(form, '', ()))


def words_of(form: type) -> list[str]:
    """What can be completed: the spellings of the options, and the choices of positional arguments."""
    words: list[str] = []
    for option in options_of(form):
        words += option.spellings or (
            (*SHIPPED, *published_models()) if option.name == 'model' else _choices(option.hint))
    return list(dict.fromkeys(words))


def values(options: Any) -> Mapping[str, Any]:
    """The values in a dataclass of options by their names."""
    return {option.name: option.value(options) for option in options_of(options.__class__)}


def written(form: type, arguments: Sequence[str]) -> set[str]:
    """The names of the options that a command line sets."""
    known = _names(form)
    words = (_plain(word.partition('=')[0]) for word in arguments if word.startswith('-'))
    return {known[word] for word in words if word in known}


def check_ranges(options: Any) -> None:
    """Refuses numbers outside of the limits that stand in the types of their options.

    Raises:
        chainer_seg.errors.UserError: There is one.
    """
    for option in options_of(options.__class__):
        value = option.value(options)
        for number in value if isinstance(value, tuple) else (value,):
            for limit in _limits(option.hint) if isinstance(number, (int, float)) else ():
                if (limit.ge is None or number >= limit.ge) and (limit.le is None or number <= limit.le):
                    continue
                limits = (f'at least {limit.ge:g}' if limit.le is None or limit.le > _HUGE else
                          f'between {limit.ge:g} and {limit.le:g}')
                raise UserError(f'{_flag(option)} must be {limits}, got {number:g}.')


def check_rules(rules: Collection[Rule], given: Collection[str], options: Any) -> None:
    """Refuses an option that is given where it has no effect.

    Args:
        rules: Where the options apply.
        given: As of :func:`written`.
        options: The options, in their dataclass.

    Raises:
        chainer_seg.errors.UserError: There is one; the sentence says where it applies.
    """
    known, found = _names(options.__class__), values(options)
    for when, flags in rules:
        for flag in flags:
            if known.get(_plain(flag)) in given and not when.holds(found):
                raise UserError(f'{flag} applies only {when.words}, and has no effect here; omit it.')


def as_spelled(form: type, arguments: Sequence[str]) -> list[str]:
    """The arguments with the options as tyro looks them up.

    It expects --N-POS for --N_POS, and two dashes where Torch and absl take one as well, as in -batch_size.
    """
    spellings = {word: option.spellings[0] for option in options_of(form) for word in option.spellings}
    names = {word: first for word, first in spellings.items() if word.startswith('--') and '_' in word}
    names |= {f'-{_plain(word)}': names.get(word, word) for word in spellings
              if word.startswith('--') and word[1:] not in spellings}
    parts = (word.partition('=') for word in arguments)
    return [names.get(f'-{_plain(name)}' if _has_one_dash(name) else name, name) + equals + value
            for name, equals, value in parts]


def _has_one_dash(word: str) -> bool:
    return word.startswith('-') and not word.startswith('--')


def _options(form: Any, prefix: str, path: tuple[str, ...]) -> Iterator[Option]:
    hints = typing.get_type_hints(form, include_extras=True)
    for field in dataclasses.fields(form):
        hint, place = hints[field.name], (*path, field.name)
        notes = getattr(hint, '__metadata__', ())
        kind = typing.get_origin(hint) and hint.__origin__ if notes else hint
        names = [note.name for note in notes if getattr(note, 'name', None) is not None]
        if dataclasses.is_dataclass(kind):
            shown = '' if Flat in notes or '' in names else f'{field.name}.'
            yield from _options(kind, prefix + shown, place)
        elif Suppress not in notes:
            spellings = tuple(_spellings(prefix, names or [field.name], notes, kind))
            yield Option(f'{prefix}{field.name}', spellings, hint, place)


def _spellings(prefix: str, names: Sequence[str], notes: Sequence[Any], kind: Any) -> Iterator[str]:
    if Positional in notes:
        return
    for name in names:
        yield f'--{prefix}{name.replace("_", "-")}'
        if bool in (kind, *typing.get_args(kind)) and FlagCreatePairsOff not in notes:
            yield f'--{prefix}no-{name.replace("_", "-")}'
    for note in notes:
        yield from getattr(note, 'aliases', None) or ()


def _choices(hint: Any) -> Iterator[str]:
    """The texts that a positional argument can be, if they are listed."""
    for note in getattr(hint, '__metadata__', ()):
        yield from getattr(note, 'choices', None) or ()
    for inner in typing.get_args(hint):
        if isinstance(inner, str):
            yield inner
        else:
            yield from _choices(inner)


def _limits(hint: Any) -> Iterator[Meta]:
    for note in getattr(hint, '__metadata__', ()):
        if isinstance(note, Meta):
            yield note
    for inner in typing.get_args(hint):
        yield from _limits(inner)


@functools.cache
def _names(form: type) -> dict[str, str]:
    """The names of the options by their spellings."""
    return {_plain(word): option.name for option in options_of(form) for word in option.spellings}


def _plain(word: str) -> str:
    return word.lstrip('-').replace('_', '-')


def _flag(option: Option) -> str:
    return option.spellings[0] if option.spellings else option.name.upper()


def _refuse(form: type, event: Any) -> typing.NoReturn:
    """Says in a sentence what tyro cannot parse."""
    raise UserError(_sentence(form, event))


def _sentence(form: type, event: Any) -> str:
    help_text = f'{event.prog} --help lists the options.'
    if isinstance(event, failures.MissingArgs):
        missing = ' and '.join(_shown(each.arg) for each in event.missing_arguments)
        return f'{event.prog} needs {missing}; {help_text}'
    if isinstance(event, failures.UnrecognizedArgs):
        word = event.tokens[0]
        if not word.startswith('-'):
            return f'{event.prog} does not expect {quoted(word)}; {help_text}'
        known = [each for option in options_of(form) for each in option.spellings]
        nearest = difflib.get_close_matches(word.partition('=')[0].replace('_', '-'), known, 1)
        return f'{event.prog} has no option {shortened(word)}; ' + (
            f'did you mean {nearest[0]}?' if nearest else help_text)
    if isinstance(event, failures.MutexConflict):
        return f'{event.first_token} and {event.second_token} exclude each other; give only one of them.'
    name = _shown(event.argument) if getattr(event, 'argument', None) else 'An argument'
    if isinstance(event, failures.InvalidChoice):
        choices = ', '.join(sorted(set(event.choices) - {'None'}))
        return f'{name} must be one of {choices}; got {quoted(event.value)}.'
    if isinstance(event, failures.InstantiationFailure):
        return f'{name}: {_in_words(event.message)}.'
    return f'{name} needs a value; {help_text}'


def _shown(argument: Any) -> str:
    """The name of an argument in tyro's terms: the placeholder of a positional one, or its option."""
    return argument.lowered.metavar if argument.is_positional() else argument.lowered.name_or_flags[-1]


def _in_words(message: str) -> str:
    """What Python says of a text that is no number, as a part of a sentence."""
    for start, kind in (('invalid literal for int', 'a whole number'), ('could not convert', 'a number')):
        if message.startswith(start):
            return f'{message.partition(": ")[2]} is not {kind}'
    return message.rstrip('.')
