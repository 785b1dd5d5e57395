"""Segment a clicked object: --pos X,Y on the object and --neg X,Y off it, each any number of times.

With --mask, the clicks correct an existing mask locally. With --pnmap, precomputed click maps of the
TensorFlow implementation replace the clicks.
"""

import argparse
import logging

import msgspec
import numpy as np

from chainer_seg import command_line, schema
from chainer_seg.bad_images import BadImages
from chainer_seg.cli.click_options import add_view_options, refinement, set_view
from chainer_seg.cli.crf_options import add_crf_option
from chainer_seg.cli.file_options import add_labels_option
from chainer_seg.jobs.result_paths import image_ids, result_stems
from chainer_seg.errors import ClickError, UserError, shortened
from chainer_seg.files import read_json, write_json
from chainer_seg.images import find_images, read_image, write_image
from chainer_seg.label_images import Guesses
from chainer_seg.locks import sole_writer
from chainer_seg.models.deeplab.refine import REFINEMENTS
from chainer_seg.options import where

log = logging.getLogger(__name__)


def add_options(parser):
    parser.add_argument('inputs', metavar='INPUT', nargs='+', help='images or folders of images')
    parser.add_argument('--out', '--save', metavar='DIR', default='out/predict',
                        help='folder for the results')
    command_line.add_strict_option(parser)
    clicks = parser.add_argument_group('clicks')
    clicks.add_argument('--pos', type=point, action='append', default=[], metavar='X,Y',
                        help='a click on the object, in pixels from the top left')
    clicks.add_argument('--neg', type=point, action='append', default=[], metavar='X,Y',
                        help='a click off the object')
    clicks.add_argument('--clicks', metavar='JSON',
                        help='more clicks, before these: a list of {"x": X, "y": Y, "positive": true}')
    clicks.add_argument('--mask', metavar='IMAGE',
                        help='start from this mask, of the size of the input, with the object in white '
                             'or by its number')
    clicks.add_argument('--object', type=int, metavar='N',
                        help='the number of the object in --mask, where it has several')
    add_labels_option(clicks)
    clicks.add_argument('--pnmap', metavar='TIFF',
                        help='instead of clicks, their precomputed maps: the distances to positive and '
                             'to negative clicks, in two pages of 8 bits, of the size of the input')
    result = parser.add_argument_group('result')
    result.add_argument('--refine', choices=('none', *REFINEMENTS), default='none',
                        help='refine the probability by a graph cut or a dense CRF')
    add_crf_option(result)
    result.add_argument('--threshold', type=float, default=0.5, metavar='P',
                        help='minimum probability of a pixel of the object')
    result.add_argument('--save-pnmap', action='store_true',
                        help='also write the click maps as a file for --pnmap')
    add_view_options(parser)
    parser.only(where('--refine', 'crf'), '--crf-parameters')


def run(model, options):
    clicks = given_clicks(options)
    sharpen = refinement(options.refine, options)
    set_view(model, options)
    paths = [image for each in options.inputs for image in find_images(each)]
    if options.pnmap and len(paths) > 1:
        raise UserError(f'--pnmap holds the clicks on one image, but {len(paths)} are named; give one '
                        f'image.')
    bad = BadImages(options.strict or len(paths) == 1)
    with sole_writer(options.out), bad.reported(len(paths), 'have no results', options.verbose):
        for number, (image_id, (path, stem)) in enumerate(
                zip(image_ids(paths), result_stems(paths, options.out))):
            with bad.passing_over(number):
                save(path, image_id, stem, *find(model, path, clicks, sharpen, options), options)


def find(model, path, clicks, sharpen, options):
    """The image, the clicks on it, and the resulting probability and mask (H, W)."""
    from chainer_seg.datasets.click_files import read_maps
    from chainer_seg.models.deeplab.precomputed_clicks import clicks_of_maps
    image = read_image(path)
    try:
        if options.pnmap:
            maps = read_maps(options.pnmap)
            return image, clicks_of_maps(maps), segment_stored(model, image, maps, sharpen, options)
        return image, clicks, segment(model, image, clicks, sharpen, options)
    except ClickError as error:
        raise ClickError(f'{path}: {error}') from error


def point(text):
    """Parses ``X,Y``."""
    try:
        x, y = (float(part) for part in text.split(','))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f'{text!r} is not of the form X,Y') from error
    return x, y


def given_clicks(options):
    """The clicks of --clicks, --pos and --neg; raises a UserError for options that define no object."""
    from chainer_seg.models.deeplab import Click
    clicks = read_clicks(options.clicks) if options.clicks else []
    clicks += [Click(y, x, True) for x, y in options.pos]
    clicks += [Click(y, x, False) for x, y in options.neg]
    if not options.mask and (options.object is not None or options.labels_as != 'auto'):
        raise UserError('--object and --labels-as apply only with --mask; give a --mask or omit them.')
    if options.pnmap and (clicks or options.mask):
        raise UserError('--pnmap replaces clicks and --mask; omit these.')
    if not any(click.positive for click in clicks) and not options.mask and not options.pnmap:
        raise UserError('A click model needs a click on the object; give at least one --pos X,Y, '
                        'or a --mask to start from.')
    return clicks


class _Entry(msgspec.Struct):
    """A click in a JSON file, in pixels from the top left."""

    x: schema.Finite
    y: schema.Finite
    positive: bool = True


def read_clicks(path):
    """The clicks of a JSON file, a list of :class:`Click`."""
    from chainer_seg.models.deeplab import Click
    entries = read_json(path, 'file of clicks')
    try:
        entries = schema.check(entries, list[_Entry], f'The file of clicks {path}')
    except UserError as error:
        raise UserError(f'{path} is not a list of clicks ({shortened(str(error))}); write [{{"x": 20, '
                        f'"y": 10, "positive": true}}, ...] into it.') from error
    return [Click(float(entry.y), float(entry.x), entry.positive) for entry in entries]


def segment(model, image, clicks, sharpen, options):
    """The probability and the mask (H, W) for the clicks."""
    from chainer_seg.mask_images import read_mask
    session = model.session(image, sharpen)
    session.threshold = options.threshold
    if options.mask:
        mask, _ = read_mask(options.mask, labels_as=options.labels_as, number=options.object,
                            report=Guesses())
        session.start_from(mask)
    session.add(*clicks)
    return session.probability, session.mask


def segment_stored(model, image, maps, sharpen, options):
    """The probability and the mask (H, W) for precomputed click maps."""
    from chainer_seg.models.deeplab.precomputed_maps import segment_maps
    from chainer_seg.models.deeplab.precomputed_clicks import clicks_of_maps
    probability = segment_maps(model, image, maps)
    if sharpen is not None:
        probability = sharpen(image, probability, clicks_of_maps(maps))
    return probability, probability > options.threshold


def save(path, image_id, stem, image, clicks, found, options):
    """Writes the mask, the probability map, an overlay, COCO JSON and, on request, the click maps."""
    from chainer_seg.datasets.click_files import MAPS_ENDING, write_maps
    from chainer_seg.instances import Instances
    from chainer_seg.models.deeplab.precomputed_clicks import maps_of_clicks
    from chainer_seg.visualization import overlay_clicks, overlay_masks
    probability, mask = found
    instances = Instances(mask[None], scores=[probability[mask].mean() if mask.any() else 0])
    write_image(f'{stem}_mask.png', mask.astype(np.uint8) * 255)
    write_image(f'{stem}_probability.png', np.round(probability * 255).astype(np.uint8))
    picture = overlay_clicks(overlay_masks(image, mask[None], contour=2), clicks)
    write_image(f'{stem}_overlay.png', picture)
    write_json(f'{stem}.json', [{**result, 'file_name': path.name}
                                for result in instances.to_coco_results(image_id)])
    if options.save_pnmap:
        write_maps(f'{stem}{MAPS_ENDING}', maps_of_clicks(clicks, mask.shape))
    log.info('%s: %.1f%% of the image; wrote %s_mask.png, _probability.png, _overlay.png and .json%s',
             path, 100 * mask.mean(), stem, f' and {MAPS_ENDING}' if options.save_pnmap else '')
