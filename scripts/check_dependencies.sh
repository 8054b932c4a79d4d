#!/usr/bin/env bash
# Licences, sources, bans and known weaknesses of all dependencies by deny.toml. ADVISORIES=1 fetches the database of
# weaknesses; without it they are asked for where the database of an earlier fetch is there.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v cargo-deny >/dev/null; then
    echo "cargo-deny: skipped, not installed (cargo install cargo-deny --locked)"
    exit 0
fi
cargo deny check bans licenses sources
if [[ -n ${ADVISORIES:-} ]]; then
    cargo deny check advisories
elif compgen -G "${CARGO_HOME:-$HOME/.cargo}/advisory-db*/*" >/dev/null; then
    cargo deny check --disable-fetch advisories
else
    echo "advisories: skipped, no database on this machine (ADVISORIES=1 fetches it)"
fi
