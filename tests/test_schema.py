"""What a file says is checked at its reader."""

import msgspec
import pytest

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
