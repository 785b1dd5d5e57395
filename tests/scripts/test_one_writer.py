"""Every command that fills a folder refuses one that another run is writing to, and changes nothing."""

import pytest

from chainer_seg.datasets import ShapesDataset, write_coco
from chainer_seg.jobs import Results
from chainer_seg.locks import sole_writer
from tests.folders import kept

TRAINING = ('train', 'click', '--out', '{out}', '--iterations', '1', '--size', '48', '--crop', '32',
            '--blocks', '1', '1', '1', '1', '--width', '4', '--val-n', '2', '--batch-size', '2',
            '--workers', '0')
DATA = ('--annotations', '{data}/annotations.json', '--images', '{data}/images')
SPLITS = tuple(word for split in ('train', 'val') for word in (
    f'--{split}_annotations_file', '{data}/annotations.json', f'--{split}_image_dir', '{data}/images'))
COMMANDS = {
    'training': TRAINING,
    'training anew': (*TRAINING, '--overwrite'),
    'prediction of objects': ('predict', 'yolact', '{data}/images', '--out', '{out}'),
    'prediction into a folder of its own': ('predict', 'yolact', '--images', '{data}/images:{out}'),
    'prediction of proposals': ('predict', 'deepmask', '{data}/images', '--out', '{out}'),
    'prediction by clicks': ('predict', 'click', '{data}/images', '--pos', '9,9', '--out', '{out}'),
    'prediction of classes': ('predict', 'deeplab', '{data}/images', '--out', '{out}'),
    'labels': ('predict', 'deeplab', '{data}/images', '--out', '{data}/more', '--save-labels', '{out}'),
    'packing': ('prepare_dataset', *SPLITS, '--output_dir', '{out}'),
    'drawing': ('make_shapes', '{out}', '--n', '1', '--size', '48', '--overwrite')}

OBJECTS = ('evaluate', 'yolact', *DATA, '--match', 'name', '--results', '{out}')
PROPOSALS = ('compute_proposals', 'deepmask', *DATA, '--np', '2', '--out', '{out}')
# Commands that keep their results in a file, and its name.
KEEPING = {
    'evaluation of objects': (OBJECTS, 'results.sqlite'),
    'evaluation of objects anew': ((*OBJECTS, '--overwrite'), 'results.sqlite'),
    'evaluation of classes': (('evaluate', 'deeplab', *DATA, '--match', 'name', '--save-labels', '{out}'),
                              'results.sqlite'),
    'evaluation of clicks': (('evaluate', 'click', *DATA, '--cap', '3', '--clicks', '1', '--results',
                              '{out}'), 'none/results.sqlite'),
    'proposals': (PROPOSALS, 'results.sqlite'),
    'proposals anew': ((*PROPOSALS, '--overwrite'), 'results.sqlite'),
    'click sampling': (('sample_clicks', '{out}', *DATA), 'train.sqlite')}


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp('data')
    write_coco(ShapesDataset(2, size=(64, 64), diameters=(0.5, 0.9), crowd_probability=0), folder)
    return folder


def run(call_here, arguments, out, data):
    script, *options = [word.format(out=out, data=data) for word in arguments]
    return call_here(f'{script}.py', *options, '-q')


@pytest.mark.parametrize('name', COMMANDS)
def test_a_folder_in_use_is_refused(call_here, data, tmp_path, name):
    out = tmp_path / 'out'
    with sole_writer(out):
        status, _, errors = run(call_here, COMMANDS[name], out, data)
        assert status == 2 and errors.count('\n') == 1, errors
        assert errors.startswith('error: Another run (process') and f'is writing to {out}' in errors
        assert [path.name for path in out.iterdir()] == ['.lock']


@pytest.mark.parametrize('name', KEEPING)
def test_kept_results_in_use_are_refused(call_here, data, tmp_path, name):
    command, file = KEEPING[name]
    path = tmp_path / 'out' / file
    with Results(path.parent, {'model': 'another'}, int, database=path.name) as results:
        assert list(results.rows([0], lambda number: 5, progress=False)) == [(0, 5)]
        status, _, errors = run(call_here, command, tmp_path / 'out', data)
        assert status == 2 and errors.count('\n') == 1, errors
        assert errors.startswith('error: Another run') and f'is writing to {path.parent}' in errors
    assert kept(path) == ({'model': 'another'}, {0: 5})
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_single_files_may_go_to_a_folder_in_use(call_here, data, tmp_path):
    with sole_writer(tmp_path):
        assert run(call_here, ('predict', 'yolact', '--image', '{data}/images/000000.jpg:{out}/a.png'),
                   tmp_path, data)[0] == 0
    assert (tmp_path / 'a.png').exists() and (tmp_path / 'a.json').exists()
