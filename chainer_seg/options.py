"""Options with conditions: an option given where it does not apply is an error, never ignored."""

import argparse
import typing
from collections.abc import Callable

from chainer_seg.errors import UserError
from chainer_seg.zoo import SHIPPED, published_models


class When(typing.NamedTuple):
    """A condition under which an option applies.

    Attributes:
        words: The condition in words, after 'applies only', such as 'with --crf'.
        holds: Whether it is met by the parsed options.
    """

    words: str
    holds: Callable[[argparse.Namespace], bool]


def with_any(*flags: str) -> When:
    """If one of these options is set."""
    return When(f'with {_listed(flags)}',
                lambda options: any(_is_set(options, flag) for flag in flags))


def without(*flags: str) -> When:
    """If none of these options is set."""
    return When(f'without {_listed(flags)}',
                lambda options: not any(_is_set(options, flag) for flag in flags))


def where(flag: str, *values: str) -> When:
    """If an option has one of these values, or several values of which one is among them."""
    def holds(options):
        value = getattr(options, _name(flag))
        return any(each in values for each in (value if isinstance(value, (list, tuple)) else [value]))
    return When(f'with {flag} {_listed(values)}', holds)


class Parser(argparse.ArgumentParser):
    """An argument parser that knows which options were given, and when each of them applies."""

    def __init__(self, *arguments: typing.Any, **settings: typing.Any) -> None:
        super().__init__(*arguments, **settings)
        self._rules: list[tuple[When, dict[argparse.Action, str]]] = []
        self._defaults_by_others: list[Callable[[argparse.Namespace, set[str]], None]] = []
        self._given: list[argparse.Action] = []

    def only(self, when: When, *flags: str) -> None:
        """Restricts options to a condition.

        Args:
            when: The condition.
            flags: Options such as '--size', which the parser must have.
        """
        self._rules.append((when, {self._option_string_actions[flag]: flag for flag in flags}))

    def settle(self, function: Callable[[argparse.Namespace, set[str]], None]) -> None:
        """Lets ``function(options, given)`` set omitted options, depending on the others.

        ``given`` contains the names in ``options`` of the options on the command line.
        """
        self._defaults_by_others.append(function)

    def parse_known_args(  # type: ignore[override]  # argparse declares overloads
            self, args: typing.Sequence[str] | None = None, namespace: argparse.Namespace | None = None
            ) -> tuple[argparse.Namespace, list[str]]:
        """As of :class:`argparse.ArgumentParser`.

        Raises:
            chainer_seg.errors.UserError: An option is given where it does not apply.
        """
        self._given = []
        options, rest = super().parse_known_args(args, namespace)
        given = self._given  # The list belongs to this call; another one makes its own.
        for function in self._defaults_by_others:
            function(options, {action.dest for action in given})
        for when, flags in self._rules:
            for action in given:
                if action in flags and not when.holds(options):
                    raise UserError(f'{flags[action]} applies only {when.words}, and has no effect '
                                    f'here; omit it.')
        return options, rest

    def _get_values(self, action, arg_strings):
        # argparse calls this once for every option on the command line, and otherwise only for
        # positional arguments.
        if action.option_strings:
            self._given.append(action)
        return super()._get_values(action, arg_strings)


def _is_set(options, flag):
    value = getattr(options, _name(flag))
    return value is not None and value is not False and value != []


def _listed(words):
    *first, last = words
    return f'{", ".join(first)} or {last}' if first else last


def _name(flag):
    return flag.removeprefix('--').replace('-', '_')


def words_of(parser: argparse.ArgumentParser) -> list[str]:
    """The options of a parser, and the words that can be its positional arguments."""
    words: list[str] = []
    for action in parser._actions:
        words += action.option_strings or (
            (*SHIPPED, *published_models()) if action.dest == 'model' else ())
    return list(dict.fromkeys(words))
