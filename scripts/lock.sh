#!/usr/bin/env bash
# Writes requirements.lock anew: the exact version of every dependency for Python 3.11 and later.
# Needs uv (it is in the dev extra). Chainer and ChainerCV are left out: packaging/ pins them by checksum.
set -euo pipefail
cd "$(dirname "$0")/.."
# CUDA's libraries, of which CuPy wants those of 12 or those of 13, cannot both stand in one file.
echo "cuda-toolkit ; sys_platform == 'none'" > overrides.tmp
uv pip compile pyproject.toml --quiet --universal --python-version 3.11 \
    --extra notebook --extra tensorboard --extra onnx --extra dev --extra cuda12 --extra cuda13 \
    --override overrides.tmp \
    --no-header --no-emit-index-url --no-annotate --upgrade --output-file requirements.tmp
{
    echo "# Exact versions for Python 3.11 and later; made by scripts/lock.sh."
    grep --invert-match --extended-regexp '^(-e |chainer|chainercv|cuda-toolkit|#)' requirements.tmp
} > requirements.lock
rm requirements.tmp overrides.tmp
