#!/usr/bin/env bash
# Installs what the tests need into .venv and runs them all; arguments go to pytest.
#
#     bash scripts/test.sh                 all tests, on all cores
#     bash scripts/test.sh -m "not slow"   only the quick ones
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/environment.sh
make_environment dev
# Each process computes on one core.
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
exec "$ENVIRONMENT/bin/python" -m pytest --numprocesses auto --dist loadgroup "$@"
