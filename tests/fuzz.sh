#!/usr/bin/env bash
# Runs every fuzz target of both modules, one after the other, each for the time given, and sums up: a line a target
# with its number of executions and its result. Targets of the parser run a second time with its vector scans, where
# the machine has them. What a target has found it leaves in testdata/fuzz of its package. PROCS is how many
# processes fuzz at the same time (default: all cores).
#
#   tests/fuzz.sh 60s
set -uo pipefail
time=${1:-20s}
go=${GO:-go}
root=$(cd "$(dirname "$0")/.." && pwd)
out=$(mktemp)
trap 'rm -f "$out"' EXIT
summary=()
failed=0

# one module package target name-in-summary
one() {
  echo "== $4"
  if (cd "$1" && "$go" test -run '^$' -fuzz "^$3\$" -fuzztime "$time" ${PROCS:+-parallel="$PROCS"} "$2") >"$out" 2>&1; then
    result=ok
  elif grep -q '^    context deadline exceeded$' "$out" && ! grep -qE 'Failing input|panic|hung|_test\.go:' "$out"; then
    # The Go tool sometimes reports the end of the time itself as a failure, without an input (golang/go issue 75804).
    result=ok
  else
    result=FAILED failed=1
    cat "$out"
  fi
  execs=$(sed -n 's/.*execs: \([0-9]*\).*/\1/p' "$out" | tail -1)
  summary+=("$(printf '%-8s %12s  %s' "$result" "${execs:-?}" "$4")")
}

for module in "$root" "$root/tests"; do
  for package in $(cd "$module" && "$go" list ./...); do
    for target in $(cd "$module" && "$go" test -list '^Fuzz' "$package" | grep '^Fuzz'); do
      one "$module" "$package" "$target" "$package $target"
      if [[ $package == */internal/h1 && $("$go" env GOARCH) == amd64 ]]; then
        GOEXPERIMENT=simd one "$module" "$package" "$target" "$package $target, vectors"
      fi
    done
  done
done

echo
printf '%-8s %12s  %s\n' result executions "target, each for $time"
printf '%s\n' "${summary[@]}"
exit $failed
