# SPDX-License-Identifier: MIT
# As tests/sweep/cross.sh, at the other levels.
LEVELS='-O0 -O1 -O3 -Os' exec bash tests/sweep/cross.sh
