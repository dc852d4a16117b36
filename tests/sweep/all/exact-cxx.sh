# SPDX-License-Identifier: MIT
# As tests/sweep/exact.sh, at some of its levels.
. tests/tap.bash
. tests/sweep/exact.bash
. tests/sweep/levels.bash
needs_plugin

sweep_levels cxx -O0 -O1 -Os
finish
