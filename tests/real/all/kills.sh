# Duktape killed ten thousand times in one process.
. tests/tap.bash
build_make -s "$BUILD/tests/real/kills" || exit 1
KILLS=10000 exec "$build/tests/real/kills"
