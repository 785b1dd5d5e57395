"""Experiments: everything that a training of YOLACT depends on, as one readable TOML file each."""

import inspect
import pathlib
import tomllib

import chainer

from chainer_seg import training
from chainer_seg.errors import TrainingError
from chainer_seg.models.yolact.augmentation import Augmentation
from chainer_seg.models.yolact.backbones import find_backbone
from chainer_seg.models.yolact.model import Yolact
from chainer_seg.models.yolact.samples import YolactSamples
from chainer_seg.models.yolact.targets import Thresholds
from chainer_seg.models.yolact.train_chain import LossWeights, YolactTrainChain

FOLDER = pathlib.Path(__file__).parent / 'experiments'
BASE = 'base'

# What the warm-up begins with, and each step multiplies by.
WARM_UP_START, STEP_FACTOR = 0.1, 0.1

# What the data set and the seed of a run say, not the experiment.
_NOT_SET = ('self', 'classes', 'seed')


class Experiment:
    """The settings of a training.

    Attributes:
        tables: ``{table: {key: value}}`` as in ``base.toml``; of ``model``, all that
            :class:`Yolact` takes may be set.
    """

    def __init__(self, tables):
        self.tables = tables

    def __getitem__(self, table):
        return self.tables[table]

    def set(self, place, value):
        """Changes a setting.

        Args:
            place: ``'table.key'``, or ``'key'`` where only one table has it.
            value: A value of the kind that the setting has.

        Raises:
            chainer_seg.errors.TrainingError: There is no such setting, or the value is of another kind.
        """
        table, key = self._find(place)
        before = self.tables[table].get(key)
        if before is not None and _kind(before) != _kind(value):
            raise TrainingError(f'{table}.{key} must be {_kind(before)} like {before!r}, '
                                f'not {value!r}.')
        self.tables[table][key] = value

    def assign(self, assignments):
        """Changes settings by strings ``table.key=value`` or ``key=value``, as of a command line.

        Values are written as in TOML, but texts need no quotes. Raises as :meth:`set` does.
        """
        for assignment in assignments:
            place, equals, value = assignment.partition('=')
            if not equals:
                raise TrainingError(f'{assignment!r} sets nothing; write it as key=value.')
            self.set(place.strip(), _parse(value.strip()))

    def take_model(self, model):
        """Takes the sizes of a :class:`Yolact` over; the data set says the classes."""
        self.tables['model'] = {name: value for name, value in model.config.items()
                                if name not in _NOT_SET}

    def make_model(self, class_names, seed=0, mixed_precision=False):
        """A new :class:`Yolact` for these classes; its parameters may be in half precision."""
        dtype = chainer.mixed16 if mixed_precision else chainer.config.dtype
        try:
            with chainer.using_config('dtype', dtype):
                model = Yolact(classes=len(class_names), seed=seed, **self['model'])
        except (TypeError, ValueError) as error:
            raise TrainingError(f'The [model] of the experiment cannot be built: {error}.') from error
        model.class_names = tuple(class_names)
        return model

    def make_train_chain(self, model, batch_size):
        """The :class:`YolactTrainChain` for batches of which a device sees ``batch_size`` images."""
        losses = dict(self['losses'])
        counts = {name: losses.pop(name) for name in ('negative_ratio', 'max_masks')}
        return YolactTrainChain(
            model, LossWeights(**losses), Thresholds(**self['matching']), **counts,
            freeze_norm=batch_size < self['training']['least_norm_batch'])

    def make_samples(self, model):
        """The :class:`YolactSamples` for a model."""
        # Not the model's own method: the samples are sent to other processes.
        normalise = find_backbone(model.config['backbone']).normalise
        return YolactSamples(model.image_size, normalise, model.classes,
                             Augmentation(**self['augmentation']), **self['samples'])

    def make_schedule(self):
        """The :class:`chainer_seg.training.Schedule`."""
        name = self['training']['schedule']
        schedules = {'steps': training.Steps(tuple(self['training']['steps']), STEP_FACTOR),
                     'cosine': training.Cosine(), 'constant': training.Constant()}
        if name not in schedules:
            raise TrainingError(f'There is no schedule {name!r}; choose one of '
                                f'{", ".join(schedules)}.')
        return training.WarmUp(self['training']['warm_up'], schedules[name], WARM_UP_START)

    def _find(self, place):
        """(table, key) that a place means."""
        named, _, key = place.rpartition('.')
        places = [(table, known) for table in self.tables for known in self._keys(table)
                  if known == key and named in ('', table)]
        if len(places) == 1:
            return places[0]
        if places:
            tables = ' or '.join(table for table, _ in places)
            raise TrainingError(f'Several tables have a setting {key}; name {tables} before it.')
        known = '; '.join(f'{table}: {", ".join(self._keys(table))}' for table in self.tables)
        raise TrainingError(f'There is no setting {place!r}; there are {known}.')

    def _keys(self, table):
        if table != 'model':
            return list(self.tables[table])
        return [name for name in inspect.signature(Yolact).parameters if name not in _NOT_SET]


def experiment_names():
    """The names of the experiments that come with the package."""
    return sorted(path.stem for path in FOLDER.glob('*.toml'))


def read_experiment(name):
    """Reads an experiment.

    Args:
        name: One of :func:`experiment_names`, or the path of a TOML file of the same form: it says
            in what it differs from the one that it is ``based_on``.

    Raises:
        chainer_seg.errors.TrainingError: There is no such file, it is not TOML, or a setting cannot
            be as it says.
    """
    return _read(str(name))


def _read(name, followers=()):
    """The experiment in a file on top of what it is based on."""
    if name in followers:
        raise TrainingError(f'The experiment {name} is based on itself.')
    tables = _load(name)
    if name == BASE:
        return Experiment(tables)
    experiment = _read(tables.pop('based_on', BASE), (*followers, name))
    for table, settings in tables.items():
        if not isinstance(settings, dict):
            raise TrainingError(f'The experiment {name} sets {table} outside of a table.')
        for key, value in settings.items():
            experiment.set(f'{table}.{key}', value)
    return experiment


def _load(name):
    path = FOLDER / f'{name}.toml' if name in experiment_names() else pathlib.Path(name)
    try:
        return tomllib.loads(path.read_text(encoding='utf-8'))
    except FileNotFoundError as error:
        raise TrainingError(f'There is no experiment {name}; name a TOML file or one of '
                            f'{", ".join(experiment_names())}.') from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TrainingError(f'The experiment {path} cannot be read ({error}); mend it.') from error


def _parse(text):
    """The value that a text means in TOML, or the text itself."""
    try:
        return tomllib.loads(f'value = {text}')['value']
    except tomllib.TOMLDecodeError:
        return text


def _kind(value):
    """What a value is, in words."""
    kinds = {bool: 'true or false', int: 'a number', float: 'a number', str: 'a text'}
    return kinds.get(type(value), 'a list')
