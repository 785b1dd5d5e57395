"""The same as ``chainer-seg data clicks``."""

from chainer_seg import command_line
from chainer_seg.cli.clicks import main

if __name__ == '__main__':
    command_line.run(main)
