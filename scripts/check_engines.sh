#!/usr/bin/env bash
# Explores a small space on Dask and on HyperQueue, kills a worker and a task in the middle, and compares what they leave
# with what one process writes, byte by byte. Both come from PyPI, into an environment of their own.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/environment.sh
environment engines distributed hyperqueue
# The binary of the tests: behind `cargo test`, it is there.
cargo test --locked --no-run --quiet --test it
log=$environment/log
if ! "$environment/bin/python" python/engines/check.py --spiq "$CARGO_TARGET_DIR/debug/spiq" 2>"$log"; then
    cat "$log" >&2
    exit 1
fi
