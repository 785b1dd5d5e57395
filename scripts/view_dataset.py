"""The same as ``chainer-seg data view``."""

from chainer_seg import command_line
from chainer_seg.cli.view import main

if __name__ == '__main__':
    command_line.run(main)
