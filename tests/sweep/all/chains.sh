# SPDX-License-Identifier: MIT
# The sweeps of ../chains.sh at the other levels.
. tests/tap.bash
. tests/sweep/chains.bash

sweep_guest chains kill,fault O1 O3 Os
sweep_guest in_flight kill,fault O1 O3 Os
sweep_guest coroutines kill O0 O1 O3 Os
finish
