"""Every long command killed at random moments: the next run ends as an uninterrupted one would."""

import os
import random
import signal

import pytest

from tests.kills import COMMANDS, Lab

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
def test_terminated_command_ends_with_143_and_goes_on(lab, name):
    lab.kill(name, random.Random(name), signal.SIGTERM)
