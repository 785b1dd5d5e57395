"""Compute the proposals of a data set: chainer-seg propose MODEL --annotations J --images D --out DIR.

Writes COCO result files of segments and of boxes to --out, 500 images in each. The same command resumes
a run that was killed or interrupted. Images that cannot be read are skipped and listed at the end; the
same command computes them once they are repaired.
"""

from collections.abc import Sequence

from chainer_seg import command_line
from chainer_seg.bad_images import BadImages
from chainer_seg.cli.proposal_options import (
    add_proposal_options,
    add_range_options,
    check_makes_proposals,
    image_range,
    proposal_settings,
)
from chainer_seg.options import Parser, words_of

_CHUNK = 500  # images in a file, as in the published proposals


def words() -> list[str]:
    """The options."""
    return words_of(make_parser())


def make_parser() -> Parser:
    """The parser of this subcommand."""
    parser = command_line.parser(__doc__, prog='chainer-seg propose')
    parser.add_argument('model', metavar='MODEL',
                        help='a model file, or the name of a shipped model or of published weights')
    parser.add_argument('--annotations', metavar='J', required=True, help='COCO JSON file of the images')
    parser.add_argument('--images', metavar='D', required=True, help='folder of the images')
    parser.add_argument('--out', metavar='DIR', required=True, help='folder to write to')
    parser.add_argument('--chunk', type=command_line.count_argument, default=_CHUNK, metavar='N',
                        help='number of images per file')
    parser.add_argument('--overwrite', action='store_true', help='replace the proposals in --out')
    command_line.add_strict_option(parser)
    add_proposal_options(parser, n=1000)
    add_range_options(parser)
    return parser


def main(arguments: Sequence[str], prog: str) -> None:
    options = make_parser().parse_args(arguments)
    command_line.set_up_messages(options)
    from chainer_seg.datasets import CocoDataset
    from chainer_seg.jobs import propose
    from chainer_seg.model_file import load_model
    model = load_model(options.model, options.device)
    check_makes_proposals(model, options.model)
    dataset = CocoDataset(options.annotations, options.images)
    numbers, bad = image_range(options, len(dataset)), BadImages(options.strict)
    with bad.reported(len(numbers), 'have no proposals', options.verbose):
        propose(model, dataset, options.out, numbers=numbers, chunk=options.chunk,
                overwrite=options.overwrite, progress=not options.quiet, on_error=bad,
                **proposal_settings(model, options))
        if not options.quiet:
            print(f'proposals of {len(numbers) - len(bad)} images: {options.out}')
