"""The same as ``chainer-seg predict``."""

from chainer_seg import command_line
from chainer_seg.cli.predict import main

if __name__ == '__main__':
    command_line.run(main)
