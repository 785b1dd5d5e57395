"""The same as ``chainer-seg predict``."""

from chainer_seg.cli import console

if __name__ == '__main__':
    console('predict')
