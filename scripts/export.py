"""The same as ``chainer-seg export``."""

from chainer_seg import command_line
from chainer_seg.cli.export import main

if __name__ == '__main__':
    command_line.run(main)
