#!/usr/bin/env bash
# Looks for undefined behaviour in the kernels, the only unsafe code of the library, with what this machine has:
# Valgrind (portable and AVX2; it knows no AVX-512), Miri (portable) and AddressSanitizer (all that the processor
# has). What is not installed is named and passed over.
#
#     scripts/check_unsafe.sh [valgrind] [miri] [sanitizer]        default: all three
set -euo pipefail
cd "$(dirname "$0")/.."
# The kernels against plain loops, and inside of networks against the scalar specification.
unit=exec::kernels
networks=exactness::kernels
# Random networks of each kind: a run under Valgrind takes 50 times as long.
export PROPTEST_CASES=${PROPTEST_CASES:-4}
nightly=$(rustup toolchain list 2>/dev/null | grep -o '^nightly[^ ]*' | head -1 || true)

binaries() {
    cargo test --locked --no-run 2>&1 | sed -n 's/.*(\(target[^)]*\/\(spiq\|it\)-[0-9a-f]*\)).*/\1/p' | sort -u
}

valgrind_memcheck() {
    command -v valgrind >/dev/null || { echo "valgrind: skipped, not installed"; return; }
    for binary in $(binaries); do
        filter=$([[ $binary == */it-* ]] && echo $networks || echo $unit)
        echo "valgrind: $filter of $binary"
        valgrind --quiet --error-exitcode=3 --leak-check=no "$binary" "$filter" --test-threads 1
    done
}

miri() {
    cargo "+$nightly" miri --version >/dev/null 2>&1 || { echo "miri: skipped, not installed"; return; }
    cargo "+$nightly" miri test --locked --lib $unit
}

sanitizer() {
    [[ -n $nightly ]] || { echo "sanitizer: skipped, no nightly toolchain"; return; }
    local target
    target=$(rustc -vV | sed -n 's/host: //p')
    # A target keeps the sanitizer away from build scripts and macros.
    local flags=(--locked --target "$target" --target-dir target/sanitizer)
    export RUSTFLAGS=-Zsanitizer=address
    cargo "+$nightly" test "${flags[@]}" --lib $unit
    cargo "+$nightly" test "${flags[@]}" --test it $networks
}

[[ $# -gt 0 ]] || set -- valgrind miri sanitizer
for check in "$@"; do
    case $check in
        valgrind) valgrind_memcheck ;;
        miri) miri ;;
        sanitizer) (sanitizer) ;;
        *) echo "$check: not one of valgrind, miri, sanitizer" >&2; exit 2 ;;
    esac
done
