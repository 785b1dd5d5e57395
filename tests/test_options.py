"""Options that are given where they do not apply are refused, whichever way they are written."""

import pytest

from chainer_seg.errors import UserError
from chainer_seg.options import Parser, When, where, with_any, without


def make(parser=None):
    parser = parser or Parser()
    group = parser.add_argument_group('data')
    group.add_argument('--annotations', '--ann')
    group.add_argument('--n', type=int, default=5)
    group.add_argument('--size', '--side', dest='size', type=int, default=9)
    parser.add_argument('--refine', nargs='+', default=['none'])
    parser.add_argument('--steps', type=int, default=1)
    parser.add_argument('--plain', action='store_true')
    parser.add_argument('inputs', nargs='*')
    parser.only(without('--annotations'), '--n', '--size')
    parser.only(where('--refine', 'crf'), '--steps')
    parser.only(with_any('--annotations'), '--plain')
    return parser


@pytest.mark.parametrize('words, sentence', [
    ('--annotations a --n 3', '--n applies only without --annotations, and has no effect here'),
    ('--n 5 --ann a', '--n applies only without --annotations'),
    ('--ann a --side 3', '--size applies only without --annotations'),
    ('--ann=a --siz=3', '--size applies only without --annotations'),
    ('--steps 2', '--steps applies only with --refine crf'),
    ('--refine none graphcut --steps 2', '--steps applies only with --refine crf'),
    ('--plain', '--plain applies only with --annotations')])
def test_an_option_is_rejected_where_it_changes_nothing(words, sentence):
    with pytest.raises(UserError, match=sentence):
        make().parse_args(words.split())


@pytest.mark.parametrize('words', [
    '', '--n 3 --side 4', '--annotations a', '--annotations a --plain', '--refine none crf --steps 2',
    'in more --annotations a'])
def test_defaults_are_no_options_that_are_given(words):
    options = make().parse_args(words.split())
    assert options.steps == (2 if 'crf' in words else 1)


def test_commands_below_a_command_have_rules_of_their_own():
    parser = Parser()
    systems = parser.add_subparsers(dest='system')
    make(systems.add_parser('one'))
    systems.add_parser('two').add_argument('--plain', action='store_true')
    assert parser.parse_args(['two', '--plain']).plain
    with pytest.raises(UserError, match='--plain applies only with --annotations'):
        parser.parse_args(['one', '--plain'])


def test_a_parser_can_be_used_twice():
    parser = make()
    parser.parse_args(['--n', '3'])
    assert parser.parse_args(['--annotations', 'a']).n == 5


def test_options_that_were_omitted_are_settled_before_the_rules():
    parser, seen = Parser(), []
    parser.add_argument('--fast', action='store_true')
    parser.add_argument('--lr', type=float, default=1)
    parser.add_argument('--decay', type=float)

    def settle(options, given):
        seen.append(given)
        if options.fast and 'lr' not in given:
            options.lr = 7
    parser.settle(settle)
    parser.only(When('with an --lr of 7', lambda options: options.lr == 7), '--decay')
    assert parser.parse_args(['--decay', '2', '--fast']).lr == 7
    with pytest.raises(UserError, match='--decay applies only with an --lr of 7'):
        parser.parse_args(['--lr', '2', '--fast', '--decay', '2'])
    assert seen == [{'fast', 'decay'}, {'lr', 'fast', 'decay'}]
