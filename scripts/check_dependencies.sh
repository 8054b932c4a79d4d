#!/usr/bin/env bash
# Licences, sources and bans of all dependencies by deny.toml. With ADVISORIES=1 also known weaknesses, whose
# database is fetched.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v cargo-deny >/dev/null; then
    echo "cargo-deny: skipped, not installed (cargo install cargo-deny --locked)"
    exit 0
fi
cargo deny check bans licenses sources ${ADVISORIES:+advisories}
