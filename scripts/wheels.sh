#!/usr/bin/env bash
# Builds the wheels of chainer_seg and of Chainer and ChainerCV, as packaged here, for another machine.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: bash scripts/wheels.sh [--out DIR] [--with-dependencies EXTRAS]

Builds the wheels of chainer_seg, Chainer and ChainerCV into DIR (default: dist).

  --out DIR                    folder for the wheels
  --with-dependencies EXTRAS   also download the locked dependencies of these extras, such as
                               notebook,tensorboard, with their checksums verified; "base" for none.
                               They are those of this Python version and this kind of machine.
  --help                       show this

On the other machine, without a network if the dependencies are in DIR:

  pip install --no-index --find-links DIR 'chainer-seg[EXTRAS]'

PYTHON names the Python to use.
TEXT
}

out=dist extras=
while [ $# -gt 0 ]; do
    case $1 in
        --out | --with-dependencies)
            [ $# -ge 2 ] || { echo "error: $1 needs a value" >&2; exit 2; }
            if [ "$1" = --out ]; then out=$2; else extras=$2; fi
            shift 2 ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; echo "error: unknown option $1" >&2; exit 2 ;;
    esac
done

mkdir -p "$out"
out=$(realpath "$out")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/environment.sh
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
ENVIRONMENT=$temporary/venv
make_venv "$(find_python)"
pip() {
    "$ENVIRONMENT/bin/python" -m pip "$@" --quiet --disable-pip-version-check
}

for extra in ${extras//,/ }; do
    [ "$extra" = base ] || grep -q "^$extra = \[" pyproject.toml || fail "There is no extra $extra."
done
# Wheels of an earlier build would be a second candidate of each name.
rm -f "$out"/chainer_seg-*.whl "$out"/chainer-*.whl "$out"/chainercv-*.whl
pip wheel --no-deps --wheel-dir "$out" ./packaging/chainer ./packaging/chainercv .
"$ENVIRONMENT/bin/python" packaging/portable_wheel.py "$out"
if [ -n "$extras" ]; then
    locked_for "$extras" >"$temporary/requirements.txt"
    pip download --no-deps --only-binary :all: --require-hashes --requirement "$temporary/requirements.txt" \
        --dest "$out"
fi
echo "Wrote $(find "$out" -name '*.whl' | wc -l) wheels to $out. To install them there:"
echo "  pip install --no-index --find-links $out chainer-seg"
