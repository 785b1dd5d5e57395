"""The process that reads damaged files: limited in memory, and silent."""

import contextlib
import ctypes
import faulthandler
import logging
import os
import pathlib
import random
import resource
import signal
import time
import traceback
import warnings

import cv2

from chainer_seg.errors import UserError
from tests.fuzz.damage import mutated

MEMORY = 2 << 30  # Bytes that a reader may take.

_LONGEST_BATCH = 2  # Seconds after which a worker asks for something else.


class Shared(ctypes.Structure):
    """What a worker tells at each input: its number, since when, and the counts of the batch."""

    _fields_ = [
        ('number', ctypes.c_longlong),
        ('begun', ctypes.c_double),
        ('processor', ctypes.c_double),
        ('values', ctypes.c_longlong),
        ('errors', ctypes.c_longlong),
        ('slowest', ctypes.c_double),
        ('memory', ctypes.c_longlong),
    ]


def make_input(reader, number, seed=0):
    """The path and the bytes of an input: a good file (number 0 and on, as many as there are), or a
    damaged one."""
    seeds = reader.seeds
    if number < len(seeds):
        return seeds[number][:2]
    rng = random.Random(f'{seed} {reader.name} {number}')
    path, data, kind = rng.choice(seeds)
    others = [other for name, other, _ in seeds if name.rpartition('.')[2] == path.rpartition('.')[2]]
    return path, mutated(data, kind, rng, others)


def work(pipe, shared, readers, seed, folder):
    """The life of a worker."""
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent.
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    faulthandler.disable()
    warnings.simplefilter('ignore')
    logging.disable()
    cv2.setNumThreads(0)  # 1 would end threads that are not in a fork, and wait for them for ever.
    os.chdir(folder)
    _limit_memory()
    prepared = set()
    while True:
        try:
            index, start, count = pipe.recv()
        except EOFError:
            return
        reader, place = readers[index], pathlib.Path(folder, str(index))
        if index not in prepared:
            reader.prepare(place)
            prepared.add(index)
        _forget_peak()
        end = time.monotonic() + _LONGEST_BATCH
        for number in range(start, start + count):
            path, data = make_input(reader, number, seed)
            failure = _try(reader, place, path, data, number, shared)
            if failure:
                pipe.send(('failure', number, *failure))
            if time.monotonic() > end:
                break
        pipe.send(('done', number + 1 - start))


def _try(reader, place, path, data, number, shared):
    """Reads one input: None, or how it failed in a line and in full."""
    reader.change(place, path, data)
    shared.number, shared.processor, shared.begun = number, time.process_time(), time.monotonic()
    failure = None
    try:
        reader.read(place, path)
        shared.values += 1
    except UserError as error:
        str(error)
        shared.errors += 1
    except BaseException as error:
        failure = _describe(error)
    shared.slowest = max(shared.slowest, time.process_time() - shared.processor)
    memory = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if memory > MEMORY and memory > shared.memory and failure is None:
        failure = ('took more than 2 GB', f'{memory >> 20} MB')
    shared.memory = max(shared.memory, memory)
    shared.begun = 0.0
    return failure


def _describe(error):
    frames = traceback.extract_tb(error.__traceback__)
    root = str(pathlib.Path(__file__).parents[2]) + os.sep
    ours = [
        frame
        for frame in frames
        if frame.filename.startswith(root) and f'tests{os.sep}' not in frame.filename
    ]
    frame = (ours or frames)[-1]
    key = f'{type(error).__name__} in {frame.filename.removeprefix(root)}:{frame.lineno}'
    lines = ''.join(traceback.format_exception(error)).splitlines()
    return key, '\n'.join(line[:300] for line in lines[-60:])


def _limit_memory():
    pages = int(pathlib.Path('/proc/self/statm').read_text().split()[0])
    most = pages * os.sysconf('SC_PAGE_SIZE') + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _forget_peak():
    """Lets the largest memory of the process count from now on."""
    with contextlib.suppress(OSError):
        pathlib.Path('/proc/self/clear_refs').write_text('5')
