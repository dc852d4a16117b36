# SPDX-License-Identifier: MIT
# As tests/plugin/late.sh, at all levels.
LATE_ALL=1
. tests/plugin/late.sh
