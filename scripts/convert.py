"""The same as ``chainer-seg convert``."""

from chainer_seg.cli import console

if __name__ == '__main__':
    console('convert')
