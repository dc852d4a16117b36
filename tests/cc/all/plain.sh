# SPDX-License-Identifier: MIT
# Two hundred programs more than in tests/cc/plain.sh.
export PLAIN_PROGRAMS=200
. tests/cc/plain.sh
