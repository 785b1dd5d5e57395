"""Readers of what runs leave and begin with: snapshots, logs, journals, settings, recipes."""

import contextlib
import json
import shutil

import numpy as np

from chainer_seg import training
from chainer_seg.datasets.proposal_folder import ProposalFolder
from chainer_seg.evaluation.result_folder import ResultFolder
from chainer_seg.instances import Instances
from chainer_seg.journal import Journal, keep_settings
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


def _journal(folder):
    mask = np.zeros((1, 20, 30), bool)
    mask[0, 3:9, 2:8] = True
    results = Instances(mask, scores=[0.5]).to_coco_results(7)
    with contextlib.closing(Journal(folder / 'journal.jsonl')) as journal:
        for number in range(3):
            journal.add(number, results * number)
    with ResultFolder(folder / 'results', {'a': 1}) as results_folder:
        results_folder.add(0, results)


def _read_journal(folder, path):
    copy = folder / 'copy.jsonl'
    shutil.copy(folder / 'journal.jsonl', copy)
    with contextlib.closing(Journal(copy)) as journal:
        Instances.from_coco_results(list(journal.results(journal.numbers)), (20, 30))
    before = (folder / 'results' / 'journal.jsonl').read_bytes()
    try:
        with ResultFolder(folder / 'results', {'a': 1}) as results:
            results.results(0) if 0 in results else None
            results.write(('bbox', 'segm'), [0] if 0 in results else [])
    finally:
        (folder / 'results' / 'journal.jsonl').write_bytes(before)


def _settings(folder):
    (folder / 'settings.json').write_text(
        json.dumps({'model': 'a', 'thresholds': [0.5, 1], 'nested': {'a': None}, 'count': 3})
    )


def _read_settings(folder, path):
    keep_settings(
        folder / 'settings.json',
        {'model': 'a', 'thresholds': [0.5, 1], 'nested': {'a': None}, 'count': 3},
        'results',
    )


def _proposal_journal(folder):
    mask = np.ones((1, 4, 4), bool)
    with contextlib.closing(Journal(folder / 'journal-000001.jsonl')) as journal:
        for number in range(2):
            journal.add(number, Instances(mask).to_coco_results(number))


def _fill_proposals(folder, path):
    """A folder of proposals that goes on from a journal."""
    place = folder / 'proposals'
    shutil.rmtree(place, ignore_errors=True)
    proposals = ProposalFolder(place, {}, chunk=5)
    place.mkdir(exist_ok=True)
    shutil.copy(folder / 'journal-000001.jsonl', place)
    mask = np.ones((1, 4, 4), bool)
    proposals.fill(lambda number: Instances(mask).to_coco_results(number), range(3))
    proposals.missing(range(3))


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
    from chainer_seg.cli.result_paths import listed_images, result_stems

    list(result_stems(listed_images(folder / path), folder))


READERS = (
    ('snapshot', _run, _resume, {'snapshot_iter_*.npz': 'zip'}),
    ('training log', _run, lambda folder, path: read_log(folder / path), {'log.jsonl': 'json lines'}),
    ('journal', _journal, _read_journal, {'**/*.jsonl': 'json lines'}),
    ('proposal journal', _proposal_journal, _fill_proposals, {'*.jsonl': 'json lines'}),
    ('settings', _settings, _read_settings, {'settings.json': 'json'}),
    ('recipe', _recipes, _read_recipe, {'*.toml': 'toml'}),
    ('clicks as JSON', _click_list, _read_click_list, {'clicks.json': 'json'}),
    ('list of images', _image_list, _read_image_list, {'list.txt': 'text'}),
)
