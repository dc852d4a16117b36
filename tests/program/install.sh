# make install: everything works from a prefix, whose name has a space, by itself.
. tests/tap.bash
dest="$work/a root" prefix="/opt/rip cord"
ok "install" build_make install DESTDIR="$dest" PREFIX="$prefix"
root=$dest$prefix
# The loader's cache: as root, and not with DESTDIR. (The build is there, so nothing else is done anew.)
mkdir "$work/bin"
printf '#!/bin/sh\necho ran >>"%s/cache"\n' "$work" >"$work/ldconfig"
chmod +x "$work/ldconfig"
installs() { # USER MAKE'S ARGUMENTS...: whether it ran ldconfig
	printf '#!/bin/sh\necho %s\n' "$1" >"$work/bin/id"
	chmod +x "$work/bin/id"
	shift
	: >"$work/cache"
	PATH=$work/bin:$PATH build_make install LDCONFIG="'$work/ldconfig'" "$@" >"$work/out" 2>&1 || echo "failed"
	cat "$work/cache"
}
is "root's install writes the loader's cache" "$(installs 0 PREFIX="$work/prefix")" ran
is "with DESTDIR it does not" "$(installs 0 PREFIX="$work/prefix" DESTDIR="$work/other")" ''
is "nor does another user's" "$(installs 1000 PREFIX="$work/prefix")" ''
for file in bin/ripcord lib/libripcord.a lib/libripcord.so lib/libripcord-symbolize.a lib/libripcord-symbolize.so \
	lib/libripcord-unwind.so lib/ripcord/libgcc_s.so.1 include/ripcord/unwind.h lib/pkgconfig/ripcord-unwind.pc \
	lib/ripcord/guest_start.o lib/ripcord/libripcord-guest.a lib/ripcord/include/sys/cdefs.h \
	include/ripcord/ripcord.h include/ripcord/status.h include/ripcord/symbolize.h include/ripcord/cleanup.h \
	lib/pkgconfig/ripcord.pc lib/pkgconfig/ripcord-symbolize.pc \
	share/man/man1/ripcord.1 share/man/man1/ripcord-run.1 share/man/man1/ripcord-cc.1; do
	ok "$file" test -f "$root/$file"
done
is "pkg-config: prefix" "$(grep ^prefix= "$root/lib/pkgconfig/ripcord.pc")" "prefix=$prefix"
cd "$work" || exit 1
mv "$dest" "$work/moved" # it does not look back at where it was built or meant to be
root=$work/moved$prefix
is "version" "$("$root/bin/ripcord" --version)" "$("$ripcord" --version)"
ok "help" "$root/bin/ripcord" --help
cat >g.c <<'EOF'
#include <ripcord/cleanup.h>
#include <stdio.h>
static void say(int *n) { printf("%d\n", *n); }
int main(void) { __attribute__((cleanup(say))) int n = 7; return *(volatile int *)0; }
EOF
ok "cc" "$root/bin/ripcord" cc -O2 g.c -o g
is "run" "$(status "$root/bin/ripcord" run ./g)" 139
is "its cleanup" "$(cat out)" 7
cat >trace.c <<'EOF'
#include <ripcord/unwind.h>
int main(void)
{
	void *pcs[8];
	return rip_backtrace(pcs, 8) < 2;
}
EOF
cat >host.c <<'EOF'
#include <ripcord/ripcord.h>
static intptr_t f(void *a) { return rip_exit((intptr_t)a), 0; }
int main(void)
{
	rip_guest *g;
	rip_outcome o;
	if (rip_create(NULL, &g) || rip_run(g, f, (void *)5, &o)) return 1;
	rip_destroy(g);
	return (int)o.value;
}
EOF
if [ -z "$SAN" ]; then # else a host needs the sanitizer too
	ok "a program with the unwinder alone" gcc -I"$root/include" trace.c -o trace -L"$root/lib" -lripcord-unwind \
		-Wl,-rpath,"$root/lib"
	ok "its backtrace" ./trace
	ok "a host against the shared library" gcc host.c -I"$root/include" -L"$root/lib" -lripcord -Wl,-rpath,"$root/lib" -o h1
	is "works" "$(status ./h1)" 5
	ok "a host against the static one" gcc host.c -I"$root/include" "$root/lib/libripcord.a" -pthread -o h2
	is "works" "$(status ./h2)" 5
fi
for page in "$root"/share/man/man1/*.1; do
	ok "$(basename "$page"): a manual page" grep -q '^\.Sh EXAMPLES' "$page"
done
rm "$root/lib/ripcord/guest_start.o"
is "parts missing: status" "$(status "$root/bin/ripcord" cc g.c -o g)" 125
is "parts missing: one line" "$(grep -c 'parts are missing' err)" 1
finish
