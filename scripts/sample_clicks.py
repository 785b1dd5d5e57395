"""The same as ``chainer-seg data clicks``."""

from chainer_seg.cli import console

if __name__ == '__main__':
    console('data', 'clicks')
