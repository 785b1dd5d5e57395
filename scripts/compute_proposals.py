"""The same as ``chainer-seg propose``."""

from chainer_seg.cli import console

if __name__ == '__main__':
    console('propose')
