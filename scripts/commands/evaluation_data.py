"""The images that proposals are evaluated on: of a COCO file or a range of it, or freshly drawn."""

import pathlib

from commands.proposal_options import add_range_options, image_range

from chainer_seg import command_line, datasets
from chainer_seg.datasets.packed import is_packed
from chainer_seg.errors import DatasetError

# Pictures drawn here come from another seed than those a model was trained or validated on.
EVALUATION_SEED_OFFSET = 2_000_000


def add_data_options(parser, pictures):
    """Adds the options; ``pictures`` is the default for how many are drawn."""
    data = parser.add_argument_group('the data')
    data.add_argument('--annotations', metavar='J',
                      help='COCO JSON with the true objects, or a packed data set; left out, pictures '
                           'are drawn')
    data.add_argument('--images', metavar='D', help='its folder of images')
    data.add_argument('--n', type=command_line.count_argument, default=pictures, metavar='N',
                      help='number of drawn pictures')
    data.add_argument('--size', type=command_line.size_argument, default=(256, 256),
                      metavar='HxW', help='size of drawn pictures')
    add_range_options(parser)


def open_dataset(options, *, needs_images=True, draw=datasets.ShapesDataset):
    """The data set that the options name; ``draw(length, seed, size)`` makes a drawn one."""
    if options.annotations is None:
        return draw(options.n, options.seed + EVALUATION_SEED_OFFSET, options.size)
    if options.images is None and needs_images and not is_packed(options.annotations):
        raise DatasetError('--annotations needs --images, the folder of its images.')
    # Where no image is read, any folder is as good.
    folder = options.images or pathlib.Path(options.annotations).parent
    dataset = datasets.open_dataset(options.annotations, folder)
    return dataset.part(image_range(options, len(dataset)))
