"""Train a system; its options are those of its recipe (chainer_seg.recipes)."""

import argparse
import dataclasses
import pathlib
import shlex
import sys
import time
import types
from collections.abc import Sequence
from typing import Annotated, Any

import tyro
from tyro.conf import arg

from chainer_seg.cli import find_name
from chainer_seg.cli.given import check_rules, flat_sections, given_fields, is_switch, spellings
from chainer_seg.cli.output import Output
from chainer_seg.command_line import USER_ERROR_STATUS
from chainer_seg.recipes import SYSTEMS, Recipe, Run, recipe_class
from chainer_seg.recipes.options import Flat


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


def main(arguments: Sequence[str] | None = None, prog: str = 'chainer-seg train') -> None:
    """Trains as the options say, and prints where the results are."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if not arguments or arguments[0] in ('-h', '--help'):
        print(_systems(prog), file=sys.stdout if arguments else sys.stderr)
        if not arguments:
            sys.exit(USER_ERROR_STATUS)
        return
    system, *rest = arguments
    request = parse(find_name(system, SYSTEMS, prog, 'system'), rest, prog)
    request.output.set_up()
    train(request)


def options_of(system: str) -> list[str]:
    """The options of training a system, in all their spellings."""
    form = recipe_class(system)
    flat, words = set(flat_sections(form)), ['--recipe', '--set', '--help']
    for name, section in [*form.sections().items(), ('', form.data), ('', Run), ('', Output)]:
        prefix = '' if not name or section in flat else f'{name}.'
        words += [f'--{prefix}{way}' for way, field in spellings(section).items()
                  if not way.startswith('no-') or is_switch(section, field)]
    return list(dict.fromkeys(words))


def parse(system: str, arguments: Sequence[str], prog: str = 'chainer-seg train') -> Request:
    """The request of a command line.

    Raises:
        chainer_seg.errors.UserError: An option cannot be as it is given, or changes nothing there.
        SystemExit: tyro has printed the help, or what it cannot parse.
    """
    form = recipe_class(system)
    base, rest = _base_recipe(form, arguments)
    command = tyro.cli(_command(form, base), args=rest, prog=f'{prog} {system}', description=_about(form))
    given = given_fields([*flat_sections(form), form.data, Run], rest)
    data = command.data.settled(given)
    # Through the tables, so that ranges are checked as those of a file are.
    recipe = form.from_tables(command.recipe.to_tables(), 'The training').settled(given, data)
    run = dataclasses.replace(command.run, command=shlex.join([*prog.split(), system, *arguments]),
                              progress='none' if command.output.quiet else 'auto')
    if 'out' not in given:
        run = dataclasses.replace(run, out=pathlib.Path('out') / system)
    check_rules(form.rules, given, _namespace(form, recipe, data, run))
    return Request(recipe, data, run, command.output)


def train(request: Request) -> None:
    """Trains as the request says."""
    recipe, run = request.recipe, request.run
    started = time.time()
    length = recipe.training.settings()
    training_set, validation_set = request.data.open(
        (length['iterations'] or 1) * length['batch_size'], run.seed,
        keypoints=True if recipe.wants_keypoints else None)
    result = recipe.trainer(training_set, validation_set, run).train()
    if request.output.quiet:
        return
    print(f'{result.iteration} iterations in {time.time() - started:.0f} s')
    print(f'model: {result.model}')
    print(f'best model: {result.best_model} ({result.best_metric} {result.best_value:.4f})')
    if recipe.system == 'deeplab':
        _print_classes(result.best_model, validation_set, run)


def _systems(prog):
    """The usage, and a line for each system."""
    lines = [f'  {system:12}{recipe_class(system).title}' for system in SYSTEMS]
    return '\n'.join([f'usage: {prog} SYSTEM ...', '', *lines, '',
                      f'{prog} SYSTEM --help lists the options of a system.'])


def _command(form, base):
    """The dataclass whose fields are the options of training one system."""
    fields = [('recipe', Annotated[form, arg(name='')], base),
              ('data', Flat[form.data], form.data()),  # type: ignore[misc]
              ('run', Flat[Run], Run()), ('output', Flat[Output], Output())]
    return dataclasses.make_dataclass(
        'Train', [(name, kind, dataclasses.field(default=default)) for name, kind, default in fields],
        frozen=True)


def _base_recipe(form, arguments):
    """The recipe that the options change, and the options without those that name it."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument('--recipe', '--name')
    first.add_argument('--as-tensorflow', dest='recipe', action='store_const', const='tensorflow')
    first.add_argument('--set', dest='assignments', nargs='+', action='extend', default=[])
    given, rest = first.parse_known_args(arguments)
    name = given.recipe or form.usual
    recipe = form.load(name) if name else form()
    return recipe.started_from(rest).assign(given.assignments), rest


def _about(form):
    """The text above the options."""
    names = form.published()
    files = f'{", ".join(names)}, or a TOML file' if names else 'a TOML file'
    return (f'{form.__doc__}\n\n--recipe NAME starts from a recipe: {files}. --set FIELD=VALUE ... changes '
            f'its fields; so do the options below.')


def _namespace(form, recipe, data, run):
    """All options without a section in their name, for the rules."""
    flat = set(flat_sections(form))
    values: dict[str, Any] = {}
    for part in (*(getattr(recipe, name) for name in form.sections()), data, run):
        if type(part) in flat or part in (data, run):
            values.update({field.name: getattr(part, field.name) for field in dataclasses.fields(part)})
    return types.SimpleNamespace(**values)


def _print_classes(path, dataset, run):
    """Prints intersection over union and accuracy of each class."""
    from chainer_seg.cli.semantic_report import class_table
    from chainer_seg.evaluation import evaluate_semantic
    from chainer_seg.model_file import load_model
    print(class_table(evaluate_semantic(load_model(path, run.device_name), dataset), dataset.class_names))
