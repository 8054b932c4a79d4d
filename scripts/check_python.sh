#!/usr/bin/env bash
# Builds the wheel of the Python package, fast rather than for speed, installs it into an environment of its own, and
# runs the package's tests. What is skipped is listed: PyTorch, NIR and their frameworks are not installed.
#
#     scripts/check_python.sh [PACKAGE...]        further packages, as in `check_python.sh torch nir`
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/environment.sh
environment python "maturin>=1.7,<2" numpy hypothesis pytest safetensors "$@"
# Behind `cargo test`, the dependencies of the library are there already. What is built once needs no further parts.
rm -rf "$CARGO_TARGET_DIR/wheels"
"$environment/bin/maturin" build --locked --profile dev --manifest-path bindings/python/Cargo.toml \
    --out "$CARGO_TARGET_DIR/wheels"
"${pip[@]}" install --no-deps --force-reinstall "$CARGO_TARGET_DIR"/wheels/spiq-*.whl
cd bindings/python
# The installed package, and not the folder beside the tests.
"$environment/bin/python" -m pytest -q -rs -p no:cacheprovider
