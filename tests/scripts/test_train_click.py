"""The options of click training that follow the paper and the TensorFlow code."""

import json

import pytest

from tests.scripts.test_scripts import SMALL, assert_user_error, call  # noqa: F401  a fixture


def test_help_has_the_options_of_the_samplings(call):  # noqa: F811
    text = ' '.join(call('train', 'click', '--help').stdout.replace('│', ' ').split())
    for part in ('{few,paper,tensorflow}', '(default: few)', '--d-step PX', '--D_MARGIN PX',
                 'Recipes for --recipe: tensorflow'):
        assert part in text


@pytest.mark.slow
def test_training_as_the_tensorflow_code_does(call, tmp_path):  # noqa: F811
    result = call('train', 'click', '--out', 'run', '--iterations', '2', '--sampling', 'tensorflow',
                  '--whole-images', '--click-scale', '6', '--click-mean', '131',
                  '--positive-weight', '5', '--loss-scale', '20', '--ends-lr', '5',
                  '--optimizer', 'momentum', '--lr', '1e-5', '--weight-decay', '2.5e-4', *SMALL)
    assert result.returncode == 0, result.stderr
    last = json.loads((tmp_path / 'run' / 'log.jsonl').read_text().splitlines()[-1])
    assert last['iteration'] == 2 and last['loss'] > 20 * 0.1


@pytest.mark.slow
def test_training_with_own_numbers(call):  # noqa: F811
    result = call('train', 'click', '--out', 'run', '--iterations', '2', '--sampling', 'paper',
                  '--positives', '2', '3', '--strategies', 'outline', 'others', '--d-step', '5',
                  '--outline', '4', *SMALL)
    assert result.returncode == 0, result.stderr


def test_numbers_without_their_sampling_are_told(call):  # noqa: F811
    assert_user_error(call('train', 'click', '--out', 'run', '--d-step', '20'),
                      '--d-step belongs to --sampling paper or tensorflow')
