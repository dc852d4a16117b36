# Duktape killed ten thousand times in one process.
. tests/tap.bash
make -s "$BUILD/tests/real/kills" BUILD="$BUILD" || exit 1
KILLS=10000 exec "$build/tests/real/kills"
