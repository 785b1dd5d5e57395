"""The same as ``chainer-seg data check``."""

from chainer_seg import command_line
from chainer_seg.cli.check import main

if __name__ == '__main__':
    command_line.run(main)
