#!/usr/bin/env bash
# Counts the lines of Python code, without blank lines, comments and docstrings, per folder and in all:
#
#     bash scripts/count_lines.sh [FOLDER ...]    default: chainer_seg converters scripts
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/environment.sh
[ $# -gt 0 ] || set -- chainer_seg converters scripts
"$(find_python)" - "$@" <<'PYTHON'
import pathlib
import sys
import tokenize

LAYOUT = {tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING}
IGNORED = {tokenize.COMMENT, tokenize.NL, tokenize.ENDMARKER}


def count(path):
    """The number of lines that hold a token other than layout, a comment, or a string on its own."""
    lines, before = set(), tokenize.ENCODING
    with open(path, 'rb') as file:
        for token in tokenize.tokenize(file.readline):
            if token.type in IGNORED:
                continue
            is_docstring = token.type == tokenize.STRING and before in LAYOUT
            if token.type not in LAYOUT and not is_docstring:
                lines.update(range(token.start[0], token.end[0] + 1))
            before = token.type
    return len(lines)


total = 0
for folder in sys.argv[1:]:
    lines = sum(map(count, pathlib.Path(folder).rglob('*.py')))
    total += lines
    print(f'{lines:7,}  {folder}')
print(f'{total:7,}  in all')
PYTHON
