"""The same as ``chainer-seg benchmark``."""

from chainer_seg.cli import console

if __name__ == '__main__':
    console('benchmark')
