"""The same as ``chainer-seg evaluate``."""

from chainer_seg import command_line
from chainer_seg.cli.evaluate import main

if __name__ == '__main__':
    command_line.run(main)
