"""Where and how a training runs: what is not part of its recipe."""

import dataclasses
import functools
import pathlib
import typing
from typing import Annotated

from tyro.conf import Suppress

from chainer_seg.recipes.options import Resume, option

if typing.TYPE_CHECKING:
    from chainer_seg.recipes.base import Parts, Recipe
    from chainer_seg.training import Trainer


@dataclasses.dataclass(frozen=True)
class Run:
    """The run.

    Attributes:
        out: Folder for everything that is written.
        seed: Seed of all randomness.
        device: "cpu" (or -1), or the number of a GPU; the first GPU if there is one.
        workers: Processes that load data; chosen by the number of cores if not given.
        resume: Resume from SNAPSHOT, or from the latest one in --out.
        overwrite: Replace a run in --out.
        log_every: Updates between lines of the log.
        progress: How progress is shown; 'auto' chooses by where the output goes.
        command: The command line that started the run, for the model file.
    """

    out: pathlib.Path = pathlib.Path('out/training')
    seed: int = 0
    device: Annotated[str | None, option('--gpu', metavar='D')] = None
    workers: int | None = None
    resume: Resume = None
    overwrite: bool = False
    log_every: Annotated[int, option(metavar='N')] = 20
    progress: Suppress[str] = 'auto'
    command: Suppress[str | None] = None


def build_trainer(recipe: 'Recipe', parts: 'Parts', run: Run) -> 'Trainer':
    """Assembles the trainer that carries out ``recipe`` with what it built."""
    from chainer_seg import training
    from chainer_seg.model_file import save_model
    parts.model.origin = {'recipe': {'system': recipe.system, **recipe.to_tables()}, 'seed': run.seed,
                          **({'command': run.command} if run.command else {})}
    return training.build_trainer(parts.train_chain, parts.dataset, **{
        **recipe.training.settings(), 'transform': parts.transform, 'evaluator': parts.evaluator,
        'best_metric': parts.best_metric, 'model_to_save': parts.model,
        'save_model': functools.partial(save_model, dtype='float16' if recipe.training.half else None),
        'out': run.out, 'seed': run.seed, 'device': 'cpu' if run.device == '-1' else run.device,
        'workers': run.workers, 'resume': run.resume, 'overwrite': run.overwrite,
        'log_every': run.log_every, 'progress': run.progress, **parts.settings})
