#!/usr/bin/env bash
# From a fresh clone to a notebook in which a click on an object gives its mask.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: bash scripts/quickstart.sh [--lab | --app] [--again]

Makes .venv, installs chainer_seg, runs notebooks/00_quickstart.ipynb and writes the executed notebook, an
HTML version and its figures to out/quickstart/. A second run reuses what is there.

  --lab     open JupyterLab on the notebook instead of running it here
  --app     open a page in the browser that labels and detects objects, without Jupyter
  --again   run the notebook even if nothing has changed since the last run
  --help    show this

PYTHON names the Python to use. If there is an NVIDIA GPU, CuPy is installed as well.
TEXT
}

lab=no app=no again=no
for argument in "$@"; do
    case $argument in
        --lab) lab=yes ;;
        --app) app=yes ;;
        --again) again=yes ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; echo "error: $argument is not an option" >&2; exit 2 ;;
    esac
done

cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/environment.sh
started=$SECONDS

extras=notebook,tensorboard
[ "$app" = no ] || extras=demo
gpu=$(gpu_extra)
if [ -n "$gpu" ]; then
    echo "Found an NVIDIA GPU; adding [$gpu]."
    extras+=,$gpu
fi
make_environment "$extras"

notebook=notebooks/00_quickstart.ipynb
out=out/quickstart
jupyter() {
    "$ENVIRONMENT/bin/python" -m jupyter "$@"
}
export PATH="$PWD/$ENVIRONMENT/bin:$PATH"  # Jupyter looks for its subcommands there.

if [ "$lab" = yes ]; then
    echo "Opening JupyterLab; stop it with Ctrl-C."
    root=()
    [ "$(id -u)" -eq 0 ] && root=(--allow-root)
    exec "$ENVIRONMENT/bin/python" -m jupyter lab "${root[@]}" "$notebook"
fi

if [ "$app" = yes ]; then
    exec "$ENVIRONMENT/bin/python" -m chainer_seg demo
fi

# What the result depends on: the notebook, the library with its shipped models, and the environment.
print=$( (find chainer_seg -type f ! -name '*.pyc' -print0 | sort -z | xargs -0 cat;
          cat "$notebook"; fingerprint) | sha256sum | cut -c 1-16)
if [ "$again" = no ] && [ "$(cat "$out/.made-from" 2>/dev/null)" = "$print" ]; then
    echo "The notebook has already run and nothing has changed since; --again runs it again."
else
    mkdir -p "$out"
    rm -f "$out/.made-from"
    echo "Running $notebook; this takes a few minutes."
    if ! CHAINER_SEG_OUT="$PWD/$out" jupyter nbconvert --log-level WARN --to notebook --execute \
            --output-dir "$out" --output 00_quickstart.ipynb "$notebook" >"$out/run.log" 2>&1; then
        tail -n 20 "$out/run.log" >&2
        fail "The notebook failed; the full log is in $out/run.log."
    fi
    jupyter nbconvert --log-level WARN --to html "$out/00_quickstart.ipynb" >>"$out/run.log" 2>&1
    echo "$print" >"$out/.made-from"
fi

cat <<TEXT

Done in $((SECONDS - started)) s. In $out/:
$(cd "$out" && ls -1 -- *.ipynb *.html *.png *.jpg 2>/dev/null | sed 's/^/  /')

Next:
  bash scripts/quickstart.sh --lab            click on photographs yourself, in JupyterLab
  source $ENVIRONMENT/bin/activate                   then, for example:
  chainer-seg predict click IMAGE.jpg --pos X,Y
  chainer-seg train click --dataset shapes --out out/my_first
TEXT
