"""Kills commands at random moments, and compares what the next runs make of it with uninterrupted ones.

By hand, for as many kills as wanted, with a line for each command at the end:

    python -m tests.kills --kills 80
"""

import argparse
import collections
import dataclasses
import importlib
import json
import os
import pathlib
import random
import resource
import runpy
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
import zipfile

import chainer_seg  # noqa: F401  before Chainer
import cv2
import numpy as np
from chainer_seg.datasets import ShapesDataset, write_coco

from tests.folders import kept

ROOT = pathlib.Path(__file__).resolve().parent.parent

_SLOW = ('matplotlib.pyplot', 'tensorboardX')  # modules that commands import late
_NET = ('width=2', 'blocks=[1,1,1,1]', 'fpn_channels=4', 'prototypes=3', 'image_size=64',
        'anchor_scales=[[8],[16],[24],[40],[60]]', 'save_interval=3', 'warm_up=2')
_TRAINING = ('train', 'yolact', '--name', 'shapes', '--set', *_NET, '--size', '64', '--val-n', '2',
             '--batch-size', '2', '--iterations', '9', '--print-interval', '1', '--device', 'cpu')
# What a signal saves between two intervals stays beside the rest.
_BY_THE_WAY = ('tensorboard/*', 'snapshot_iter_*[124578].npz')
_DATA = ('--annotations', 'data/annotations.json', '--images', 'data/images')
_SPLITS = ('--train_annotations_file', 'data/annotations.json', '--train_image_dir', 'data/images',
           '--val_annotations_file', 'data/annotations.json', '--val_image_dir', 'data/images')


@dataclasses.dataclass(frozen=True)
class Command:
    """A command whose results go to the folder ``{out}``.

    Attributes:
        arguments: The name of the script and its options.
        again: Options of the run after a kill.
        ignored: Patterns of files that tell of the runs themselves.
    """

    arguments: tuple
    again: tuple = ()
    ignored: tuple = ()


COMMANDS = {
    'training': Command((*_TRAINING, '--workers', '0', '--out', '{out}'), ('--resume',),
                        _BY_THE_WAY),
    'training with workers': Command((*_TRAINING, '--workers', '2', '--out', '{out}'), ('--resume',),
                                     _BY_THE_WAY),
    'proposals': Command(('compute_proposals', 'deepmask', *_DATA, '--np', '30', '--chunk', '3', '--out',
                          '{out}')),
    'evaluation, coco': Command(('evaluate', 'yolact', *_DATA, '--match', 'name', '--results', '{out}',
                                 '--out', '{out}/figures.json')),
    'evaluation, clicks': Command(('evaluate', 'click', *_DATA, '--cap', '4', '--clicks', '1', '3',
                                   '--results', '{out}', '--out', '{out}/figures.json')),
    'evaluation, deeplab': Command(('evaluate', 'deeplab', *_DATA, '--match', 'name', '--save-labels',
                                    '{out}', '--out', '{out}/figures.json')),
    'prediction': Command(('predict', 'yolact', 'data/images', '--out', '{out}')),
    'packing': Command(('prepare_dataset', *_SPLITS, '--output_dir', '{out}')),
    'drawing': Command(('make_shapes', '{out}', '--n', '12', '--size', '64'), ('--overwrite',)),
    'click sampling': Command(('sample_clicks', '{out}', *_DATA)),
}


class Lab:
    """A folder with data, in which commands run as forks of this process, so without their start.

    Args:
        folder: An empty folder.
    """

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        commands = [f'chainer_seg.cli.{path.stem}' for path in ROOT.glob('chainer_seg/cli/*.py')]
        for module in (*_SLOW, *commands):
            importlib.import_module(module)
        write_coco(ShapesDataset(4, seed=3, size=(96, 96), diameters=(0.3, 0.9), crowd_probability=0),
                   self.folder / 'data')
        self._wholes = {}

    def whole(self, name):
        """The content of the folder of an uninterrupted run, and how many seconds it took."""
        if name not in self._wholes:
            out = self.folder / f'{name} whole'
            started = time.monotonic()
            assert self.run(name, out) == 0, self.log
            self._wholes[name] = content_of(out, COMMANDS[name]), time.monotonic() - started
        return self._wholes[name]

    def run(self, name, out, *more, after=None, number=signal.SIGKILL, largest_file=None):
        """Runs a command; gives its exit status, or minus the signal that ended it.

        Args:
            after: Send it the signal ``number`` after so many seconds; None for no signal.
            largest_file: How many bytes a file may have before writing fails as on a full disk.
        """
        arguments = [word.format(out=out) for word in (*COMMANDS[name].arguments, *more)]
        process = os.fork()
        if not process:
            script = str(ROOT / 'scripts' / f'{arguments[0]}.py')
            self._become([script, *arguments[1:], '-q'], largest_file)
        end = os.pidfd_open(process)
        if after is not None and not select.select([end], [], [], after)[0]:
            os.kill(process, number)
        ended = select.select([end], [], [], 120)[0]
        if not ended:
            os.kill(process, signal.SIGKILL)
        os.close(end)
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        assert ended, f'{name} hung: {self.log}'
        wait_for_group(process)
        return status

    @property
    def log(self):
        """What the last command printed."""
        return (self.folder / 'log.txt').read_text()

    def kill(self, name, rng, number=signal.SIGKILL):
        """Sends a signal at a random moment, and runs the command again.

        Returns:
            (was_hit, leftovers): Whether the command was still running, and how many temporary files
            it left to the next run.
        """
        expected, seconds = self.whole(name)
        out = self.folder / 'out'
        shutil.rmtree(out, ignore_errors=True)
        status = self.run(name, out, after=rng.uniform(0.03, 1) * seconds, number=number)
        was_hit = status != 0
        if was_hit and (number == signal.SIGKILL or not out.exists()):
            assert status in (-number, 143), self.log
        elif was_hit:
            assert status == 143, self.log
        left = temporary_files(out)
        if number == signal.SIGTERM:
            assert not left, left
        if was_hit:
            assert self.run(name, out, *COMMANDS[name].again) == 0, self.log
        assert not temporary_files(out), temporary_files(out)
        found = content_of(out, COMMANDS[name])
        assert found.keys() == expected.keys(), sorted(found.keys() ^ expected.keys())
        wrong = [path for path in found if found[path] != expected[path]]
        assert not wrong, f'{wrong} differ'
        return was_hit, len(left)

    def _become(self, arguments, largest_file):
        """Turns a forked process into a script; never returns."""
        status = 70
        try:
            os.setpgid(0, 0)
            cv2.setNumThreads(0)  # OpenCV's threads are not in a forked process.
            os.chdir(self.folder)
            log = os.open('log.txt', os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(log, 1)
            os.dup2(log, 2)
            sys.stdout, sys.stderr = (open(number, 'w', closefd=False) for number in (1, 2))  # noqa: SIM115
            for each in (signal.SIGINT, signal.SIGTERM):
                signal.signal(each, signal.SIG_DFL)
            if largest_file is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, resource.RLIM_INFINITY))
            sys.argv = arguments
            runpy.run_path(arguments[0], run_name='__main__')
            status = 0
        except SystemExit as end:
            status = end.code or 0
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def wait_for_group(process, seconds=20):
    """Waits for the worker processes of an ended command."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            os.killpg(process, 0)
        except ProcessLookupError:
            return
        time.sleep(0.01)
    raise AssertionError('worker processes outlived their command')


def temporary_files(folder):
    """Names of what a finished run must not leave."""
    return [path.name for path in folder.rglob('.*')]


def content_of(folder, command):
    """What a folder holds, by the names of the files, without times and without the command line."""
    ignored = {path for pattern in command.ignored for path in folder.glob(pattern)}
    return {str(path.relative_to(folder)): _content_of_file(path)
            for path in folder.rglob('*') if path.is_file() and path not in ignored
            and not path.name.startswith('.')}


def _content_of_file(path):
    if path.suffix == '.npz':
        with np.load(path) as file:
            return {name: file[name].tobytes() for name in file.files
                    # Texts hold times and command lines.
                    if file[name].dtype != np.uint8 and not name.endswith('elapsed_time')}
    if path.suffix == '.sqlite':
        return _without_times(kept(path))
    if path.suffix == '.packed':
        with zipfile.ZipFile(path) as file:
            return {name: file.read(name) for name in file.namelist()}
    if path.name.endswith('figures.json') or path.suffix == '.jsonl':
        return [_without_times(json.loads(line)) for line in _lines(path)]
    if path.name == 'figures.png':
        return None  # draws times, too
    return path.read_bytes()


def _lines(path):
    return path.read_text().splitlines() if path.suffix == '.jsonl' else [path.read_text()]


def _without_times(value):
    if isinstance(value, dict):
        return {name: _without_times(each) for name, each in value.items()
                if 'second' not in str(name) and name not in ('elapsed_time', 'date')}
    return [_without_times(each) for each in value] if isinstance(value, (list, tuple)) else value


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--kills', type=int, default=80, help='how many signals reach a command')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--sigterm', action='store_true', help='send SIGTERM, not SIGKILL')
    options = parser.parse_args()
    rng, hits = random.Random(options.seed), collections.Counter()
    tried, left, started = collections.Counter(), collections.Counter(), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(folder)
        while hits.total() < options.kills:
            for name in COMMANDS:
                hit, leftovers = lab.kill(
                    name, rng, signal.SIGTERM if options.sigterm else signal.SIGKILL)
                tried[name] += 1
                hits[name] += hit
                left[name] += leftovers > 0
    for name in COMMANDS:
        print(f'{name:22} {hits[name]:3} of {tried[name]} runs were hit, {left[name]} left temporary '
              f'files to the next run')
    print(f'{hits.total()} signals in {time.monotonic() - started:.0f} s; every next run ended as an '
          f'uninterrupted one, without temporary files')


if __name__ == '__main__':
    main()
