#!/usr/bin/env bash
# demo.sh: sorts 1..10000 into prime and not prime, in 100 work units, and checks the count, in the results and in two streams. See ../demo.sh for what it needs.
set -euo pipefail
. "$(dirname "$0")/../demo.sh"

demo_publish primes "$DUGNAD_APPS/primes" --output prime.txt --output not-prime.txt --output 'streams?' --sdk
demo_run primes --name "primes to 10000" --array 0..99 -- --block {} --size 100 --route
demo_fetch
primes=$(find "$demo_folder/results" -name prime.txt -exec cat {} + | sort -n | uniq | wc -l)
others=$(find "$demo_folder/results" -name not-prime.txt -exec cat {} + | sort -n | uniq | wc -l)
echo "$primes primes, $others others"
[ "$primes" -eq 1229 ] && [ "$others" -eq 8771 ] || { echo "demo.sh: 1229 and 8771 are right" >&2; exit 1; }
prime=$("$DUGNAD" tail prime --after 0 | sort -n | uniq | wc -l)
other=$("$DUGNAD" tail not-prime --after 0 | sort -n | uniq | wc -l)
echo "$prime records in the stream prime, $other in not-prime"
[ "$prime" -eq 1229 ] && [ "$other" -eq 8771 ] || { echo "demo.sh: 1229 and 8771 are right" >&2; exit 1; }
demo_figures primes
