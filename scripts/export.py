"""The same as ``chainer-seg export``."""

from chainer_seg.cli import console

if __name__ == '__main__':
    console('export')
