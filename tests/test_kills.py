"""Every long command killed at random moments: the next run ends as an uninterrupted one would."""

import os
import random
import signal

import pytest

from tests.kills import COMMANDS, Lab, temporary_files

pytestmark = [pytest.mark.slow, pytest.mark.skipif(
    not hasattr(os, 'pidfd_open'), reason='processes are waited for as on Linux')]


@pytest.fixture(scope='module')
def lab(tmp_path_factory):
    return Lab(tmp_path_factory.mktemp('lab'))


@pytest.mark.parametrize('name', COMMANDS)
def test_killed_command_ends_as_if_nothing_had_happened(lab, name):
    rng = random.Random(name)
    for _ in range(2):
        lab.kill(name, rng)


@pytest.mark.parametrize('name', COMMANDS)
def test_terminated_command_ends_with_143_and_resumes(lab, name):
    lab.kill(name, random.Random(name), signal.SIGTERM)


@pytest.mark.parametrize('name', COMMANDS)
def test_full_disk_is_one_sentence_and_leaves_no_temporary_files(lab, name, tmp_path):
    assert lab.run(name, tmp_path / 'out', largest_file=700) == 2
    *_, sentence = lab.log.splitlines()
    assert sentence.startswith('error: ') and 'could not be written: the disk is full' in sentence
    assert 'Traceback' not in lab.log
    assert not temporary_files(tmp_path / 'out')
