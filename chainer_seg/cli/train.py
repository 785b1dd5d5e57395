"""Train a system; its options are those of its recipe (chainer_seg.recipes)."""

import dataclasses
import itertools
import logging
import pathlib
import shlex
import sys
import time
from collections.abc import Sequence
from typing import Annotated, Any

from tyro.conf import UseAppendAction, arg

from chainer_seg.cli import find_name, parsing
from chainer_seg.cli.common import Output
from chainer_seg.command_line import USER_ERROR_STATUS
from chainer_seg.errors import TrainingError
from chainer_seg.recipes import SYSTEMS, Recipe, Run, recipe_class
from chainer_seg.recipes.data import SYNTHETIC
from chainer_seg.recipes.options import Flat, Switch, option
from chainer_seg.recipes.rules import RANK_RULE


@dataclasses.dataclass(frozen=True)
class Request:
    """What the options of a training ask for.

    Attributes:
        recipe: The recipe.
        data: The data sets.
        run: Where and how it is carried out.
        output: How much is printed.
    """

    recipe: Recipe
    data: Any
    run: Run
    output: Output


@dataclasses.dataclass(frozen=True)
class Start:
    """The recipe that the other options change.

    Attributes:
        recipe: Recipe to start from: its name, or a TOML file.
        as_tensorflow: The same as --recipe tensorflow.
        set: Fields of the recipe to change, by their names in TOML.
    """

    recipe: Annotated[str | None, option('--name', metavar='NAME')] = None
    as_tensorflow: Switch = False
    set: Annotated[UseAppendAction[tuple[tuple[str, ...], ...]], option(metavar='FIELD=VALUE ...')] = ()

    def base(self, form: type[Recipe], arguments: Sequence[str]) -> Recipe:
        """The recipe for the system of ``form``."""
        name = 'tensorflow' if self.as_tensorflow else self.recipe or form.usual
        # All recipes have defaults for every section.
        recipe = form.load(name) if name else form()  # type: ignore[call-arg]
        return recipe.started_from(arguments).assign(itertools.chain(*self.set))


def main(arguments: Sequence[str], prog: str) -> None:
    """Trains as the options say, and prints where the results are."""
    if not arguments or arguments[0] in ('-h', '--help'):
        print(_systems(prog), file=sys.stdout if arguments else sys.stderr)
        if not arguments:
            sys.exit(USER_ERROR_STATUS)
        return
    system, *rest = arguments
    request = parse(find_name(system, SYSTEMS, prog, 'system'), rest, prog)
    request.output.set_up()
    from chainer_seg.training.multi_node import ending_together
    if request.run.ranks.rank:
        logging.disable()  # Rank 0 logs the same.
    with ending_together(request.run.ranks):
        train(request)


def words(system: str) -> list[str]:
    """What can stand behind ``train`` and the name of a system: its options in all their spellings."""
    form = recipe_class(system)
    return [*parsing.words_of(command_of(form, form())), '--help']  # type: ignore[call-arg]


def parse(system: str, arguments: Sequence[str], prog: str = 'chainer-seg train') -> Request:
    """The request of a command line.

    Raises:
        chainer_seg.errors.UserError: An option cannot be as it is given, or has no effect.
        SystemExit: The help is printed.
    """
    form, name = recipe_class(system), f'{prog} {system}'
    arguments = parsing.as_spelled(command_of(form, form()), arguments)  # type: ignore[call-arg]
    base = parsing.parse_known(Start, arguments, name).base(form, arguments)
    command: Any = parsing.parse(command_of(form, base), arguments, name, _about(form))
    given = parsing.written(type(command), arguments)
    data = command.data.resolved()
    # Through the tables, so that values are checked as those of a file are.
    recipe = form.from_tables(command.recipe.to_tables(), 'The training')
    run = dataclasses.replace(command.run, command=shlex.join([*name.split(), *arguments]),
                              progress='none' if command.output.quiet else 'auto')
    parsing.check_rules((*form.rules, RANK_RULE), given,
                        dataclasses.replace(command, recipe=recipe, data=data, run=run))
    return Request(recipe, data, run, command.output)


def train(request: Request) -> None:
    """Trains as the request says."""
    recipe, run = request.recipe, request.run
    started = time.time()
    length = recipe.training.settings()
    if length['iterations'] is None and request.data.dataset in SYNTHETIC:
        raise TrainingError('The recipe counts epochs, but there are as many synthetic images as iterations; '
                            'give --iterations, or a --dataset of files.')
    training_set, validation_set = request.data.open(
        (length['iterations'] or 1) * length['batch_size'] * run.ranks.size, run.seed,
        keypoints=True if recipe.wants_keypoints else None)
    result = recipe.trainer(training_set, validation_set, run).train()
    if request.output.quiet or run.ranks.rank:
        return
    print(f'{result.iteration} iterations in {time.time() - started:.0f} s')
    print(f'model: {result.model}')
    print(f'best model: {result.best_model} ({result.best_metric} {result.best_value:.4f})')
    if recipe.system == 'deeplab':
        _print_classes(result.best_model, validation_set, run)


def _systems(prog: str) -> str:
    """The usage, and a line for each system."""
    lines = [f'  {system:12}{recipe_class(system).title}' for system in SYSTEMS]
    return '\n'.join([f'usage: {prog} SYSTEM ...', '', *lines, '',
                      f'{prog} SYSTEM --help lists the options of a system.'])


def command_of(form: type[Recipe], base: Recipe) -> type:
    """The dataclass whose fields are the options of training one system."""
    fields = [('start', Flat[Start], Start()), ('recipe', Annotated[form, arg(name='')], base),
              ('data', Annotated[form.data, Flat], form.data()),
              ('run', Flat[Run], Run(out=pathlib.Path('out', form.system))),
              ('output', Flat[Output], Output())]
    return dataclasses.make_dataclass(
        'Train', [(name, kind, dataclasses.field(default=default)) for name, kind, default in fields],
        frozen=True)


def _about(form: type[Recipe]) -> str:
    """The text above the options."""
    names = form.published()
    text = str(form.__doc__).replace('``', '')
    if names:
        text += f'\n\nRecipes for --recipe: {", ".join(names)}.'
    if form.other_names:
        text += f'\n\nFurther names for --set: {", ".join(form.other_names)}.'
    return text


def _print_classes(path: Any, dataset: Any, run: Run) -> None:
    """Prints intersection over union and accuracy of each class."""
    from chainer_seg.cli.semantic_report import class_table
    from chainer_seg.evaluation import evaluate_semantic
    from chainer_seg.model_file import load_model
    print(class_table(evaluate_semantic(load_model(path, run.device_name), dataset), dataset.class_names))
