# SPDX-License-Identifier: MIT
# Cleanups and handlers in one landing pad, in C++, in coroutines and in the library's code: whatever stops there, and
# wherever, each resource is released once, and the guest does not go on. More levels: all/chains.sh.
. tests/tap.bash
. tests/sweep/chains.bash

sweep_guest chains kill,fault O0 O2
sweep_guest in_flight kill,fault O0 O2
sweep_guest coroutines kill O2
finish
