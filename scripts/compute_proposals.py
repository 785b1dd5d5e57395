"""The same as ``chainer-seg propose``."""

from chainer_seg import command_line
from chainer_seg.cli.propose import main

if __name__ == '__main__':
    command_line.run(main)
