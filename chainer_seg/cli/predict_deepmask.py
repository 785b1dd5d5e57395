"""Propose objects in images: masks and scores, the best first.

Their image_id is the number that names the image, if all images are named by numbers as COCO's
(000000005802.jpg is 5802); otherwise they are counted from 1.
"""

import logging

from chainer_seg import command_line
from chainer_seg.bad_images import BadImages
from chainer_seg.cli.file_options import add_outside_option
from chainer_seg.cli.proposal_options import add_proposal_options, proposal_settings
from chainer_seg.jobs.result_paths import image_ids, listed_images, result_stems
from chainer_seg.errors import UserError
from chainer_seg.files import write_json
from chainer_seg.images import read_image, write_image
from chainer_seg.locks import sole_writer
from chainer_seg.models.deepmask.defaults import MASK_THRESHOLD

log = logging.getLogger(__name__)

PUBLISHED_DEMO = 5  # proposals, as the Torch demo shows


def add_options(parser):
    parser.add_argument('inputs', metavar='INPUT', nargs='+',
                        help='images, folders of images, or lists of images (.txt, one per line)')
    parser.add_argument('--out', metavar='DIR', default='out/predict', help='folder for the results')
    command_line.add_strict_option(parser)
    add_outside_option(parser)
    add_proposal_options(parser, PUBLISHED_DEMO)
    parser.add_argument('--threshold', type=float, default=MASK_THRESHOLD, metavar='P',
                        help='minimum probability of a pixel of a mask')
    parser.add_argument('--nms', type=float, metavar='IOU',
                        help='drop proposals whose box overlaps a better one by at least this IoU')
    parser.add_argument('--draw', type=int, default=10, metavar='N',
                        help='maximum number of proposals in the overlay')


def run(model, options):
    if options.draw < 0:
        raise UserError(f'--draw must be at least 0, got {options.draw}.')
    paths = [path for each in options.inputs for path in
             listed_images(each, options.allow_outside)]
    bad = BadImages(options.strict or len(paths) == 1)
    with sole_writer(options.out), bad.reported(len(paths), 'have no results', options.verbose):
        for number, (image_id, (path, stem)) in enumerate(
                zip(image_ids(paths), result_stems(paths, options.out))):
            with bad.passing_over(number):
                save_proposals(model, path, image_id, stem, options)


def save_proposals(model, path, image_id, stem, options):
    """Proposes objects in one image and writes an overlay and COCO JSON."""
    from chainer_seg.datasets.proposal_files import proposal_results
    from chainer_seg.masks import decode_rle
    from chainer_seg.visualization import overlay_masks
    image = read_image(path)
    found = model.propose_rle(image, threshold=options.threshold, nms=options.nms,
                              **proposal_settings(model, options))
    masks = decode_rle(found.codes[:options.draw], image.shape[:2])
    write_image(f'{stem}_overlay.png', overlay_masks(image, masks, contour=2))
    write_json(f'{stem}.json', [{**result, 'file_name': path.name}
                                for result in proposal_results(found, image_id)])
    log.info('%s: %s; wrote %s_overlay.png and .json', path, describe(found), stem)
    for score, box, scale in zip(found.scores, found.bboxes.astype(int).tolist(), found.scales):
        log.debug('  score %.3f, x %d to %d, y %d to %d, found at scale %.3g',
                  score, box[1], box[3], box[0], box[2], scale)


def describe(found):
    """How many proposals there are, and the best of them, in words."""
    if not found.codes:
        return 'no proposals'
    top, left, bottom, right = found.bboxes[0].astype(int)
    return (f'{len(found.codes)} proposals, the best with score {found.scores[0]:.3f} at '
            f'x {left} to {right}, y {top} to {bottom}')
