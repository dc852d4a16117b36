# The Makefile: other flags build anew, the same do not, and `make -n` changes nothing; compile_commands.json.
. tests/tap.bash
here=$BUILD/tests/make/build # make's names have no spaces, and $work has one
object=$here/obj/base/status.c.o
rm -rf "$here"
trap 'rm -rf "$work" "$here"' EXIT
unset MAKEFLAGS MFLAGS MAKELEVEL # a user's make is the outermost
plain() { make BUILD="$here" V=1 "$@" "$object" 2>&1 | grep -c -- '-c src/base/status.c'; }

is "an object is made" "$(plain)" 1
is "the same flags: it stays" "$(plain)" 0
is "make -n with others says what they would make" "$(plain -n CFLAGS=-O1 -B)" 1
is "... and leaves it as it is" "$(plain)" 0
is "other flags: it is made anew" "$(plain CFLAGS=-O1)" 1
is "... once" "$(plain CFLAGS=-O1)" 0
is "the first ones again" "$(plain)" 1
for more in --no-print-directory -k -s -j2 'JOBS=3'; do
	is "make $more: it stays" "$(plain $more)" 0
done

make --no-print-directory -nB BUILD="$here" all | scripts/compile-commands >"$work/commands.json"
entry() { # FILE KEY: of that file's entry
	perl -MJSON::PP -e 'local $/; my ($file, $key) = @ARGV; @ARGV = ();
		print map { $_->{file} eq $file ? $_->{$key} : () } @{decode_json(<STDIN>)}' "$1" "$2" <"$work/commands.json"
}
is "compile_commands.json: each source once" "$(grep -c '"src/guest/run.c"' "$work/commands.json")" 1
is "... where it is compiled" "$(entry src/guest/run.c directory)" "$top"
is "... by the command" "$(entry src/guest/run.c command | grep -o -- '-Isrc -Isrc/arch/x86_64')" '-Isrc -Isrc/arch/x86_64'
is "... also the command's own" "$(entry tools/ripcord/cc.c output)" "$here/obj/tools/ripcord/cc.c.o"
is "input without a compilation is refused" "$(echo nothing | scripts/compile-commands 2>&1)" \
	'compile-commands: no compilation was found'
finish
