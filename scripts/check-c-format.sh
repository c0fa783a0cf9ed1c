#!/bin/sh
# Fails when a C file under bpf/ or examples/ is not as clang-format would write it; `npm run format` mends that.
set -eu
cd "$(dirname "$0")/.."
find bpf examples -name '*.[ch]' -exec clang-format --dry-run --Werror {} +
