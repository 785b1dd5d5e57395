"""The same as ``chainer-seg download``."""

from chainer_seg.cli import console

if __name__ == '__main__':
    console('download')
