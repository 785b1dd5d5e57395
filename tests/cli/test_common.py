"""The options that all subcommands share."""

import logging

from chainer_seg.cli.common import CommonOnDevice, Output
from chainer_seg.cli.parsing import parse


def test_quiet_keeps_warnings(capsys):
    parse(Output, ['-q'], 'command').set_up()
    logging.getLogger('chainer_seg.a').info('progress')
    logging.getLogger('chainer_seg.a').warning('a text id')
    assert capsys.readouterr().out == 'a text id\n'


def test_verbose_prints_details_of_this_package_only(capsys):
    parse(Output, ['-v'], 'command').set_up()
    logging.getLogger('chainer_seg.a').debug('a detail')
    logging.getLogger('matplotlib').debug('a font')
    assert capsys.readouterr().out == 'a detail\n'


def test_seed_and_device_are_options():
    options = parse(CommonOnDevice, ['--seed', '3', '--device', 'cpu', '-vq'], 'command')
    assert options == CommonOnDevice(verbose=True, quiet=True, seed=3, device='cpu')
