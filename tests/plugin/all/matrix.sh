# SPDX-License-Identifier: MIT
# As tests/plugin/matrix.sh, with more options, each guest stopped everywhere.
MATRIX_ALL=1
. tests/plugin/matrix.sh
