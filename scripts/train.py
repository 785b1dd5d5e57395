"""Train one of the systems: python scripts/train.py SYSTEM [options]; the same as chainer-seg train."""

from chainer_seg import command_line
from chainer_seg.cli import train

if __name__ == '__main__':
    command_line.run(lambda: train.main(prog='python scripts/train.py'))
