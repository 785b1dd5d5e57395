#!/usr/bin/env bash
# Runs the test suites of Chainer, ChainerMN, onnx_chainer and ChainerCV on the CPU with chainer_seg imported first.
#
#   bash scripts/upstream_tests.sh CHAINER_CHECKOUT CHAINERCV_CHECKOUT [PYTHON [OUT]]
#
# The checkouts are git clones of chainer/chainer at v7.8.1.post1 and of chainer/chainercv at 5f7bd55e
# (its release 0.13.1 has no tag). PYTHON (default: python) has chainer, chainercv, onnx, onnxruntime,
# pytest, pytest-timeout, mock, packaging and scipy. Each file runs in a pytest of its own. Results as JUnit
# XML, logs and progress.txt are written to OUT (default: out/upstream); files with results are skipped.
# ChainerMN's tests run on two ranks where there is an mpiexec (beside PYTHON, or in PATH) and mpi4py; the
# results are those of rank 0.
#
#   BASELINE=1   plain pytest without chainer_seg, for a Python of Chainer's own time
#   ONLY=REGEX   only the test files whose path matches
#
# Compare two runs: python scripts/upstream_compare.py BASELINE_OUT OUT
set -u
if [ $# -lt 2 ]; then
    sed -n '2,/^set/p' "$0" | sed 's/^# \{0,1\}//; /^set/d'
    exit 2
fi

root=$(cd "$(dirname "$0")/.." && pwd)
chainer=$(cd "$1" && pwd) || exit 2
chainercv=$(cd "$2" && pwd) || exit 2
python=$(command -v "${3:-python}") || { echo "there is no ${3:-python}" >&2; exit 2; }
out=${4:-$root/out/upstream}
mkdir -p "$out" && out=$(cd "$out" && pwd)

# The tests run beside the installed packages: in a checkout Python would import its sources.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/chainer" "$work/chainercv"
cp -r "$chainer/tests" "$chainer/setup.cfg" "$work/chainer/"
cp -r "$chainercv/tests" "$work/chainercv/"

# "Pairwise" is Chainer's own switch for tests of several parameters: every pair of values of two
# parameters is tried instead of every combination of all, chosen with a fixed seed.
export CHAINER_TEST_PAIRWISE_PARAMETERIZATION=always
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MPLBACKEND=Agg PYTHONHASHSEED=0
markers='not gpu and not cudnn and not multi_gpu and not slow and not ideep and not chainerx and not mpi'

if [ "${BASELINE:-0}" = 1 ]; then
    run_pytest() { "$python" -m pytest "$@"; }
else
    # Some tests start Python anew and import Chainer there.
    mkdir "$work/site"
    echo 'import chainer_seg' > "$work/site/sitecustomize.py"
    run_pytest() {
        PYTHONPATH="$work/site:$root" "$python" "$root/scripts/upstream_plugin.py" "$@"
    }
fi

run_ranks() {  # as run_pytest, on two ranks, of which only the first writes results
    export -f run_pytest
    export python root work
    # A rank that waits for another one in MPI ignores pytest's time limit.
    # shellcheck disable=SC2016  # expanded by each rank
    timeout 120 "$mpiexec" -n 2 bash -c '
        [ "${PMI_RANK:-${OMPI_COMM_WORLD_RANK:-0}}" = 0 ] || set -- "$@" --junit-xml=/dev/null
        run_pytest "$@"' run_ranks "$@"
}

run_suite() {  # FOLDER TESTS [RUN]: every test file under FOLDER/TESTS, by run_pytest
    cd "$work/$1" || exit 2
    find "$2" -name 'test_*.py' | sort | grep -E "${ONLY:-.}" | while read -r file; do
        xml=$out/$1.$(echo "${file#tests/}" | tr / .).xml
        [ -s "$xml" ] && continue
        begin=$(date +%s)
        "${3:-run_pytest}" -q -p no:cacheprovider --timeout 300 --junit-xml="$xml" -m "$markers" \
            "$file" < /dev/null > "$xml.log" 2>&1
        echo "$file status=$? $(($(date +%s) - begin))s $(tail -1 "$xml.log")" | tee -a "$out/progress.txt"
    done
}

"$python" -m pip freeze 2> /dev/null > "$out/packages.txt"
run_suite chainer tests/chainer_tests
run_suite chainer tests/onnx_chainer_tests
mpiexec=$(PATH=$(dirname "$python"):$PATH command -v mpiexec) || mpiexec=
if [ -n "$mpiexec" ] && "$python" -c 'import mpi4py' 2> /dev/null; then
    run_suite chainer tests/chainermn_tests run_ranks
fi
run_suite chainercv tests

"$python" - "$out" <<'SUMMARY' | tee "$out/summary.txt"
import collections
import glob
import sys
import xml.etree.ElementTree as tree

counts = collections.Counter()
for path in glob.glob(sys.argv[1] + '/*.xml'):
    for case in tree.parse(path).getroot().iter('testcase'):
        tags = [child.tag for child in case]
        counts['failed' if 'failure' in tags or 'error' in tags
               else 'skipped' if 'skipped' in tags else 'passed'] += 1
print(', '.join('%d %s' % (number, name) for name, number in sorted(counts.items())))
SUMMARY
