"""``python -m chainer_seg`` is the command ``chainer-seg``."""

from chainer_seg.cli import console

if __name__ == '__main__':
    console()
