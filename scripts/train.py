"""The same as ``chainer-seg train``."""

from chainer_seg import command_line
from chainer_seg.cli.systems import main

if __name__ == '__main__':
    command_line.run(main)
