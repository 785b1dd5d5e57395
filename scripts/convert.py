"""The same as ``chainer-seg convert``."""

from chainer_seg import command_line
from chainer_seg.cli.convert import main

if __name__ == '__main__':
    command_line.run(main)
