"""The options of click sampling, which training and the click data files share."""

import argparse
import dataclasses

from chainer_seg.errors import UserError
from chainer_seg.models.deeplab.sampling import SAMPLINGS, STRATEGIES, find_sampling

# Of each field of ClickSampling that can be set: the type, the number and the names of its values,
# and what it is.
_FIELDS = {
    'strategies': (str, '+', None, 'where negative clicks fall, each as often'),
    'positives': (int, 2, ('MIN', 'MAX'), 'clicks on the object'),
    'background': (int, 2, ('MIN', 'MAX'), 'clicks near the object, strategy 1'),
    'others': (int, 2, ('MIN', 'MAX'), 'clicks in each other object, strategy 2'),
    'outline': (int, None, 'N', 'clicks spread around the object, strategy 3'),
    'd_step': (float, None, 'PX', 'least distance between two clicks'),
    'ratio_factor': (float, None, 'F', 'where --d-step depends on the object, its divisor'),
    'd_margin': (float, None, 'PX', 'positive clicks are farther inside than this, or, in '
                 'the TensorFlow code, nearer to the boundary'),
    'd': (float, None, 'PX', 'negative clicks lie this near the object'),
    'outline_margin': (float, None, 'PX', 'distance from both rims of that ring, strategy 3'),
    'tries': (int, None, 'N', 'points tried at most for a set of clicks'),
}


def add_sampling_options(parser):
    """Adds an option for each number of a sampling, with the defaults of every sampling."""
    group = parser.add_argument_group(
        'the numbers of --sampling ' + ' and '.join(SAMPLINGS), 'Distances are in pixels of a sample.')
    for name, (kind, count, metavar, text) in _FIELDS.items():
        defaults = '; '.join(f'{method}: {_written(getattr(sampling, name))}'
                             for method, sampling in SAMPLINGS.items())
        group.add_argument(
            _flag(name), type=kind, nargs=count, metavar=metavar,
            choices=STRATEGIES if name == 'strategies' else None,
            default=argparse.SUPPRESS, help=f'{text} (default of {defaults})')


def chosen_sampling(options):
    """The :class:`ClickSampling` of ``--sampling`` with the numbers that the options change.

    None for another sampling, which has no such numbers.
    """
    changes = {name: tuple(value) if isinstance(value, list) else value
               for name, value in vars(options).items() if name in _FIELDS}
    if options.sampling not in SAMPLINGS:
        for name in changes:
            raise UserError(f'{_flag(name)} belongs to --sampling {" or ".join(SAMPLINGS)}, not to '
                            f'--sampling {options.sampling}; give one of these or leave it out.')
        return None
    return dataclasses.replace(find_sampling(options.sampling), **changes)


def _flag(name):
    return f'--{name.replace("_", "-")}'


def _written(value):
    if value is None:
        return '(s - D_MARGIN) // RATIO_FACTOR for a shorter side s'
    if isinstance(value, tuple):
        return ' '.join(map(str, value))
    return str(value)
