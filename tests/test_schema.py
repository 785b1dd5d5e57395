"""What a file says is checked at its reader."""

import typing

import msgspec
import pytest

from chainer_seg import schema
from chainer_seg.errors import DatasetError, UserError, quoted, shortened
from chainer_seg.schema import Share, Side, check, whole_number


class Entry(msgspec.Struct):
    height: Side
    names: list[str] = []


def test_a_whole_number_written_as_a_float_is_a_whole_number():
    assert check({'height': 3.0}, Entry, 'The file').height == 3
    assert [whole_number(value) for value in (3, 3.0, 3.5, '3', True, None, float('nan'), float('inf'))
            ] == [3, 3, None, None, None, None, None, None]


@pytest.mark.parametrize(('value', 'place'), [
    ({'height': 'x'}, 'height: expected int, got str'), ({}, 'missing required field'),
    ({'height': 0}, 'height'), ({'height': 65_501}, 'height'), ({'height': 2.5}, 'height'),
    ({'height': True}, 'height'), ({'height': 2, 'names': [1]}, 'names[0]'), ([], 'array')])
def test_the_error_names_the_place(value, place):
    with pytest.raises(DatasetError, match=r'^The file x is not what it should be: ') as caught:
        check(value, Entry, 'The file x', DatasetError)
    assert place in str(caught.value)


def test_a_share_is_between_0_and_1():
    assert check(1, Share, 'x') == 1
    with pytest.raises(UserError):
        check(float('inf'), Share, 'x')


def test_what_an_error_quotes_is_short_and_on_one_line():
    assert len(quoted('x' * 10**6)) == 200
    assert shortened('a\n b\x00\ud800') == 'a b\\x00\\ud800'
    assert str(UserError('a\nb')) == 'a b'
    assert len(str(UserError('x ' * 10**6))) <= 2000


def build(width: schema.Channels, kind: typing.Literal['a', 'b'] = 'a', *,
          scale: schema.Share = 1, other=None):
    """A function whose hints are the form of its arguments."""


def test_arguments_are_those_that_were_given():
    given = {'width': 3.0, 'scale': 0.5, 'other': [object]}
    checked = schema.check_arguments(build, given, 'The file')
    assert checked == {'width': 3, 'scale': 0.5, 'other': [object]}


@pytest.mark.parametrize(('values', 'sentence'), [
    ({}, 'object missing required field width'),
    ({'width': 3, 'size': 1}, 'object contains unknown field size'),
    ({'width': 0}, 'width: expected int >= 1'), ({'width': 10 ** 9}, 'width: expected int <= 65536'),
    ({'width': 3, 'kind': 'c'}, "kind: 'c' is none of a, b"),
    ({'width': 3, 'scale': 1.5}, 'scale: expected'),
    ({'width': True}, 'width: expected int, got bool'), ([3], 'expected object, got array'),
    (None, 'expected object, got null'), ({'width': 3, 'scale': float('nan')}, 'scale: expected')])
def test_arguments_that_do_not_fit_are_named(values, sentence):
    with pytest.raises(UserError) as caught:
        schema.check_arguments(build, values, 'The file')
    assert sentence in str(caught.value)


def test_a_number_stays_as_it_is_written():
    assert repr(schema.check([1, 0.5], list[schema.Share], 'x')) == '[1, 0.5]'


def test_deep_nesting_is_one_sentence():
    value = 1
    for _ in range(100_000):
        value = [value]
    with pytest.raises(UserError, match='nested too deeply|expected'):
        schema.check({'width': value}, dict[str, int], 'The file')
