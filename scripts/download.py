"""The same as ``chainer-seg download``."""

from chainer_seg import command_line
from chainer_seg.cli.download import main

if __name__ == '__main__':
    command_line.run(main)
