"""Readers of what runs leave and begin with: snapshots, logs, kept results, recipes."""

import json
import shutil

import numpy as np

from chainer_seg import training
from chainer_seg.datasets.coco_results import CocoResult
from chainer_seg.instances import Instances
from chainer_seg.jobs import Results
from chainer_seg.jobs.evaluation import Labels
from chainer_seg.jobs.proposals import keep_proposals
from chainer_seg.recipes import YolactRecipe
from chainer_seg.recipes.base import PUBLISHED
from chainer_seg.training.log import read_log
from chainer_seg.training.snapshots import find_state
from tests.training.toys import Images, Net, build


def _run(folder):
    training.train(build(folder, iterations=8, snapshot_every=4, evaluate_every=4, workers=0))


def _resume(folder, path):
    find_state(folder / path, folder)
    trainer = build(folder / 'on', Net(), Images(), resume=folder / path, workers=0)
    trainer.updater.get_iterator('main').finalize()


SETTINGS = {'model': 'a', 'thresholds': [0.5, 1], 'nested': {'a': None}, 'count': 3}


def _masks(number):
    mask = np.zeros((1, 20, 30), bool)
    mask[0, 3:9, 2:8] = True
    return Instances(mask, scores=[0.5]).to_coco_results(number)


def _kept_results(folder):
    with Results(folder, SETTINGS, list[CocoResult]) as results:
        list(results.rows(range(20), lambda number: _masks(number) * number, progress=False))


def _read_kept_results(folder, path):
    with Results(_own_copy(folder, path), SETTINGS, list[CocoResult]) as results:
        for number in sorted(results.done):
            Instances.from_coco_results(results.read(number), (20, 30))
        list(results.rows(range(3), _masks, progress=False))


def _own_copy(folder, path):
    """A folder with a copy of the changed file alone, which reading changes in turn."""
    copy = folder / 'copy'
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    shutil.copy(folder / path, copy)
    return copy


def _kept_labels(folder):
    with Results(folder, {}, Labels) as results:
        list(results.rows(range(20), lambda number: Labels.of(np.full((number + 1, 30), number)),
                          progress=False))


def _read_kept_labels(folder, path):
    with Results(_own_copy(folder, path), {}, Labels) as results:
        for number in sorted(results.done):
            results.read(number).array()


def _proposals(folder):
    keep_proposals(_masks, range(4), folder, SETTINGS, progress=False)


def _resume_proposals(folder, path):
    """Proposals that are resumed and written."""
    keep_proposals(_masks, range(6), _own_copy(folder, path), SETTINGS, progress=False)


def _recipes(folder):
    for path in (PUBLISHED / 'yolact').glob('*.toml'):
        shutil.copy(path, folder)


def _read_recipe(folder, path):
    recipe = YolactRecipe.load(folder / path)
    recipe.training.make_schedule()
    if path == 'shapes.toml':  # It is small enough to be built.
        model = recipe.make_model(['a', 'b'])
        recipe.make_samples(model)
        recipe.make_train_chain(model, 4)


def _click_list(folder):
    (folder / 'clicks.json').write_text(
        json.dumps(
            [{'x': 3, 'y': 4.5, 'positive': True}, {'x': 1, 'y': 1, 'positive': False}, {'x': 2, 'y': 2}]
        )
    )


def _read_click_list(folder, path):
    from chainer_seg.cli.predict_click import read_clicks

    read_clicks(folder / path)


def _image_list(folder):
    (folder / 'list.txt').write_text('a.png\nb.jpg\n\nimages/c.png\n')


def _read_image_list(folder, path):
    from chainer_seg.jobs.result_paths import listed_images, result_stems

    list(result_stems(listed_images(folder / path), folder))


READERS = (
    ('snapshot', _run, _resume, {'snapshot_iter_*.npz': 'zip'}),
    ('training log', _run, lambda folder, path: read_log(folder / path), {'log.jsonl': 'json lines'}),
    ('kept results', _kept_results, _read_kept_results, {'*.sqlite': 'sqlite'}),
    ('kept labels', _kept_labels, _read_kept_labels, {'*.sqlite': 'sqlite'}),
    ('kept proposals', _proposals, _resume_proposals, {'*.sqlite': 'sqlite'}),
    ('recipe', _recipes, _read_recipe, {'*.toml': 'toml'}),
    ('clicks as JSON', _click_list, _read_click_list, {'clicks.json': 'json'}),
    ('list of images', _image_list, _read_image_list, {'list.txt': 'text'}),
)
