"""Runs every reader on damaged files, for as long as wanted, and tells what came of it.

    python -m tests.fuzz --inputs 1000000 --jobs 2        the long run
    python -m tests.fuzz --seconds 60 packed kept         some readers for a minute
    python -m tests.fuzz --replay out/fuzz/NAME.npz       an input that failed, with its traceback
"""

import argparse
import json
import pathlib
import sys
import tempfile

from tests.fuzz import data_sets, images, run_files, weights
from tests.fuzz.pool import SECONDS, run
from tests.fuzz.readers import made

ALL = (*data_sets.READERS, *images.READERS, *run_files.READERS, *weights.READERS)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument(
        'readers', nargs='*', metavar='READER', help='only readers whose names contain one of these'
    )
    parser.add_argument('--inputs', type=int, help='number of inputs in all')
    parser.add_argument('--seconds', type=float, help='length of the run (default 60 without --inputs)')
    parser.add_argument('--jobs', type=int, default=1, help='number of processes')
    parser.add_argument(
        '--seed', type=int, default=0, help='of all damage; a run is repeated by its seed'
    )
    parser.add_argument('--out', default='out/fuzz', help='folder of the inputs that fail')
    parser.add_argument('--replay', metavar='FILE', help='reads an input that failed again')
    options = parser.parse_args()
    if options.replay:
        replay(pathlib.Path(options.replay))
        return
    seconds = options.seconds or (None if options.inputs else 60)
    chosen = [entry for entry in ALL if not options.readers
              or any(part in entry[0] for part in options.readers)]
    with made(chosen) as readers:
        figures = run(
            readers,
            seconds=seconds,
            inputs=options.inputs,
            jobs=options.jobs,
            seed=options.seed,
            folder=options.out,
            tell=lambda found: print(report(found), flush=True),
        )
    print(report(figures))
    if any(each.others for each in figures.values()):
        print(f'\nThe inputs that failed are in {options.out}; read one again with --replay FILE.')
        sys.exit(1)


def replay(file):
    """Reads an input of the folder of failures in this process; the .about beside it says by what."""
    about = json.loads(file.with_suffix('.about').read_text(encoding='utf-8').split('\n')[0])
    with (made(entry for entry in ALL if entry[0] == about['reader']) as [reader],
          tempfile.TemporaryDirectory() as folder):
        place = pathlib.Path(folder, 'good')
        reader.prepare(place)
        reader.change(place, about['file'], file.read_bytes())
        print(reader.read(place, about['file']))


def report(figures):
    """The figures as a table of text, and under it each failure with the numbers of its inputs."""
    heads = ('reader', 'inputs', 'values', 'errors', 'other', 'slowest', 'memory')
    rows = [
        (
            name,
            f'{each.inputs:,}',
            f'{each.values:,}',
            f'{each.errors:,}',
            f'{each.others:,}',
            f'{each.slowest:.2f} s',
            f'{each.memory >> 20} MB',
        )
        for name, each in figures.items()
    ]
    every = figures.values()
    rows.append(
        (
            'all',
            f'{sum(each.inputs for each in every):,}',
            f'{sum(each.values for each in every):,}',
            f'{sum(each.errors for each in every):,}',
            f'{sum(each.others for each in every):,}',
            f'{max((each.slowest for each in every), default=0):.2f} s',
            f'{max((each.memory for each in every), default=0) >> 20} MB',
        )
    )
    widths = [max(map(len, column)) for column in zip(heads, *rows)]
    lines = [
        '| ' + ' | '.join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) + ' |'
        for row in (heads, ['-' * width for width in widths], *rows)
    ]
    for name, each in figures.items():
        lines += [
            f'{name}: {count} x {key} (inputs {", ".join(map(str, each.examples[key]))})'
            for key, count in each.failures.most_common()
        ]
    lines.append(
        f'value: read; error: one sentence; other: another exception, a dead process, more than '
        f'{SECONDS} s or more than 2 GB'
    )
    return '\n'.join(lines)


if __name__ == '__main__':
    main()
