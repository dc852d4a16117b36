# A plug-in's constructor or destructor that is stopped, on a guest that loads or unloads it: the loader is whole
# afterwards, in all threads. And a plug-in that comes late is the guest's from its first constructor on.
. tests/tap.bash
cd "$work" || exit 1

cat >plugin.c <<'END_C'
#include <stdlib.h>
#include <unistd.h>
static volatile int count;
static void act(const char *how)
{
	volatile char room[1000];
	if (!how)
		return;
	void *volatile kept = malloc(100);
	(void)kept;
	switch (*how) {
	case 'f': *(volatile int *)16 = 1; break;
	case 'e': exit(3);
	case 'a': abort();
	case 'l': for (;;) count++;
	case 'p': for (;;) pause();
	case 'o': room[0] = 1; act(how); count += room[0]; break;
	}
}
__attribute__((constructor)) static void construct(void) { act(getenv("CONSTRUCT")); }
__attribute__((destructor)) static void destruct(void) { act(getenv("DESTRUCT")); }
int plugin_value(void) { return 42; }
END_C
# It needs the first, whose constructor comes first; its own come then, too.
cat >above.c <<'END_C'
#include <stdlib.h>
int plugin_value(void);
static int begun;
__attribute__((constructor)) static void construct(void) { begun = getenv("TWICE") ? *(volatile int *)24 : 1; }
int above_value(void) { return plugin_value() + begun; }
END_C
# Loads the first on the way.
cat >nested.c <<'END_C'
#include <dlfcn.h>
static void *handle;
__attribute__((constructor)) static void construct(void) { handle = dlopen("./plugin.so", RTLD_NOW); }
int nested_value(void) { return handle != 0; }
END_C
echo 'int other_value(void) { return 1; }' >other.c
cat >host.c <<'END_C'
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <ripcord/cleanup.h>
#include <ripcord/ripcord.h>

static int released;
static void release(void *unused) { (void)unused; released++; }
static const char *file, *symbol;

static intptr_t loads(void *mode)
{
	RIP_DEFER(release, NULL);
	void *handle = dlopen(file, (int)(intptr_t)mode);
	return handle != NULL;
}
static intptr_t unloads(void *unused)
{
	RIP_DEFER(release, NULL);
	void *handle = dlopen(file, RTLD_NOW);
	setenv("DESTRUCT", (const char *)unused, 1);
	return dlclose(handle);
}
static intptr_t looks_up(void *unused)
{
	RIP_DEFER(release, NULL);
	return dlsym(RTLD_DEFAULT, symbol) != unused;
}
static int faults(struct dl_phdr_info *info, size_t size, void *unused)
{
	(void)info, (void)size, (void)unused;
	return *(volatile int *)16;
}
static intptr_t iterates(void *unused)
{
	RIP_DEFER(release, NULL);
	return dl_iterate_phdr(faults, unused);
}

static int count(struct dl_phdr_info *info, size_t size, void *modules)
{
	(void)info, (void)size;
	return ++*(int *)modules, 0;
}
/* In another thread: all that takes the loader's locks. */
static void *use_loader(void *good)
{
	int modules = 0;
	void *handle = dlopen("./other.so", RTLD_NOW);
	int (*value)(void) = handle ? (int (*)(void))dlsym(handle, "other_value") : NULL;
	dl_iterate_phdr(count, &modules);
	*(int *)good = value && value() == 1 && modules > 2 && dlclose(handle) == 0;
	return NULL;
}

int main(int argc, char **argv)
{
	rip_options options = { .grace = 100000000 };
	rip_function function = loads;
	const char *what = argv[1];
	rip_outcome outcome;
	pthread_t thread;
	rip_guest *guest;
	int good = 0, plugin = 0;

	alarm(100);
	file = argc > 2 ? argv[2] : "./plugin.so";
	symbol = (const char *)16;
	options.deadline = argc > 3 ? 50000000 : 0;
	if (argc > 4 && strcmp(argv[4], "softly") == 0)
		options.grace = 20000000000;
	if (strcmp(what, "unload") == 0)
		function = unloads;
	else if (strcmp(what, "look") == 0)
		function = looks_up;
	else if (strcmp(what, "iterate") == 0)
		function = iterates;
	else if (strcmp(what, "bad") == 0)
		file = (const char *)16;
	rip_create(&options, &guest);
	rip_run(guest, function, function == unloads ? argv[4] : (void *)(intptr_t)RTLD_NOW, &outcome);
	const rip_report *report = rip_get_report(guest);
	printf("%s %ld, rung %d, cleanups %d, failed %d, abandoned %d, ", rip_cause_name(outcome.cause), (long)outcome.value,
	       report->rung, released, (int)report->cleanups_failed, report->abandoned);
	unsetenv("CONSTRUCT");
	unsetenv("DESTRUCT");
	unsetenv("TWICE");
	rip_destroy(guest);
	pthread_create(&thread, NULL, use_loader, &good);
	pthread_join(thread, NULL);
	void *again = dlopen("./plugin.so", RTLD_NOW);
	int (*value)(void) = again ? (int (*)(void))dlsym(again, "plugin_value") : NULL;
	plugin = value && value() == 42;
	printf("other thread %s, again %s\n", good ? "good" : "bad", plugin ? "good" : dlerror());
	return 0;
}
END_C
cat >late.c <<'END_C'
#include <dlfcn.h>
#include <stdio.h>
#include <ripcord/ripcord.h>
static intptr_t load(void *unused) { (void)unused; return dlopen("./plugin.so", RTLD_NOW) != NULL; }
int main(void)
{
	rip_guest *guest;
	rip_outcome outcome;
	if (rip_create(NULL, &guest) || rip_run(guest, load, NULL, &outcome))
		return 1;
	printf("%s %ld, reclaimed %d\n", rip_cause_name(outcome.cause), (long)outcome.value,
	       (int)rip_get_report(guest)->reclaimed.total);
	return rip_destroy(guest);
}
END_C
# Not built by `ripcord cc`.
cat >plain.cc <<'END_C'
#include <err.h>
#include <error.h>
#include <pthread.h>
#include <signal.h>
#include <stdexcept>
#include <stdio.h>
#include <stdlib.h>
#include <threads.h>
#include <unistd.h>
static volatile int count;
static volatile long bad = 16;
static void leave(const char *how)
{
	if (!how)
		return;
	switch (*how) {
	case 'f': *(volatile int *)16 = 1; break;
	case 'a': abort();
	case 'r': raise(SIGABRT); break;
	case 'e': exit(3);
	case 'n': _exit(4);
	case 'N': _Exit(5);
	case 'q': quick_exit(6);
	case 'w': err(7, "a message");
	case 'W': errx(8, "a message");
	case 'm': error(9, 0, "a message"); break;
	case 'M': error_at_line(10, 0, "plain.cc", 1, "a message"); break;
	case 'p': pthread_exit(nullptr);
	case 't': thrd_exit(1);
	case 's': free((void *)bad); break; /* the last act of a constructor: a jump */
	case 'c': puts((const char *)bad); break;
	case 'x': throw std::runtime_error("thrown");
	case 'l': for (;;) count = count + 1;
	case 'u': for (;;) pause();
	case 'F': _exit(fork() ? 11 : 12);
	}
}
__attribute__((constructor)) static void construct() { leave(getenv("CONSTRUCT")); }
__attribute__((destructor)) static void destruct() { leave(getenv("DESTRUCT")); }
extern "C" void plain_leave(const char *how) { leave(how); }
END_C
# What plain code does on a guest, in a hostcall of one, in a signal handler, and off guests. It writes its output as it
# ends: only the process itself does that, and only once.
cat >calls.c <<'END_C'
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ripcord/ripcord.h>
void plain_leave(const char *how);
static const char *how;
static intptr_t leaves(void *unused) { plain_leave(how); return (intptr_t)unused; }
static intptr_t makes_hostcall(void *unused) { return rip_hostcall(leaves, unused); }
static void handle(int signal) { (void)signal; plain_leave(how); }
static intptr_t raises(void *unused) { raise(SIGUSR1); return (intptr_t)unused; }
static void last(void) { printf("the process exits"); fflush(stdout); }
int main(int argc, char **argv)
{
	rip_options options = { .contain_hostcalls = argc > 3, .hostcall_stack = argc > 4 ? 65536 : 0 };
	rip_outcome outcome;
	rip_guest *guest;

	how = argv[2];
	atexit(last);
	signal(SIGUSR1, handle);
	if (strcmp(argv[1], "host") == 0)
		plain_leave(how);
	rip_create(&options, &guest);
	rip_run(guest, !strcmp(argv[1], "guest") ? leaves : !strcmp(argv[1], "hostcall") ? makes_hostcall : raises, NULL, &outcome);
	printf("%s %ld", rip_cause_name(outcome.cause), (long)outcome.value);
	fflush(stdout);
	_Exit(20);
}
END_C
lib=$build/lib
link="-I$top/include -L$lib -lripcord -Wl,-rpath,$lib -pthread"

ok "build the plug-ins" eval '"$ripcord" cc -O2 -shared -fPIC plugin.c -o plugin.so && "$ripcord" cc -O2 -shared other.c -o other.so &&
	"$ripcord" cc -O2 -shared above.c ./plugin.so -o above.so && "$ripcord" cc -O2 -shared nested.c -o nested.so'
ok "build the host" eval '"$ripcord" cc -O2 -D_GNU_SOURCE host.c -o host $link && gcc -O2 -D_GNU_SOURCE -fexceptions host.c -o plain $link'

after=", abandoned 0, other thread good, again good"
# To plain GCC, dlopen is a function that nothing leaves.
for host in host plain; do
	[ $host = plain ] && cleanups="cleanups 0" || cleanups="cleanups 1"
	is "$host: a constructor that faults" "$(CONSTRUCT=f ./$host load)" "fault 0, rung 0, $cleanups, failed 0$after"
	is "$host: that exits" "$(CONSTRUCT=e ./$host load)" "exited 3, rung 0, $cleanups, failed 0$after"
	is "$host: that aborts" "$(CONSTRUCT=a ./$host load)" "aborted 0, rung 0, $cleanups, failed 0$after"
	is "$host: that overflows" "$(CONSTRUCT=o ./$host load)" "overflow 0, rung 0, $cleanups, failed 0$after"
	is "$host: that waits for ever" "$(CONSTRUCT=p ./$host load ./plugin.so late | sed 's/rung ./rung/')" \
		"deadline 0, rung, $cleanups, failed 0$after"
	is "$host: a destructor that faults" "$(./$host unload ./plugin.so late f)" "fault 0, rung 0, $cleanups, failed 0$after"
	is "$host: that exits" "$(./$host unload ./plugin.so late e)" "exited 3, rung 0, $cleanups, failed 0$after"
	is "$host: a constructor, then the destructor" "$(CONSTRUCT=f DESTRUCT=f ./$host load)" \
		"fault 0, rung 0, $cleanups, failed 1$after"
	is "$host: two constructors" "$(CONSTRUCT=f TWICE=1 ./$host load ./above.so)" "fault 0, rung 0, $cleanups, failed 1$after"
	is "$host: one that was loaded on the way" "$(CONSTRUCT=f ./$host load ./nested.so)" \
		"fault 0, rung 0, $cleanups, failed 0$after"
	is "$host: a bad path" "$(./$host bad | sed 's/failed ./failed/')" "fault 0, rung 0, $cleanups, failed$after"
	is "$host: a bad name" "$(./$host look)" "fault 0, rung 0, $cleanups, failed 0$after"
	is "$host: dl_iterate_phdr" "$(./$host iterate)" "fault 0, rung 0, cleanups 1, failed 0$after"
done
# The plug-in is plain GCC's, too: its exit is libripcord.so's.
ok "build a plain plug-in" eval 'g++ -O2 -shared -fPIC plain.cc -o libplain.so'
for host in host plain; do
	[ $host = plain ] && cleanups="cleanups 0" || cleanups="cleanups 1"
	for how in "f fault 0" "a aborted 0" "r aborted 0" "e exited 3" "n exited 4" "N exited 5" "q exited 6" "w exited 7" "W exited 8" \
		"m exited 9" "M exited 10" "p exited 0" "t exited 0" "x exception 0" "F exited 11" "s fault 0" "c fault 0"; do
		end="${how#* }, rung 0, $cleanups, failed 0$after"
		is "$host: a plain constructor: $how" "$(CONSTRUCT=${how%% *} ./$host load ./libplain.so 2>/dev/null)" "$end"
		[ ${how%% *} = F ] ||
			is "$host: and destructor" "$(./$host unload ./libplain.so late ${how%% *} 2>/dev/null)" "$end"
	done
	for how in l u; do
		is "$host: a plain constructor: $how" "$(CONSTRUCT=$how ./$host load ./libplain.so late)" \
			"deadline 0, rung 2, $cleanups, failed 0$after"
	done
done

ok "build a host of plain functions" eval 'gcc -O2 -fexceptions calls.c -o calls $link -L. -lplain -Wl,-rpath,"\$ORIGIN"'
run() { ./calls "$@" 2>/dev/null; printf ", status %d" $?; }
for how in "e 3" "n 4" "N 5" "q 6" "w 7" "W 8" "m 9" "M 10"; do
	in_process=", status ${how#* }"
	case $how in [ewWmM]*) in_process="the process exits$in_process" ;; esac
	set -- $how
	is "$1 on a guest" "$(run guest $1)" "exited $2, status 20"
	is "$1 off a guest" "$(run host $1)" "$in_process"
	is "$1 in a hostcall" "$(run hostcall $1)" "$in_process"
	is "$1 in a hostcall that is contained" "$(run hostcall $1 contained)" "exited $2, status 20"
	is "$1 in a signal handler" "$(run signal $1)" "$in_process"
done
# At a poll of it.
[ ! -e "$build/lib/ripcord/ripcord_plugin.so" ] ||
	is "a constructor that loops is killed softly" "$(CONSTRUCT=l ./host load ./plugin.so late softly)" \
		"deadline 0, rung 1, cleanups 1, failed 0$after"

for host in "gcc -O2" "gcc -O2 -static-libgcc" "$ripcord cc -O2"; do
	ok "$host: a host without rip_ledger_attach" eval '$host late.c -o late $link'
	is "its plug-in's exit" "$(CONSTRUCT=e ./late)" "exited 3, reclaimed 1"
	is "and fault" "$(CONSTRUCT=f ./late)" "fault 0, reclaimed 1"
	is "and return" "$(./late)" "returned 1, reclaimed 0"
done
ok "a host with the library in it" gcc -O2 late.c -o late -I"$top/include" "$lib/libripcord.a" -pthread
is "its plug-in's exit" "$(CONSTRUCT=e ./late)" "exited 3, reclaimed 1"
finish
