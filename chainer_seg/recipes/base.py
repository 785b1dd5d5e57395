"""The base of all recipes: a training run as a value that is read, written, changed and run."""

import dataclasses
import functools
import os
import pathlib
import re
import tomllib
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self

import tomli_w

from chainer_seg.errors import TrainingError, quoted, shortened
from chainer_seg.files import read_toml, write_text
from chainer_seg.recipes.data import Data
from chainer_seg.recipes.options import aliases
from chainer_seg.recipes.rules import Rule
from chainer_seg.recipes.run import Run
from chainer_seg.schema import check

if typing.TYPE_CHECKING:
    import chainer

    from chainer_seg.recipes.training import Training
    from chainer_seg.training import Trainer

CATEGORY_IDS = 'category_ids'  # Under this name the origin of a model keeps those of its data set.

PUBLISHED = pathlib.Path(__file__).parent / 'published'  # a folder for each system
_OF_PYTHON = {'True': 'true', 'False': 'false'}


@dataclasses.dataclass
class Parts:
    """What a recipe builds for two data sets; :meth:`Recipe.trainer` puts it together.

    Attributes:
        model: The network that is saved and evaluated.
        train_chain: The chain that owns the targets and the losses.
        dataset: What the examples are read from.
        transform: ``transform(example, rng)`` makes a training sample of an example.
        evaluator: ``evaluator(model)`` returns the validation figures by name.
        best_metric: Name of the figure that the best model is chosen by, and ``'max'`` or ``'min'``.
        settings: Further attributes of :class:`chainer_seg.training.Settings`.
        category_ids: The category id of each label in the training set, which predictions are written with;
            None where there are none.
    """

    model: 'chainer.Chain'
    train_chain: 'chainer.Chain'
    dataset: Any
    transform: Callable
    evaluator: Callable
    best_metric: tuple[str, str]
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    category_ids: Sequence[int] | None = None


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Everything that one training run is, apart from its data and from where it runs.

    A subclass has one field for each section, a frozen dataclass with the published defaults, and
    builds its :class:`Parts`. A recipe is never changed: :meth:`replace` returns another one.
    """

    if typing.TYPE_CHECKING:
        training: Training  # every recipe has this section, each with fields of its own

    system: ClassVar[str]  # the name of the system on the command line
    title: ClassVar[str]  # what the system does, in a few words
    data: ClassVar[type] = Data  # the options that name the data
    rules: ClassVar[tuple[Rule, ...]] = ()  # where its options apply
    usual: ClassVar[str | None] = None  # the published recipe that the command line starts from
    other_names: ClassVar[Mapping[str, str]] = {}  # section.field by the name in an original's settings

    def parts(self, train: Any, validation: Any, run: Run) -> Parts:
        """Builds the model, its train chain and the samples for two data sets."""
        raise NotImplementedError  # every subclass has its own

    def trainer(self, train: Any, validation: Any = None, run: Run | None = None,
                **run_options: Any) -> 'Trainer':
        """Assembles the trainer of a run; ``trainer(...).run()`` trains.

        Args:
            train: The data set to train on.
            validation: The data set to validate on; the training set by default.
            run: Where and how the run is carried out.
            **run_options: Fields of :class:`chainer_seg.recipes.Run` to change, such as ``out``.

        Raises:
            chainer_seg.errors.UserError: The recipe does not fit the data set, or the run cannot start.
        """
        from chainer_seg import training
        from chainer_seg.evaluation.sample_predictions import sample_drawing
        from chainer_seg.model_file import save_model
        run = (run or Run()).replace(**run_options)
        validation = train if validation is None else validation
        parts = self.parts(train, validation, run)
        if self.model_to_evaluate(run):
            run = dataclasses.replace(run, resume=None)
        origin = {'recipe': {'system': self.system, **self.to_tables()}, 'seed': run.seed,
                  'command': run.command,
                  CATEGORY_IDS: None if parts.category_ids is None else list(parts.category_ids)}
        parts.model.origin = {name: value for name, value in origin.items() if value is not None}
        save = functools.partial(save_model, dtype='float16' if self.training.half else None)
        return training.build_trainer(parts.train_chain, parts.dataset, **{
            **self.training.settings(), **run.settings(), 'transform': parts.transform,
            'evaluator': parts.evaluator, 'best_metric': parts.best_metric,
            'model_to_save': parts.model, 'save_model': save,
            'draw_samples': sample_drawing(validation, run.sample_images), **parts.settings})

    def replace(self, **values: Any) -> Self:
        """The same recipe with other values of fields, such as ``replace(lr=1e-3)``.

        Raises:
            chainer_seg.errors.TrainingError: A field does not exist, exists in several sections (name
                it as ``section__field``), or the value is of another type.
        """
        tables = self.to_tables()
        for name, value in values.items():
            section, field = self._place(name)
            tables[section][field] = value
        return self.from_tables(tables, f'The recipe for {self.system}')

    def assign(self, assignments: Iterable[str]) -> Self:
        """As :meth:`replace`, by strings ``section.field=value`` or ``field=value``.

        Values are written as in TOML, but text needs no quotes.
        """
        values = {}
        for assignment in assignments:
            place, equals, value = assignment.partition('=')
            if not equals:
                raise TrainingError(f'{quoted(assignment)} sets nothing; write it as field=value.')
            values[place.strip()] = _value_of(value.strip())
        return self.replace(**values)

    def model_to_evaluate(self, run: Run) -> str | None:
        """The model file that ``run.resume`` names where it is none of a snapshot; None otherwise."""
        return None

    def started_from(self, arguments: Sequence[str]) -> Self:
        """The recipe with what the model that ``arguments`` name to start from makes of it."""
        return self

    @property
    def wants_keypoints(self) -> bool:
        """Whether the data set must have keypoints."""
        return False

    def to_tables(self) -> dict[str, dict[str, Any]]:
        """The recipe as ``{section: {field: value}}``."""
        return dataclasses.asdict(self)

    @classmethod
    def from_tables(cls, tables: Mapping[str, Any], name: str) -> Self:
        """A recipe of ``{section: {field: value}}``; missing fields have their defaults.

        Raises:
            chainer_seg.errors.TrainingError: A section or a field is unknown, or a value is of another
                type; ``name`` is the subject of the sentence.
        """
        sections = cls.sections()
        for section, values in tables.items():
            if section not in sections:
                raise TrainingError(f'{name} has a table [{section}]; it can have '
                                    f'{", ".join(sections)}.')
            known = [field.name for field in dataclasses.fields(sections[section])]
            unknown = set(values) - set(known) if isinstance(values, Mapping) else ()
            if unknown:
                raise TrainingError(f'{name} has no setting {section}.{sorted(unknown)[0]}; [{section}] '
                                    f'has {", ".join(known)}.')
        recipe = check(dict(tables), cls, name, TrainingError)
        recipe.validate(name)
        return recipe

    def validate(self, name: str) -> None:
        """Raises a :class:`chainer_seg.errors.TrainingError` where values contradict each other."""

    @classmethod
    def published(cls) -> tuple[str, ...]:
        """The names of the recipes of this system that come with the package."""
        return tuple(sorted(path.stem for path in (PUBLISHED / cls.system).glob('*.toml')))

    @classmethod
    def load(cls, name: str | os.PathLike) -> Self:
        """Reads a recipe.

        Args:
            name: One of :meth:`published`, or the path of a TOML file that :meth:`save` wrote or that a
                person did: it may say ``based_on`` another one, and then only what differs.

        Raises:
            chainer_seg.errors.TrainingError: The file is missing or not a recipe of this system.
        """
        return cls.from_tables(cls._read(os.fspath(name), ()), f'The recipe {name}')

    @classmethod
    def _read(cls, name: str, followers: tuple[str, ...]) -> dict[str, Any]:
        """The tables of a recipe on top of those that it is based on."""
        if name in followers:
            raise TrainingError(f'The recipe {name} is based on itself.')
        published = PUBLISHED / cls.system / f'{name}.toml'
        # os.path.exists is False for a name that is too long, where pathlib raises an OSError.
        is_published = os.path.exists(published)
        if not is_published and not os.path.exists(name) and cls.published():
            raise TrainingError(f'There is no recipe {shortened(name)}; name a TOML file or one of '
                                f'{", ".join(cls.published())}.')
        tables = read_toml(published if is_published else name, 'recipe', TrainingError)
        system, base = tables.pop('system', cls.system), tables.pop('based_on', None)
        if system != cls.system:
            raise TrainingError(f'The recipe {name} is for {quoted(system)}, not for {cls.system}.')
        tables = cls._with_field_names(tables, f'The recipe {name}')
        if base is None:
            return tables
        below = cls._read(str(base), (*followers, name))
        return {section: {**below.get(section, {}), **tables.get(section, {})}
                for section in (*below, *(each for each in tables if each not in below))}

    @classmethod
    def _with_field_names(cls, tables: dict[str, Any], name: str) -> dict[str, dict[str, Any]]:
        """The tables with every alias of a field in the place of its name."""
        sections, found = cls.sections(), {}
        for section, values in tables.items():
            if not isinstance(values, dict):
                raise TrainingError(f'{name} sets {section} outside of a table.')
            names: Any = aliases(sections[section]) if section in sections else {}
            found[section] = {names.get(key, key): value for key, value in values.items()}
        return found

    def save(self, path: str | os.PathLike) -> None:
        """Writes the recipe as TOML, atomically."""
        write_text(pathlib.Path(path), self.to_toml())

    def to_toml(self) -> str:
        """The recipe as TOML; fields without a value are omitted."""
        text = tomli_w.dumps({'system': self.system, **_without_none(self.to_tables())})
        # Short lists of numbers stay on their line.
        return re.sub(r'\[\n\s+([^\[\]]*?),\n\s*\]', lambda found: f'[{_joined(found[1])}]', text)

    def describe(self) -> str:
        """A table of all fields, their values, and the defaults of those that differ."""
        # All recipes have defaults for every section.
        default, lines = type(self)().to_tables(), []  # type: ignore[call-arg]
        for section, values in self.to_tables().items():
            lines.append(f'[{section}]')
            for field, value in values.items():
                usual = default[section][field]
                note = '' if value == usual else f'    (default: {_written(usual)})'
                lines.append(f'  {field:24} {_written(value)}{note}')
        return '\n'.join(lines)

    @classmethod
    def sections(cls) -> dict[str, type]:
        """The dataclass of each section."""
        types = typing.get_type_hints(cls)
        return {field.name: types[field.name] for field in dataclasses.fields(cls)}

    @classmethod
    def _place(cls, name: str) -> tuple[str, str]:
        """(section, field) that a name means."""
        name = cls.other_names.get(name, name)
        section, _, field = name.replace('.', '__').rpartition('__')
        forms = {each: form for each, form in cls.sections().items() if section in ('', each)}
        places = [(each, field) for each, form in forms.items()
                  if field in {known.name for known in dataclasses.fields(form)}]
        places = places or [(each, aliases(form)[field]) for each, form in forms.items()
                            if field in aliases(form)]
        if len(places) == 1:
            return places[0]
        if places:
            choices = ' or '.join(f'{each}__{field}' for each, _ in places)
            raise TrainingError(f'Several sections have a field {field}; name {choices}.')
        raise TrainingError(f'A recipe for {cls.system} has no field {quoted(name)}.')


def _value_of(text: str) -> Any:
    """The value that a text means in TOML, or as Python's True and False; otherwise the text itself."""
    try:
        return tomllib.loads(f'value = {_OF_PYTHON.get(text, text)}')['value']
    except tomllib.TOMLDecodeError:
        return text


def _without_none(tables: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    return {section: {field: value for field, value in values.items() if value is not None}
            for section, values in tables.items()}


def _joined(lines: str) -> str:
    return ' '.join(line.strip() for line in lines.splitlines())


def _written(value: Any) -> str:
    if isinstance(value, tuple):
        return ' '.join(map(str, value))
    return str(value)
