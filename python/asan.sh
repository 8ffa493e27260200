#!/usr/bin/env bash
# Builds the extension with AddressSanitizer and UndefinedBehaviorSanitizer in a copy of the sources, and runs its tests
# there. Usage: python/asan.sh VENV
set -euo pipefail
cd "$(dirname "$0")"
venv=$(cd "$OLDPWD" && realpath -s "$1")
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
mkdir -p "$copy/python" "$copy/internal/frame"
cp -r csrc src tests pyproject.toml setup.py "$copy/python"
cp -r ../internal/frame/testdata "$copy/internal/frame"
find "$copy" -name '*.so' -delete
cd "$copy/python"
COVET_SANITIZE=address,undefined "$venv/bin/python" setup.py --quiet build_ext --inplace
# Process tests start interpreters of their own, and leak checks count memory that the sanitizer keeps back.
exec env PYTHONPATH="$copy/python/src" \
  LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)" \
  ASAN_OPTIONS=detect_leaks=0:halt_on_error=1 UBSAN_OPTIONS=halt_on_error=1 \
  "$venv/bin/python" -m pytest -q tests/bridge \
  --ignore tests/bridge/test_process.py --ignore tests/bridge/test_leaks.py
