"""scripts/make_shapes.py and scripts/check_dataset.py as a user runs them."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
from PIL import Image

from chainer_seg.datasets import CocoDataset, FiguresDataset, MovingShapes, ShapesDataset
from chainer_seg.video import VideoReader

from .coco_files import annotation, content, write

ROOT = pathlib.Path(__file__).parents[2]


def start(name, *arguments):
    environment = {**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'}
    return subprocess.Popen(
        [sys.executable, str(ROOT / 'scripts' / name), *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def run(name, *arguments):
    """(exit status, standard output, standard error)."""
    process = start(name, *arguments)
    output, errors = process.communicate(timeout=120)
    return process.returncode, output, errors


def test_make_shapes_writes_what_the_data_set_draws(tmp_path):
    status, output, _ = run('make_shapes.py', tmp_path / 'out', '--n', 3, '--seed', 5,
                            '--size', '48x64', '--png')
    assert status == 0 and str(tmp_path / 'out' / 'annotations.json') in output
    read = CocoDataset(tmp_path / 'out' / 'annotations.json', tmp_path / 'out' / 'images')
    drawn = ShapesDataset(3, seed=5, size=(48, 64))
    assert len(read) == 3
    for index in range(3):
        assert np.array_equal(read[index][0], drawn[index][0])


def test_make_shapes_draws_people_with_keypoints(tmp_path):
    status, _, errors = run('make_shapes.py', tmp_path / 'out', '--n', 2, '--size', '48x64', '--png',
                            '--kind', 'figures', '--objects', 2, 3, '--crowds', 0)
    assert status == 0, errors
    read = CocoDataset(tmp_path / 'out' / 'annotations.json', tmp_path / 'out' / 'images')
    drawn = FiguresDataset(2, size=(48, 64), people=(2, 3), crowd_probability=0)
    assert np.array_equal(read[1][1].keypoints, drawn[1][1].keypoints)


def test_make_shapes_draws_a_video(tmp_path):
    status, output, errors = run('make_shapes.py', tmp_path / 'out.avi', '--n', 7, '--size', '48x64',
                                 '--kind', 'video', '--objects', 1, 2, '--classes', 'star')
    assert status == 0 and 'wrote 7 frames' in output, errors
    with VideoReader(tmp_path / 'out.avi') as frames:
        first, *rest = list(frames)
    drawn = MovingShapes(7, size=(48, 64), objects=2, classes=('star',))
    assert len(rest) == 6 and np.abs(first.astype(int) - drawn[0][0]).mean() < 12


def test_make_shapes_knows_no_classes_of_people(tmp_path):
    status, _, errors = run('make_shapes.py', tmp_path, '--kind', 'figures', '--classes', 'star')
    assert status == 2 and errors.startswith('error: --classes applies only with --kind shapes, plain-')


def test_make_shapes_rejects_a_folder_that_is_not_empty(tmp_path):
    (tmp_path / 'mine').write_text('mine')
    status, _, errors = run('make_shapes.py', tmp_path, '--n', 1)
    assert status == 2
    assert errors.startswith('error: The folder') and 'Traceback' not in errors


def test_make_shapes_interrupted_leaves_whole_images_only(tmp_path):
    process = start('make_shapes.py', tmp_path, '--n', 100000, '--size', '32x32')
    deadline = time.monotonic() + 60
    while (process.poll() is None and time.monotonic() < deadline
           and len(list(tmp_path.glob('images/[0-9]*'))) < 3):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert 'Traceback' not in errors
    files = [path for path in tmp_path.rglob('*') if path.is_file()]
    assert len(files) >= 3 and all(path.stem.isdigit() for path in files)
    for path in files:
        Image.open(path).load()


def test_check_dataset_passes_a_clean_set(tmp_path):
    path, images = write(tmp_path, content(annotation()))
    status, output, _ = run('check_dataset.py', '--annotations', path, '--images', images)
    assert status == 0
    assert 'no problems' in output and 'images: 1' in output


def test_check_dataset_groups_problems_and_ends_with_2(tmp_path):
    faults = [annotation(id=number, image_id=99) for number in range(12)]
    path, images = write(tmp_path, content(*faults))
    status, output, errors = run('check_dataset.py', '--annotations', path, '--images', images)
    assert status == 2 and 'Traceback' not in errors
    assert 'dangling image id (12)' in output and 'and 2 more' in output


def test_check_dataset_prints_json(tmp_path):
    path, images = write(tmp_path, content(annotation(category_id=5)))
    status, output, _ = run('check_dataset.py', '--annotations', path, '--images', images, '--json')
    report = json.loads(output)
    assert status == 2 and report['statistics']['objects'] == 1
    assert report['problems'][0]['kind'] == 'dangling category id'


def test_check_dataset_says_that_a_file_is_missing(tmp_path):
    status, _, errors = run('check_dataset.py', '--annotations', tmp_path / 'nothing.json')
    assert status == 2 and errors.count('\n') == 1 and 'nothing.json' in errors
