"""Train one of the systems: python scripts/train.py SYSTEM [options]."""

from commands import train_click, train_deeplab, train_deepmask, train_mask_rcnn, train_yolact

from chainer_seg import command_line
from chainer_seg.options import Parser

SYSTEMS = (train_click, train_deeplab, train_deepmask, train_mask_rcnn, train_yolact)


def main():
    parser = Parser(description=__doc__)
    systems = parser.add_subparsers(dest='system', required=True, metavar='SYSTEM')
    for system in SYSTEMS:
        system.add_options(systems)
    options = parser.parse_args()
    command_line.set_up_messages(options)
    options.train(options)


if __name__ == '__main__':
    command_line.run(main)
