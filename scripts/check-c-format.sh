#!/bin/sh
# Fails when a C file under bpf/, examples/, scripts/ or test/e2e/ is not as clang-format would write it; `npm run format` mends that.
set -eu
cd "$(dirname "$0")/.."
find bpf examples scripts test/e2e -name '*.[ch]' -exec clang-format --dry-run --Werror {} +
