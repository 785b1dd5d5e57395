"""The same as ``chainer-seg train``."""

from chainer_seg.cli import console

if __name__ == '__main__':
    console('train')
