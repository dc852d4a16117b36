# SPDX-License-Identifier: MIT
# ripcord cc: what GCC's sanitizers instrument is linked, and runs by itself; a host without their runtimes refuses it in a line.
. tests/tap.bash
[ -z "$SAN" ] || skip_all "a command built with a sanitizer has what such guests ask for, and refuses none"
cd "$work" || exit 1

cat >main.c <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>
#include <ripcord/cleanup.h>
static void drop(char **p) { printf("released\n"); free(*p); }
static void *work(void *p) { char *own = malloc(10); own[3] = 1; free(own); return p; }
int main(int argc, char **argv)
{
	char *p RIP_CLEANUP(drop) = malloc(16);
	pthread_t thread;
	if (pthread_create(&thread, NULL, work, NULL) == 0)
		pthread_join(thread, NULL);
	strcpy(p, "hello");
	if (argc > 1)
		p[14 + argc] = 1;
	printf("%s %d\n", p, argv[0] != NULL);
	return 0;
}
END
echo 'int main(void) { return 0; }' >empty.c
printf '#include <new>\nstruct s { int *p = new int(3); ~s() { delete p; } };\nint main() { s a; return *a.p - 3; }\n' >main.cc
for sanitizers in address thread leak undefined address,undefined thread,undefined leak,undefined; do
	if [ ! -e "$(gcc -print-file-name=lib$(case $sanitizers in *address*) echo asan ;; thread*) echo tsan ;; leak*) echo lsan ;;
		*) echo ubsan ;; esac).so)" ]; then
		continue
	fi
	for source in main.c empty.c main.cc; do
		command=cc
		[ $source != main.cc ] || command=c++
		ok "$sanitizers: $source is linked" "$ripcord" $command -g -O1 -fsanitize=$sanitizers $source -o it
		is "$sanitizers: $source runs by itself" "$(./it 2>&1 | tr '\n' ' '; echo "${PIPESTATUS[0]}")" \
			"$([ $source != main.c ] || echo 'hello 1 released ')0"
		status "$ripcord" run ./it >code
		case $sanitizers in
		undefined) is "$sanitizers: $source runs as a guest" "$(cat code)$(cat err)" 0 ;;
		*)	is "$sanitizers: $source is refused" "$(cat code)" 2
			ok "$sanitizers: in one line" grep -qx 'ripcord: ./it: built with a sanitizer: lib.*' err
			is "$sanitizers: and no other" "$(wc -l <err)" 1 ;;
		esac
	done
done
"$ripcord" cc -g -O1 -fsanitize=address main.c -o it
ok 'address: it finds what it is there for' grep -q 'heap-buffer-overflow' <(./it x x 2>&1)
finish
