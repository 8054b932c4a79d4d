#!/usr/bin/env bash
# Runs the unit tests of the kernels, the only unsafe code of the library, under Miri, where a nightly toolchain has it.
exec "$(dirname "$0")/check_unsafe.sh" miri
