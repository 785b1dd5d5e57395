"""Command lines of dataclasses: what is parsed, and the sentence for what cannot be."""

import dataclasses
import pathlib
from typing import Annotated, Literal

import pytest
from tyro.conf import DisallowNone, Positional, UseAppendAction, create_mutex_group

from chainer_seg.cli.parsing import Command, options_of, parse_command, parse_known, words_of
from chainer_seg.errors import UserError
from chainer_seg.recipes.options import Count, Flat, Positive, Share, Size, Switch, chosen, option
from chainer_seg.recipes.rules import When, only, where, with_any, without

EITHER = create_mutex_group(required=False)


@dataclasses.dataclass(frozen=True)
class Inner:
    """Inner options.

    Attributes:
        steps: Number of steps.
        depth: Depth.
    """

    steps: Count = 1
    depth: int = 0


@dataclasses.dataclass(frozen=True)
class Example(Command):
    """An example.

    Attributes:
        out: Folder to write to.
        annotations: File of annotations.
        n: Number of images.
        size: Size of images.
        share: Share of images.
        refine: Refinements.
        kind: Kind of images.
        first: One way.
        second: The other way.
        flip: Mirror.
        points: Points.
        words: Any words.
        pick: One of some.
        inner: Inner options.
        other: Inner options with the name of their section.
    """

    out: Positional[Annotated[pathlib.Path, option(metavar='OUT')]]
    annotations: Annotated[str | None, option('-ann_file', metavar='J')] = None
    n: Annotated[Positive, option('--Number', '--N_IMAGES')] = 5
    size: Size = (9, 9)
    share: Share = 0.5
    refine: tuple[Literal['none', 'crf'], ...] = ('none',)
    kind: Literal['shapes', 'people'] | None = None
    first: Annotated[Switch, EITHER] = False
    second: Annotated[Switch, EITHER] = False
    flip: DisallowNone[bool | None] = None
    points: UseAppendAction[tuple[tuple[float, float], ...]] = ()
    words: Positional[tuple[str, ...]] = ()
    pick: Annotated[str, chosen(('one', 'two'))] = 'one'
    inner: Flat[Inner] = Inner()
    other: Inner = Inner()

    rules = (
        only(without('--annotations'), '--n', '--size'),
        only(where('--refine', 'crf'), '--steps'),
        only(with_any('--annotations'), '--first'),
        only(When('with a --share above 0', lambda options: options['share'] > 0), '--no-flip'))


def parsed(words):
    return parse_command(Example, words.split(), 'example')


@pytest.mark.parametrize('words, values', [
    ('o', {'out': pathlib.Path('o'), 'n': 5, 'kind': None, 'words': (), 'flip': None}),
    ('o a b --n 3', {'words': ('a', 'b'), 'n': 3}),
    ('--n=3 o --size 8', {'n': 3, 'size': (8, 8), 'out': pathlib.Path('o')}),
    ('o --Number 3 --size 8x7', {'n': 3, 'size': (8, 7)}),
    ('o --N_IMAGES 3', {'n': 3}),
    ('o --N_IMAGES=3', {'n': 3}),
    ('o -share 0.25 -N_IMAGES=3 -no_flip -steps 2 -refine crf', {
        'share': 0.25, 'n': 3, 'flip': False, 'inner': Inner(2)}),
    ('o -ann_file j --first', {'annotations': 'j', 'first': True}),
    ('o --refine none crf --steps 2', {'refine': ('none', 'crf'), 'inner': Inner(2)}),
    ('o --other.steps 4 --depth -3', {'other': Inner(4), 'inner': Inner(depth=-3)}),
    ('o --no-flip', {'flip': False}),
    ('o --points -1.5 2 --points 3 4', {'points': ((-1.5, 2), (3, 4))}),
    ('o --pick two --kind people', {'pick': 'two', 'kind': 'people'})])
def test_options_are_parsed(words, values):
    options = parsed(words)
    assert {name: getattr(options, name) for name in values} == values


@pytest.mark.parametrize('words, sentence', [
    ('', 'example needs OUT; example --help lists the options.'),
    ('o --n', '--n needs a value; example --help lists the options.'),
    ('o --n many', "--n: 'many' is not a whole number."),
    ('o --share much', "--share: 'much' is not a number."),
    ('o --size 3x', "--size: '3x' is not a size such as 256 or 240x320."),
    ('o --n 0', '--n must be at least 1, got 0.'),
    ('o --share 1.5', '--share must be between 0 and 1, got 1.5.'),
    ('o --share nan', '--share must be between 0 and 1, got nan.'),
    ('o --other.steps -1', '--other.steps must be at least 0, got -1.'),
    ('o --kind cars', "--kind must be one of people, shapes; got 'cars'."),
    ('o --refine blur', "--refine must be one of crf, none; got 'blur'."),
    ('o --pick three', "--pick must be one of one, two; got 'three'."),
    ('o --annotation j', 'example has no option --annotation; did you mean --annotations?'),
    ('o --nothing-like-it', 'example has no option --nothing-like-it; example --help lists the options.'),
    ('o --first --second', '--first and --second exclude each other; give only one of them.')])
def test_what_cannot_be_parsed_is_one_sentence(words, sentence):
    with pytest.raises(UserError) as error:
        parsed(words)
    assert str(error.value) == sentence


@pytest.mark.parametrize('words, sentence', [
    ('--annotations a --n 3', '--n applies only without --annotations, and has no effect here; omit it.'),
    ('--n 5 -ann_file a', '--n applies only without --annotations'),
    ('--annotations=a --Number=5', '--n applies only without --annotations'),
    ('--steps 2', '--steps applies only with --refine crf'),
    ('--refine none --steps 2', '--steps applies only with --refine crf'),
    ('--first', '--first applies only with --annotations'),
    ('--share 0 --flip', '--no-flip applies only with a --share above 0')])
def test_an_option_is_refused_where_it_has_no_effect(words, sentence):
    with pytest.raises(UserError, match=sentence):
        parsed(f'o {words}')


def test_some_options_of_a_command_line_are_read_before_the_others():
    assert parse_known(Inner, ['--n', '3', '--depth', '4', '--help'], 'example') == Inner(depth=4)


def test_the_help_starts_with_the_usage_and_names_units_and_defaults(capsys):
    with pytest.raises(SystemExit) as end:
        parsed('--help')
    text = ' '.join(capsys.readouterr().out.split())
    assert end.value.code == 0 and text.startswith('usage: example [-h] [OPTIONS] OUT')
    assert '--size HxW Size of images. (default: 9x9)' in text
    assert 'File of annotations.' in text and 'None' not in text.partition('--kind')[0]


def test_words_to_complete_are_all_spellings():
    words = words_of(Example)
    assert {'--annotations', '-ann_file', '--n', '--Number', '--flip', '--no-flip', '--steps',
            '--other.steps'} <= set(words)
    assert '--no-first' not in words and len(words) == len(set(words))


def test_an_option_knows_where_its_value_is():
    options = parsed('o --other.depth 7 --depth 6')
    values = {each.name: each.value(options) for each in options_of(Example)}
    assert values['other.depth'] == 7 and values['depth'] == 6 and values['out'] == pathlib.Path('o')
