#!/bin/sh
# Types, lint and format: of TypeScript and JSON, and of the C files, which `npm run format` mends.
set -eu
cd "$(dirname "$0")/.."
PATH=$PWD/node_modules/.bin:$PATH

say() { echo "$1 ..." >&2; }

say 'Types of the webhook, the sidecar, the scripts and the tests (1 of 4)'
tsc
say 'Types of the page and its tests, which have those of a browser (2 of 4)'
tsc -p sidecar/page
tsc -p test/page
say 'Lint and format (3 of 4)'
biome check --error-on-warnings .
say 'Format of the C code (4 of 4)'
find bpf examples scripts test/e2e -name '*.[ch]' -exec clang-format --dry-run --Werror {} +
