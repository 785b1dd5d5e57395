"""Segment what was clicked on: --pos X,Y on the object and --neg X,Y off it, each as often as wanted.

With --mask, the clicks correct an existing mask where they lie.
"""

import argparse
import logging

import numpy as np
from commands.result_paths import result_stems

from chainer_seg.errors import UserError
from chainer_seg.files import write_json
from chainer_seg.images import find_images, read_image, write_image
from chainer_seg.instances import Instances
from chainer_seg.models.deeplab import Click
from chainer_seg.models.deeplab.refine import REFINEMENTS
from chainer_seg.visualization import overlay_clicks, overlay_masks

log = logging.getLogger(__name__)


def add_options(parser):
    parser.add_argument('inputs', metavar='INPUT', nargs='+', help='images or folders of images')
    parser.add_argument('--out', metavar='DIR', default='out/predict', help='folder for the results')
    parser.add_argument('--pos', type=point, action='append', default=[], metavar='X,Y',
                        help='a click on the object, in pixels from the top left')
    parser.add_argument('--neg', type=point, action='append', default=[], metavar='X,Y',
                        help='a click off the object')
    parser.add_argument('--mask', metavar='IMAGE',
                        help='begin with this mask, as large as the input: what is not black')
    parser.add_argument('--refine', choices=('none', *REFINEMENTS), default='none',
                        help='sharpen the probability by a graph cut or a dense CRF')
    parser.add_argument('--threshold', type=float, default=0.5, metavar='P',
                        help='pixels of a higher probability are the object')


def run(model, options):
    clicks = [Click(y, x, True) for x, y in options.pos]
    clicks += [Click(y, x, False) for x, y in options.neg]
    if not options.pos and not options.mask:
        raise UserError('A click model needs to know what is meant; give at least one --pos X,Y, '
                        'or a --mask to begin with.')
    paths = [image for each in options.inputs for image in find_images(each)]
    for path, stem in result_stems(paths, options.out):
        save_clicked(model, path, stem, clicks, options)


def point(text):
    """Parses ``X,Y``."""
    try:
        x, y = (float(part) for part in text.split(','))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f'{text!r} is not of the form X,Y') from error
    return x, y


def segment(model, image, clicks, options):
    """The probability and the mask (H, W) that the options ask for."""
    session = model.session(image, None if options.refine == 'none' else options.refine)
    session.threshold = options.threshold
    if options.mask:
        session.start_from(read_image(options.mask).any(axis=2))
    session.add(*clicks)
    return session.probability, session.mask


def save_clicked(model, path, stem, clicks, options):
    """Segments one image and writes its mask, its probability map, an overlay and COCO JSON."""
    image = read_image(path)
    probability, mask = segment(model, image, clicks, options)
    instances = Instances(mask[None], scores=[probability[mask].mean() if mask.any() else 0])
    write_image(f'{stem}_mask.png', mask.astype(np.uint8) * 255)
    write_image(f'{stem}_probability.png', np.round(probability * 255).astype(np.uint8))
    picture = overlay_clicks(overlay_masks(image, mask[None], contour=2), clicks)
    write_image(f'{stem}_overlay.png', picture)
    write_json(f'{stem}.json', instances.to_coco_results(path.name))
    log.info('%s: %.1f%% of the image; wrote %s_mask.png, _probability.png, _overlay.png and .json',
             path, 100 * mask.mean(), stem)
