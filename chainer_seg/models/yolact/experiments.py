"""Experiments: everything that a training of YOLACT depends on, as one readable TOML file each."""

import dataclasses
import os
import pathlib
import tomllib
from collections.abc import Sequence
from typing import Annotated, Literal

import chainer
from msgspec import Meta

from chainer_seg import schema, training
from chainer_seg.compat.blank import TooManyParameters, blank_parameters
from chainer_seg.errors import TrainingError, quoted, shortened
from chainer_seg.files import read_toml
from chainer_seg.models.yolact.settings import Augmentation, LossWeights, Thresholds
from chainer_seg.models.yolact.backbones import find_backbone
from chainer_seg.models.yolact.model import Yolact
from chainer_seg.models.yolact.samples import YolactSamples
from chainer_seg.models.yolact.train_chain import YolactTrainChain

FOLDER = pathlib.Path(__file__).parents[2] / 'recipes' / 'published' / 'yolact'
BASE = 'base'

# What the warm-up begins with, and each step multiplies by.
WARM_UP_START, STEP_FACTOR = 0.1, 0.1

# What the data set and the seed of a run say, not the experiment.
_NOT_SET = ('classes', 'seed')

# The parameters of a network that an experiment may ask for: 1 GB, four times the published one's.
_MOST_PARAMETERS = 2 ** 28


@dataclasses.dataclass
class _Counts:
    """What is set beside the weights of the losses; see :class:`YolactTrainChain`."""

    negative_ratio: schema.NotNegative
    max_masks: Annotated[int, Meta(ge=1, le=10_000)]


@dataclasses.dataclass
class _Samples:
    """See :class:`YolactSamples`."""

    least_side: schema.Share
    max_objects: Annotated[int, Meta(ge=1, le=10_000)]


@dataclasses.dataclass
class _Training:
    """How long and how fast is trained; base.toml says what each setting is."""

    batch_size: Annotated[int, Meta(ge=1, le=4096)]
    iterations: schema.Positive
    optimizer: Literal['momentum', 'adam']
    lr: schema.NotNegative
    momentum: schema.Share
    weight_decay: schema.NotNegative
    schedule: Literal['steps', 'cosine', 'constant']
    steps: Annotated[Sequence[schema.Positive], Meta(max_length=1000)]
    warm_up: schema.Count
    least_norm_batch: schema.Count
    save_interval: schema.Positive
    keep_last: schema.Positive


# The settings of each table by the types of what they are arguments of.
_TABLES = {
    'model': (Yolact,), 'matching': (Thresholds,), 'losses': (LossWeights, _Counts),
    'augmentation': (Augmentation,), 'samples': (_Samples,), 'training': (_Training,)}


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
        self.tables[table][key] = schema.check(value, _forms(table)[key], f'The setting {table}.{key}',
                                               TrainingError)

    def assign(self, assignments):
        """Changes settings by strings ``table.key=value`` or ``key=value``, as of a command line.

        Values are written as in TOML, but texts need no quotes. Raises as :meth:`set` does.
        """
        for assignment in assignments:
            place, equals, value = assignment.partition('=')
            if not equals:
                raise TrainingError(f'{quoted(assignment)} sets nothing; write it as key=value.')
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
                with blank_parameters(_MOST_PARAMETERS):
                    Yolact(classes=len(class_names), seed=seed, **self['model'])
                model = Yolact(classes=len(class_names), seed=seed, **self['model'])
        except (TooManyParameters, MemoryError) as error:
            raise TrainingError(f'The [model] of the experiment is too large: {error}; choose a smaller '
                                f'width, fpn_channels or backbone.') from error
        except (TypeError, ValueError, LookupError, ArithmeticError) as error:
            raise TrainingError(f'The [model] of the experiment cannot be built: '
                                f'{shortened(str(error))}.') from error
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
        return training.WarmUp(self['training']['warm_up'], schedules[name], WARM_UP_START)

    def _find(self, place):
        """(table, key) that a place means."""
        named, _, key = place.rpartition('.')
        places = [(table, known) for table in _TABLES for known in _forms(table)
                  if known == key and named in ('', table)]
        if len(places) == 1:
            return places[0]
        if places:
            tables = ' or '.join(table for table, _ in places)
            raise TrainingError(f'Several tables have a setting {key}; name {tables} before it.')
        known = '; '.join(f'{table}: {", ".join(_forms(table))}' for table in _TABLES)
        raise TrainingError(f'There is no setting {quoted(place)}; there are {known}.')


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
    base = schema.check(tables.pop('based_on', BASE), schema.Text,
                        f'What the experiment {name} is based on', TrainingError)
    experiment = _read(base, (*followers, name))
    for table, settings in tables.items():
        if not isinstance(settings, dict):
            raise TrainingError(f'The experiment {name} sets {shortened(table)} outside of a table.')
        for key, value in settings.items():
            experiment.set(f'{table}.{key}', value)
    return experiment


def _load(name):
    path = FOLDER / f'{name}.toml' if name in experiment_names() else pathlib.Path(name)
    if not os.path.isfile(path):  # Of what is no file, such as a device, there might be no end.
        raise TrainingError(f'There is no experiment {shortened(name)}; name a TOML file or one of '
                            f'{", ".join(experiment_names())}.')
    return read_toml(path, 'experiment', TrainingError)


def _parse(text):
    """The value that a text means in TOML, or the text itself."""
    try:
        return tomllib.loads(f'value = {text}')['value']
    except (ValueError, RecursionError):
        return text


def _forms(table):
    """The type of each setting of a table."""
    forms = [schema.argument_forms(function) for function in _TABLES[table]]
    return {key: form for each in forms for key, form in each.items()
            if table != 'model' or key not in _NOT_SET}
