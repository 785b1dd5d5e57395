"""The subcommand ``train``: its options are generated from the recipe of the system."""

import argparse
import dataclasses
import shlex
import time
from collections.abc import Sequence
from typing import Annotated

import tyro
from tyro.conf import arg

from chainer_seg.cli.output import Output
from chainer_seg.recipes import Run, recipe_class
from chainer_seg.recipes.options import Flat


def train(system: str, arguments: Sequence[str], prog: str) -> None:
    """Trains as the options say; prints where the results are."""
    form = recipe_class(system)
    base, arguments = _base_recipe(form, arguments)
    command = tyro.cli(_command(form, base), args=arguments, prog=f'{prog} {system}',
                       description=form.__doc__)
    command.output.set_up()
    recipe, run = command.recipe, command.run
    recipe.validate(f'The recipe for {system}')
    length = recipe.training.settings()
    training_set, validation_set = command.data.open(
        (length['iterations'] or 1) * length['batch_size'], run.seed,
        keypoints=True if recipe.wants_keypoints else None)
    run = dataclasses.replace(run, command=shlex.join([*prog.split(), system, *arguments]),
                              progress='none' if command.output.quiet else 'auto')
    started = time.time()
    trainer = recipe.trainer(training_set, validation_set, run)
    result = trainer.train()
    if not command.output.quiet:
        print(f'{result.iteration} iterations in {time.time() - started:.0f} s')
        print(f'model: {result.model}')
        print(f'best model: {result.best_model} ({result.best_metric} {result.best_value:.4f})')


def _command(form, base):
    """The dataclass whose fields are the options of training one system."""
    fields = [('recipe', Annotated[form, arg(name='')], base), ('data', Flat[form.data], form.data()),
              ('run', Flat[Run], Run()), ('output', Flat[Output], Output())]
    return dataclasses.make_dataclass(
        'Train', [(name, kind, dataclasses.field(default=default)) for name, kind, default in fields],
        frozen=True)


def _base_recipe(form, arguments):
    """The recipe that the options change, and the options without those that name it."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument('--recipe', '--name')
    first.add_argument('--set', dest='assignments', nargs='+', action='extend', default=[])
    given, rest = first.parse_known_args(arguments)
    name = given.recipe or form.usual
    recipe = form.load(name) if name else form()
    recipe = recipe.started_from(rest)
    return recipe.assign(given.assignments), rest
