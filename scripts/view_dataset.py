"""The same as ``chainer-seg data view``."""

from chainer_seg.cli import console

if __name__ == '__main__':
    console('data', 'view')
