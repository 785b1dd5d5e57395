"""Compares two runs of scripts/upstream_tests.sh: what passed in the first but not in the second.

    python scripts/upstream_compare.py BASELINE_OUT OUT [RERUN_OUT...]

A test that passed in a later run of the same stack (RERUN_OUT) counts as passed: some upstream
tests draw random inputs and fail now and then on any stack.
"""

import argparse
import collections
import pathlib
import re
from xml.etree import ElementTree


def read_results(folder: str) -> dict[tuple[str, str], tuple[str, str]]:
    """(file, test) -> ('passed' | 'failed' | 'skipped', message) of every JUnit XML in `folder`."""
    results = {}
    for path in sorted(pathlib.Path(folder).glob('*.xml')):
        seen = collections.Counter[str]()
        for case in ElementTree.parse(path).getroot().iter('testcase'):
            name = _comparable(f'{case.get("classname")}.{case.get("name")}')
            seen[name] += 1
            results[path.stem, f'{name} #{seen[name]}'] = _outcome(case)
    return results


def _comparable(name: str) -> str:
    """A test's name without what differs between two runs or two versions of pytest.

    The values of the parameters, in braces, may be random arrays; their number stays.
    """
    return re.sub(r'[^A-Za-z0-9]+', ' ', re.sub(r'\{.*\}', '', name, flags=re.DOTALL)).strip()


def _outcome(case: ElementTree.Element) -> tuple[str, str]:
    for child in case:
        if child.tag in ('failure', 'error'):
            return 'failed', _cause(child)
        if child.tag == 'skipped':
            return 'skipped', child.get('message') or ''
    return 'passed', ''


def _cause(failure: ElementTree.Element) -> str:
    """The last line of a traceback that names an exception."""
    errors = re.findall(r'^E +(\w[\w.]*(?:Error|Warning|Exception).*)$', failure.text or '', re.M)
    lines = errors or (failure.get('message') or '').splitlines()
    return lines[-1][:120] if lines else ''


def main() -> None:
    """Print the counts and, grouped by file and cause, every test that passes no longer."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('baseline')
    parser.add_argument('runs', nargs='+')
    arguments = parser.parse_args()

    baseline = read_results(arguments.baseline)
    now: dict[tuple[str, str], tuple[str, str]] = {}
    for folder in arguments.runs:
        for key, found in read_results(folder).items():
            if now.get(key, ('',))[0] != 'passed':
                now[key] = found
    for name, results in (('baseline', baseline), ('now', now)):
        print(name, dict(collections.Counter(outcome for outcome, _ in results.values())))

    wanted = [key for key, (outcome, _) in baseline.items() if outcome == 'passed']
    lost: dict[tuple[str, str, str], list[str]] = collections.defaultdict(list)
    for key in wanted:
        outcome, cause = now.get(key, ('missing', ''))
        if outcome != 'passed':
            lost[key[0], outcome, cause].append(key[1])
    n_lost = sum(map(len, lost.values()))
    share = 100 * (1 - n_lost / max(1, len(wanted)))
    print(f'of {len(wanted)} tests that pass in the baseline, '
          f'{len(wanted) - n_lost} pass now: {share:.2f} %')
    for (file, outcome, cause), tests in sorted(lost.items()):
        print(f'{len(tests)} {outcome}  {file}  {cause}\n    {tests[0]}')


if __name__ == '__main__':
    main()
