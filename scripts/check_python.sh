#!/usr/bin/env bash
# Builds the wheel of the Python package, fast rather than for speed, installs it into an environment of its own, and
# runs the package's tests. What is skipped is listed: PyTorch, NIR and their frameworks are not installed.
#
#     scripts/check_python.sh [PACKAGE...]        further packages, as in `check_python.sh torch nir`
set -euo pipefail
cd "$(dirname "$0")/.."
# Behind `cargo test`, the dependencies of the library are there already. What is built once needs no further parts.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target} CARGO_INCREMENTAL=0
environment=$CARGO_TARGET_DIR/python
if ! python3 -m venv "$environment"; then
    echo "the Python package: skipped, python3 has no venv"
    exit 0
fi
pip=("$environment/bin/python" -m pip --quiet --disable-pip-version-check)
if ! "${pip[@]}" install "maturin>=1.7,<2" numpy hypothesis pytest safetensors "$@"; then
    echo "the Python package: skipped, maturin and pytest can not be installed"
    exit 0
fi
rm -rf "$CARGO_TARGET_DIR/wheels"
"$environment/bin/maturin" build --locked --profile dev --manifest-path bindings/python/Cargo.toml \
    --out "$CARGO_TARGET_DIR/wheels"
"${pip[@]}" install --no-deps --force-reinstall "$CARGO_TARGET_DIR"/wheels/spiq-*.whl
cd bindings/python
# The installed package, and not the folder beside the tests.
"$environment/bin/python" -m pytest -q -rs -p no:cacheprovider
