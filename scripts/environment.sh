# To be sourced, at the root of the project: `environment NAME PACKAGE...` installs packages of PyPI into the environment
# `NAME` of the target folder, which `$environment` then is; where that cannot be done it says so, and ends the script.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target} CARGO_INCREMENTAL=0

environment() {
    local name=$1
    shift
    environment=$CARGO_TARGET_DIR/$name
    if ! python3 -m venv "$environment"; then
        echo "$name: skipped, python3 has no venv"
        exit 0
    fi
    pip=("$environment/bin/python" -m pip --quiet --disable-pip-version-check)
    if ! "${pip[@]}" install "$@"; then
        echo "$name: skipped, its packages can not be installed: $*"
        exit 0
    fi
}
