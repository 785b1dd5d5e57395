"""The same as ``chainer-seg data prepare``."""

from chainer_seg import command_line
from chainer_seg.cli.prepare import main

if __name__ == '__main__':
    command_line.run(main)
