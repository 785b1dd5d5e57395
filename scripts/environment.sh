# Makes .venv and installs into it; sourced by the other scripts.
#
#     make_environment EXTRAS    EXTRAS such as notebook,tensorboard
#
# The dependencies are those of requirements-hashed.lock, and pip verifies the checksums of their files.
# Nothing is installed twice: a stamp in .venv records what was installed from which files. PYTHON names the
# Python to use; by default it is the newest of 3.11 to 3.13 that is found.

ENVIRONMENT=.venv

fail() {
    echo "error: $*" >&2
    exit 2
}

find_python() {
    local name
    for name in ${PYTHON:-python3.13 python3.12 python3.11 python3 python}; do
        if "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
                2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    fail "Python 3.11, 3.12 or 3.13 is needed, but was not found; install one or set PYTHON."
}

# Debian and Ubuntu have Python without ensurepip by default; pip then comes from uv or from that Python.
make_venv() {
    local python=$1
    if "$python" -c 'import ensurepip' 2>/dev/null; then
        "$python" -m venv "$ENVIRONMENT"
    elif command -v uv >/dev/null; then
        uv venv --quiet --seed --python "$python" "$ENVIRONMENT"
    elif "$python" -m pip --version >/dev/null 2>&1; then
        "$python" -m venv --without-pip "$ENVIRONMENT"
        "$python" -m pip --quiet --python "$ENVIRONMENT/bin/python" install pip
    else
        fail "$python has neither ensurepip nor pip, and there is no uv;" \
            "install one of them (Debian, Ubuntu: apt install python3-venv)."
    fi
}

fingerprint() {
    cat pyproject.toml requirements-hashed.lock packaging/*.py packaging/*/*.py packaging/*/pyproject.toml |
        sha256sum | cut -c 1-16
}

# The entries of requirements-hashed.lock for these extras; a comment before each names those that need it.
locked_for() {
    awk -v extras="$1" '
        BEGIN { count = split("base," extras, list, ","); for (i = 1; i <= count; i++) wanted[list[i]] = 1 }
        /^# / { chosen = 0; for (i = 2; i <= NF; i++) if ($i in wanted) chosen = 1 }
        chosen' requirements-hashed.lock
}

# Whether pip finds packages: in an index, or in folders of the user's own settings. Answers within seconds,
# where an installation tries each package again and again.
finds_packages() {
    "$ENVIRONMENT/bin/python" -m pip install --disable-pip-version-check --dry-run --ignore-installed \
        --no-deps --retries 0 --timeout 5 six
}

install_all() {
    local pip=("$ENVIRONMENT/bin/python" -m pip install --disable-pip-version-check --no-deps)
    locked_for "$1" >"$ENVIRONMENT/requirements.txt"
    "${pip[@]}" --require-hashes --requirement "$ENVIRONMENT/requirements.txt" &&
        "${pip[@]}" ./packaging/chainer ./packaging/chainercv --editable .
}

make_environment() {
    local extras=$1 stamp="$ENVIRONMENT/installed-${1//,/-}" print log
    print=$(fingerprint)
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$print" ]; then
        echo "Using the environment in $ENVIRONMENT."
        return
    fi
    if ! "$ENVIRONMENT/bin/python" -m pip --version >/dev/null 2>&1; then
        local python
        python=$(find_python)
        echo "Making the environment $ENVIRONMENT with $("$python" --version)."
        rm -rf "$ENVIRONMENT"
        make_venv "$python"
    fi
    log="$ENVIRONMENT/install.log"
    finds_packages >"$log" 2>&1 ||
        fail "The package index does not answer; connect to the network and run this again" \
            "(what pip says is in $log)."
    echo "Installing chainer_seg with [$extras]; this takes a minute or two."
    if ! install_all "$extras" >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        fail "The installation failed (the full log is in $log); run it again."
    fi
    echo "$print" >"$stamp"
}

# cuda12 or cuda13 if there is an NVIDIA GPU with a working driver; nothing otherwise.
gpu_extra() {
    local version
    version=$(nvidia-smi 2>/dev/null | sed -n 's/.*CUDA Version: *\([0-9]*\).*/\1/p' | head -n 1)
    if [ -z "$version" ]; then
        return
    elif [ "$version" -ge 13 ]; then
        echo cuda13
    elif [ "$version" -eq 12 ]; then
        echo cuda12
    else
        echo "The NVIDIA driver supports CUDA $version, but CuPy needs 12 or later; using the CPU." \
            "Update the driver to use the GPU." >&2
    fi
}
