"""scripts/compute_proposals.py as a user runs it, killed and resumed, and with wrong input."""

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from chainer_seg import engines, load_model
from chainer_seg.datasets import CocoDataset, read_proposals
from tests.scripts.small_sharpmask import write_small_sharpmask
from tests.folders import contents

IMAGES = 9


@pytest.fixture(scope='module')
def inputs(tmp_path_factory):
    """A folder with a small SharpMask and nine synthetic images."""
    folder = tmp_path_factory.mktemp('inputs')
    write_small_sharpmask(folder, IMAGES)
    return folder


@pytest.fixture
def command(repository, inputs):
    """``command(out, ...)``: the arguments of a process; three images to a file."""
    def arguments(out, *more, images=inputs / 'data' / 'images'):
        return [sys.executable, str(repository / 'scripts' / 'compute_proposals.py'),
                *map(str, (inputs / 'model.npz', '--annotations', inputs / 'data' / 'annotations.json',
                           '--images', images, '--np', 40, '--chunk', 3, '--out', out, *more))]
    return arguments


def run(arguments):
    return subprocess.run(arguments, text=True, capture_output=True, timeout=300)


@pytest.fixture(scope='module')
def whole(inputs, repository, tmp_path_factory):
    """The folder that a run without interruption leaves."""
    out = tmp_path_factory.mktemp('whole') / 'out'
    result = run([sys.executable, repository / 'scripts' / 'compute_proposals.py',
                  inputs / 'model.npz', '--annotations', inputs / 'data' / 'annotations.json',
                  '--images', inputs / 'data' / 'images', '--np', '40', '--chunk', '3', '--out', out])
    assert result.returncode == 0, result.stderr
    assert f'proposals of 9 images: {out}' in result.stdout
    assert '9/9' in result.stderr and 'Traceback' not in result.stderr
    return out


@pytest.mark.slow
def test_files_hold_what_the_model_proposes(whole, inputs):
    dataset = CocoDataset(inputs / 'data' / 'annotations.json', inputs / 'data' / 'images')
    model, read = engines.compile(load_model(inputs / 'model.npz')), dict(read_proposals(whole))
    assert list(read) == dataset.ids
    expected = model.propose_rle(dataset.read_image(4), n=40)
    assert [result['segmentation'] for result in read[dataset.ids[4]]] == expected.codes
    scores = [result['score'] for result in read[dataset.ids[4]]]
    np.testing.assert_array_equal(np.array(scores, np.float32), expected.scores)


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['segm', 'bbox'])
def test_pycocotools_reads_the_files(whole, inputs, kind):
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(inputs / 'data' / 'annotations.json'))
        for path in sorted(whole.glob(f'{kind}-*.json')):
            assert len(truth.loadRes(str(path)).getImgIds()) == IMAGES


@pytest.mark.slow
@pytest.mark.skipif(os.name == 'nt', reason='there is no SIGKILL there')
def test_killed_runs_leave_what_one_run_leaves(whole, command, tmp_path):
    out, kills = tmp_path / 'out', 0
    for size in (40_000, 80_000):  # Killed when so much is written: a few of the nine images.
        with subprocess.Popen(command(out, '-q')) as process:
            while process.poll() is None and sum(path.stat().st_size for path in out.glob('*')) < size:
                time.sleep(0.01)
            kills += process.poll() is None
            process.send_signal(signal.SIGKILL)
    assert kills == 2 and not list(out.glob('*.json'))
    result = run(command(out))
    assert result.returncode == 0, result.stderr
    assert re.search('[1-8] of 9 images are already done', result.stdout)
    assert contents(out) == contents(whole)


@pytest.mark.slow
def test_damaged_image_is_named_and_computed_when_it_is_mended(command, inputs, tmp_path):
    images, out = tmp_path / 'images', tmp_path / 'out'
    images.mkdir()
    for path in (inputs / 'data' / 'images').iterdir():
        (images / path.name).write_bytes(path.read_bytes())
    damaged = sorted(images.iterdir())[1]
    good = damaged.read_bytes()
    damaged.write_bytes(good[:100])
    arguments = command(out, '--end-at', 3, '-q', images=images)
    result = run(arguments)
    assert result.returncode == 2 and 'Traceback' not in result.stderr
    told, summary = result.stderr.strip().splitlines()
    assert told.startswith('skipped: ') and damaged.name in told
    assert summary.startswith('error: 1 of 3 images could not be read')
    assert len(list(read_proposals(out))) == 2
    damaged.write_bytes(good)
    assert run(arguments).returncode == 0
    assert len(list(read_proposals(out))) == 3


@pytest.mark.slow
@pytest.mark.skipif(os.name == 'nt', reason='limits of processes are told another way there')
def test_full_disk_is_one_sentence_and_the_rest_comes_later(whole, command, tmp_path):
    out = tmp_path / 'out'
    limit = max(path.stat().st_size for path in whole.iterdir()) // 2 // 1024
    limited = ['bash', '-c', f'ulimit -f {limit}; exec "$@"', 'bash', *command(out, '-q')]
    result = run(limited)
    assert result.returncode == 2, result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert 'could not be written: the disk is full' in result.stderr
    assert run(command(out, '-q')).returncode == 0
    assert contents(out) == contents(whole)


@pytest.mark.slow
def test_small_and_long_images_have_proposals(command, inputs, tmp_path):
    """An image below one patch, one of 1x2000, and more proposals asked for than there are places."""
    sizes = [(5, 7), (1, 2000), (2000, 1)]
    for number, size in enumerate(sizes):
        Image.new('RGB', size[::-1], (200, 30, 40)).save(tmp_path / f'{number}.png')
    (tmp_path / 'a.json').write_text(json.dumps({'annotations': [], 'categories': [], 'images': [
        {'id': number, 'file_name': f'{number}.png', 'height': height, 'width': width}
        for number, (height, width) in enumerate(sizes)]}))
    arguments = command(tmp_path / 'out', '-q', images=tmp_path)
    arguments[arguments.index('--annotations') + 1] = tmp_path / 'a.json'
    arguments[arguments.index('--np') + 1] = '100000'
    result = run(arguments)
    assert result.returncode == 0, result.stderr
    for image_id, results in read_proposals(tmp_path / 'out'):
        assert {tuple(result['segmentation']['size']) for result in results} == {sizes[image_id]}


@pytest.mark.parametrize('name', ['journal-000001.jsonl', 'bbox-000001-000003.json'])
def test_a_folder_of_an_earlier_version_is_refused(command, tmp_path, name):
    (tmp_path / name).write_text('{"model": "another"}')
    result = run(command(tmp_path))
    assert result.returncode == 2 and len(result.stderr.strip().splitlines()) == 1
    assert 'holds proposals without results.sqlite' in result.stderr


@pytest.mark.parametrize('more, sentence', [
    (('--startAt', '10'), 'There is no image from 10 to 9'),
    (('--si', '1'), 'has no level')])
def test_wrong_options_are_told(command, tmp_path, more, sentence):
    result = run(command(tmp_path / 'out', *more))
    assert result.returncode == 2 and sentence in result.stderr and 'Traceback' not in result.stderr
