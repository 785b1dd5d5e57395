"""The same as ``chainer-seg benchmark``."""

from chainer_seg import command_line
from chainer_seg.cli.benchmark import main

if __name__ == '__main__':
    command_line.run(main)
