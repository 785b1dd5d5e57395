#!/usr/bin/env bash
# On a machine with an NVIDIA GPU: runs the tests that need one and appends a benchmark to
# benchmarks/GPU.md. PYTHON names a Python in which chainer_seg and CuPy are already installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/environment.sh
if [ -z "${PYTHON:-}" ]; then
    gpu=$(gpu_extra)
    [ -n "$gpu" ] || fail "No NVIDIA GPU with a working driver was found (see nvidia-smi)."
    make_environment "dev,$gpu"
    PYTHON=$ENVIRONMENT/bin/python
fi
"$PYTHON" -m pytest -m gpu
figures=$("$PYTHON" scripts/benchmark.py --device 0)
{
    echo
    echo "## $(nvidia-smi --query-gpu=name --format=csv,noheader | head -n 1), $(date +%Y-%m-%d)"
    echo
    echo "Commit $(git rev-parse --short HEAD 2>/dev/null || echo unknown)," \
        "CuPy $("$PYTHON" -c 'import cupy; print(cupy.__version__)')."
    echo
    echo '```'
    echo "$figures"
    echo '```'
} >>benchmarks/GPU.md
echo "All GPU tests passed; the figures were added to benchmarks/GPU.md."
