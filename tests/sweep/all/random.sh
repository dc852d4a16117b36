# SPDX-License-Identifier: MIT
# Ten minutes of random programs that are larger than those of ../random.sh, in C and C++, with all kinds of stops. New
# seeds each day, which are said.
. tests/tap.bash
needs_plugin

export RIPCORD=$ripcord TOP=$top
GENERATE=$(realpath "$build/fuzz/exact/generate")
export GENERATE
seed=$(($(date +%s) / 86400 * 10000)) seconds=${RANDOM_SECONDS:-520}
search() { perl "$top/tests/fuzz/exact/search.pl" --seconds "$seconds" --no-reduce --first "$@"; }
search "$seed" --c >"$work/1" 2>&1 &
search "$seed" --cxx >"$work/2" 2>&1
wait
sed 's/^/# /' "$work"/[12]
is "nothing was found, from seed $seed" "$(sed -n 's/^programs.*findings //p' "$work"/[12] | sort -u)" 0
finish
