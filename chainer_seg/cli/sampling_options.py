"""The options of click sampling, which training and the click data files share."""

import argparse
import dataclasses

from chainer_seg.errors import UserError
from chainer_seg.models.deeplab.sampling import SAMPLINGS, STRATEGIES, find_sampling

# Of each field of ClickSampling that can be set: the type, the number and the names of its values,
# what it is, and its other names: in capitals that of the TensorFlow implementation's configuration.
_FIELDS = {
    'strategies': (str, '+', None, 'where negative clicks fall, each as often', ()),
    'positives': (int, 2, ('MIN', 'MAX'), 'clicks on the object', ()),
    'background': (int, 2, ('MIN', 'MAX'), 'clicks near the object, strategy 1', ()),
    'others': (int, 2, ('MIN', 'MAX'), 'clicks in each other object, strategy 2', ()),
    'outline': (int, None, 'N', 'clicks spread around the object, strategy 3', ()),
    'd_step': (float, None, 'PX', 'least distance between two clicks', ()),
    'ratio_factor': (float, None, 'F', 'where --d-step depends on the object, its divisor',
                     ('RATIO_FACTOR',)),
    'd_margin': (float, None, 'PX', 'positive clicks are farther inside than this, or, in '
                 'the TensorFlow code, nearer to the boundary', ('D_MARGIN',)),
    'd': (float, None, 'PX', 'negative clicks lie this near the object', ('D',)),
    'outline_margin': (float, None, 'PX', 'distance from both rims of that ring, strategy 3',
                       ('NEG3_MARGIN',)),
    'tries': (int, None, 'N', 'points tried at most for a set of clicks', ()),
    'n_pairs': (int, None, 'N', 'samples of each object, which take turns with the strategies',
                ('pairs', 'N_PAIRS')),
}

# Counts that the TensorFlow implementation's configuration has; others follow from them there.
_COUNTS = {
    'N_POS': ('most clicks on the object',
              lambda count: {'positives': (1, count)}),
    'N_NEG': ('most clicks off the object, and one and a half times the fewest',
              lambda count: {'background': (2 * count // 3, count), 'others': (2 * count // 3, count),
                             'outline': count}),
}


def _flag(name):
    return f'--{name.replace("_", "-")}'


SAMPLING_FLAGS = tuple(_flag(name.lower()) for name in (*_FIELDS, *_COUNTS) if name != 'n_pairs')


def add_sampling_options(parser, flag='--sampling', pairs=False):
    """Adds an option for each number of a sampling, with the defaults of every sampling.

    Args:
        flag: The option that names the sampling.
        pairs: Whether there is an option for the number of samples of an object.
    """
    group = parser.add_argument_group(
        f'the numbers of {flag} ' + ' and '.join(SAMPLINGS),
        'Distances are in pixels of a sample. Names in capitals are those of the TensorFlow code.')
    for name, (kind, count, metavar, text, aliases) in _FIELDS.items():
        if name == 'n_pairs' and not pairs:
            continue
        defaults = '; '.join(f'{method}: {_written(getattr(sampling, name))}'
                             for method, sampling in SAMPLINGS.items())
        group.add_argument(
            _flag(name), *(f'--{alias}' for alias in aliases), dest=name, type=kind,
            nargs=count, metavar=metavar, choices=STRATEGIES if name == 'strategies' else None,
            default=argparse.SUPPRESS, help=f'{text} (default of {defaults})')
    for name, (text, _) in _COUNTS.items():
        group.add_argument(_flag(name.lower()), f'--{name}', dest=name, type=int, metavar='N',
                           default=argparse.SUPPRESS, help=text)


def chosen_sampling(options):
    """The :class:`ClickSampling` of ``--sampling`` with the numbers that the options change.

    None for another sampling, which has no such numbers.
    """
    given = {name: tuple(value) if isinstance(value, list) else value
             for name, value in vars(options).items() if name in _FIELDS or name in _COUNTS}
    if options.sampling not in SAMPLINGS:
        for name in given:
            raise UserError(f'{_flag(name.lower())} belongs to --sampling {" or ".join(SAMPLINGS)}, not '
                            f'to --sampling {options.sampling}; give one of these or leave it out.')
        return None
    changes = {}
    for name, (_, counts) in _COUNTS.items():
        if name in given:
            changes.update(counts(given.pop(name)))
    return dataclasses.replace(find_sampling(options.sampling), **{**changes, **given})


def _written(value):
    if value is None:
        return '(s - D_MARGIN) // RATIO_FACTOR for a shorter side s'
    if isinstance(value, tuple):
        return ' '.join(map(str, value))
    return str(value)
