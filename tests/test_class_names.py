"""Which class of one list is which class of another."""

import logging

import pytest

from chainer_seg.class_names import find_names, first_difference, match_by_position, match_names


@pytest.mark.parametrize('given, wanted, labels', [
    (('a', 'b', 'c'), ('c', 'a', 'b'), [1, 2, 0]),
    (('a', 'x'), ('b', 'a'), [1, -1]),
    (('Dog', 'CAT'), ('cat', 'dog'), [1, 0]),
    ((' dog',), ('dog ',), [0])])
def test_names_are_found_in_any_order_and_any_case(given, wanted, labels):
    assert match_names(given, wanted).tolist() == labels


@pytest.mark.parametrize('given, wanted, labels', [
    (('Car', 'car'), ('car', 'Car'), [1, 0]),
    (('car', 'Car'), ('Car',), [-1, 0]),
    (('Car',), ('car', 'Car'), [1]),
    (('car',), ('Car', 'car', 'dog'), [1])])
def test_the_same_name_wins_over_one_of_another_case(given, wanted, labels):
    assert match_names(given, wanted).tolist() == labels


@pytest.mark.parametrize('given, wanted', [
    (('CAR',), ('Car', 'car')), (('Car', 'car'), ('CAR',)), (('car', 'Car'), ('CAR', 'dog'))])
def test_another_case_that_could_mean_two_classes_matches_none(given, wanted):
    assert set(match_names(given, wanted).tolist()) == {-1}


def test_a_name_that_is_there_twice_matches_only_the_same_list():
    assert match_names(('a', 'a'), ('a', 'a')).tolist() == [0, 1]
    assert match_names(('a', 'a'), ('a', 'b')).tolist() == [-1, -1]


def test_synonyms_come_last():
    words = {'sofa': 'couch'}
    assert match_names(('sofa',), ('Couch',), words).tolist() == [0]
    assert match_names(('sofa', 'couch'), ('couch',), words).tolist() == [-1, 0]
    assert match_names(('sofa',), ('sofa', 'couch'), words).tolist() == [0]


def test_other_spellings_are_logged_in_one_line(caplog):
    with caplog.at_level(logging.INFO):
        match_names(('Dog', 'CAT', 'cow'), ('cat', 'dog', 'cow'))
    assert [record.getMessage() for record in caplog.records] == [
        'classes matched in spite of different spellings: Dog is dog, CAT is cat']


def test_positions_are_matched_with_a_warning_only_where_there_are_as_many(caplog):
    assert match_by_position(2, ('a', 'b')).tolist() == [0, 1] and len(caplog.records) == 1
    assert match_by_position(3, ('a', 'b')).tolist() == [-1] * 3 and len(caplog.records) == 1


def test_names_of_a_command_line_are_looked_up_one_by_one():
    assert find_names(('CAR', 'dog', 'DOG', 'car'), ('Car', 'car', 'Dog')) == [-1, 2, 2, 1]


def test_the_first_difference_is_in_words():
    assert first_difference(('a', 'b'), ('a', 'b')) is None
    assert first_difference(('a', 'b'), ('a', 'c')) == "class 1 was 'b' and is 'c'"
    assert first_difference(('a',), ('a', 'b')) == 'there were 1 classes and are 2'
