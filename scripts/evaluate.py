"""The same as ``chainer-seg evaluate``."""

from chainer_seg.cli import console

if __name__ == '__main__':
    console('evaluate')
