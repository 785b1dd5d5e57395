#!/usr/bin/env bash
# Locks the exact version of every dependency, for Python 3.11 and later:
#
#     requirements.lock           for the option -c of pip, uv and conda
#     requirements-hashed.lock    the same with the checksums of the files and the extras that need each,
#                                 for scripts/environment.sh; it also has CUDA's libraries
#
#     bash scripts/lock.sh [--upgrade]    without --upgrade, locked versions stay
#
# Needs uv (it is in the dev extra). Chainer and ChainerCV are omitted: packaging/ pins them by checksum.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/environment.sh
python=$(find_python)
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
extras="notebook refine tensorboard onnx demo docs mpi dev cuda12 cuda13"
upgrade=${1:-}

compile() {
    uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --no-header \
        --no-emit-index-url --no-annotate ${upgrade:+"$upgrade"} "$@"
}

all=()
for extra in $extras; do
    all+=(--extra "$extra")
done
# uv prefers the versions in an existing output file.
[ -n "$upgrade" ] || cp requirements.lock "$temporary/plain"
# CUDA's libraries of versions 12 and 13 cannot both be in one set.
echo "cuda-toolkit ; sys_platform == 'none'" >"$temporary/overrides"
compile "${all[@]}" --override "$temporary/overrides" --output-file "$temporary/plain" >/dev/null
{
    echo "# Exact versions for Python 3.11 and later; made by scripts/lock.sh."
    grep --invert-match --extended-regexp '^(-e |chainer|chainercv|cuda-toolkit|#)' "$temporary/plain"
} >requirements.lock

for extra in base $extras; do
    options=(--generate-hashes --constraint requirements.lock --output-file "$temporary/hashed-$extra")
    [ "$extra" = base ] || options+=(--extra "$extra")
    [ -n "$upgrade" ] || locked_for "$extra" >"$temporary/hashed-$extra" 2>/dev/null || true
    compile "${options[@]}" >/dev/null
done

"$python" - "$temporary" base $extras >"$temporary/hashed" <<'PYTHON'
"""Merges the files of the extras: each entry once, after a comment with the extras that need it."""
import pathlib
import re
import sys

folder, *extras = sys.argv[1:]
hashes, markers, needed = {}, {}, {}
for extra in extras:
    text = pathlib.Path(folder, f'hashed-{extra}').read_text()
    for entry in re.findall(r'^[\w.-]+==.*(?:\n .*)*', text, re.MULTILINE):
        first, _, rest = entry.partition(' \\\n')
        version, _, marker = first.partition(' ; ')
        hashes[version] = rest
        markers.setdefault(version, {})[marker] = True
        needed.setdefault(version, []).append(extra)
print('#: Exact versions for Python 3.11 and later with the checksums of their files, and which extras need\n'
      '#: each of them; made by scripts/lock.sh for scripts/environment.sh.')
for version in sorted(needed):
    print('#', 'base' if 'base' in needed[version] else ' '.join(needed[version]))
    alternatives = list(markers[version])
    marker = '' if '' in alternatives else (
        alternatives[0] if len(alternatives) == 1 else ' or '.join(f'({each})' for each in alternatives))
    print(version, *([';', marker] if marker else []), '\\\n' + hashes[version])
PYTHON
mv "$temporary/hashed" requirements-hashed.lock
