#!/bin/sh
# The second half of the demonstration: a whole JavaScript engine, unchanged, as a guest.
build=${BUILD:-build}
ripcord=$build/bin/ripcord
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

cat << 'END'

Now a program that was never written for this: Duktape 1.3, a JavaScript engine
of 80,000 lines of C, built by `ripcord cc` in GCC's place.

END
scripts/build-duktape guest > "$work/log" 2>&1
case $? in
0) ;;
77)
	echo "    npm would fetch it, but there is no network: that is all for now."
	exit 0
	;;
*)
	cat "$work/log"
	exit 1
	;;
esac
cp "$build/duktape/guest" "$work/duk.so"
cp build/fixtures/duktape/node_modules/duktape/lib/duktape/mandel.js "$work"
cp tests/real/js/recurse.js "$work"

echo '$ ripcord cc -O2 duktape.c duk_cmdline.c -lm -o duk.so'
echo '$ ripcord run duk.so mandel.js          (the middle of its picture)'
"$ripcord" run "$work/duk.so" "$work/mandel.js" > "$work/picture" || exit 1
sed -n '9,20s/^/  /p' "$work/picture"

echo
echo '$ cat recurse.js'
sed '/^\/\//d; s/^/  /' "$work/recurse.js" | expand -t 6
echo '$ ripcord run duk.so recurse.js         (the ends of its report)'
"$ripcord" run "$work/duk.so" "$work/recurse.js" 2> "$work/report" && exit 1
status=$?
sed -n '1,8s/^/  /p' "$work/report"
echo '    ...'
tail -n 4 "$work/report" | sed 's/^/  /'
echo '$ echo $?'
echo "  $status"
[ "$status" = 139 ]
