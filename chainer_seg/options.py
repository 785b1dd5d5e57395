"""Options that say where they apply: one that is given elsewhere is an error, never passed over."""

import argparse
import typing
from collections.abc import Callable

from chainer_seg.errors import UserError


class When(typing.NamedTuple):
    """Where an option applies.

    Attributes:
        words: As they follow 'applies only', such as 'with --crf'.
        holds: Whether it does, by the parsed options.
    """

    words: str
    holds: Callable[[argparse.Namespace], bool]


def with_any(*flags: str) -> When:
    """Where one of these options is set."""
    return When(f'with {_listed(flags)}',
                lambda options: any(_is_set(options, flag) for flag in flags))


def without(*flags: str) -> When:
    """Where none of these options is set."""
    return When(f'without {_listed(flags)}',
                lambda options: not any(_is_set(options, flag) for flag in flags))


def where(flag: str, *values: str) -> When:
    """Where an option has one of these values, or one of its several values is one of them."""
    def holds(options):
        value = getattr(options, _name(flag))
        return any(each in values for each in (value if isinstance(value, (list, tuple)) else [value]))
    return When(f'with {flag} {_listed(values)}', holds)


class Parser(argparse.ArgumentParser):
    """An argument parser that knows which options were given, and where each of them applies."""

    def __init__(self, *arguments: typing.Any, **settings: typing.Any) -> None:
        super().__init__(*arguments, **settings)
        self._rules: list[tuple[When, dict[argparse.Action, str]]] = []
        self._defaults_by_others: list[Callable[[argparse.Namespace, set[str]], None]] = []
        self._given: list[argparse.Action] = []

    def only(self, when: When, *flags: str) -> None:
        """Refuses options where they do not apply, if they are given there.

        Args:
            when: Where they apply.
            flags: Such as '--size'; each must be known to the parser.
        """
        self._rules.append((when, {self._option_string_actions[flag]: flag for flag in flags}))

    def settle(self, function: Callable[[argparse.Namespace, set[str]], None]) -> None:
        """Has ``function(options, given)`` set options that were left out, by the others.

        ``given`` are the names that the options on the command line have in ``options``.
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
                    raise UserError(f'{flags[action]} applies only {when.words}, and changes nothing '
                                    f'here; leave it out.')
        return options, rest

    def _get_values(self, action, arg_strings):
        # argparse comes here once for every option on the command line, and for nothing else but
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
