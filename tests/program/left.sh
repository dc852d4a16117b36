# What a guest registers for later: handlers of exit, of a thread's end and of fork. A program's are run as its code, or
# dropped, and nothing of a closed program is called; those of a guest in the host's executable or plug-in stay with it.
. tests/tap.bash
cd "$work" || exit 1
link=(-I"$build/include" -L"$build/lib" -lripcord "-Wl,-rpath,$build/lib")

# --- A program -------------------------------------------------------------------------------------------------
cat >guest.cc <<'EOF'
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <pthread.h>
#include <string>
#include <unistd.h>
struct Object {
	std::string name;
	char *memory;
	Object(const char *n) : name(n), memory(strdup(n)) {}
	~Object() { printf("~%s %s\n", name.c_str(), memory); free(memory); }
};
static thread_local Object one("one"), two("two");
static void on_exit_handler(int status, void *text) { printf("%s %d\n", (char *)text, status); }
static void destroy(void *value) { printf("destroyed %s\n", (char *)value); }
static void before() { puts("prepare"); fflush(stdout); }
int main(int argc, char **argv)
{
	static Object local("static");
	const char *how = argc > 1 ? argv[1] : "";
	pthread_key_t key;
	atexit([] { puts("atexit"); });
	on_exit(on_exit_handler, strdup("on_exit"));
	at_quick_exit([] { puts("at_quick_exit"); fflush(stdout); });
	pthread_atfork(before, NULL, NULL);
	if (pthread_key_create(&key, destroy) || pthread_setspecific(key, strdup("value")) || one.name.empty())
		return 1;
	printf("two is %s\n", two.name.c_str());
	fflush(stdout);
	if (!strcmp(how, "exit")) exit(7);
	if (!strcmp(how, "quick")) quick_exit(8);
	if (!strcmp(how, "now")) _exit(9);
	if (!strcmp(how, "fault")) *(volatile int *)8 = 1;
	if (!strcmp(how, "loop")) for (volatile int i = 0;; i++) ;
	return 3;
}
EOF
ok "build a program" "$ripcord" c++ guest.cc -o guest
cat >host.c <<'EOF'
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <ripcord/ripcord.h>
static char **arguments;
static int mapped(void)
{
	FILE *file = fopen("/proc/self/maps", "r");
	char line[4096];
	int found = 0;
	while (fgets(line, sizeof line, file))
		found |= strstr(line, "/guest\n") != NULL;
	fclose(file);
	return found;
}
static void *run(void *unused)
{
	rip_options options = { .deadline = 300000000 };
	rip_program *program;
	rip_guest *guest;
	rip_outcome end;
	rip_error error;
	if (rip_program_open("./guest", NULL, &program, &error) || rip_create(&options, &guest) ||
	    rip_program_run(program, guest, 2, arguments, &end))
		exit(20);
	printf("%s %ld\n", rip_cause_name(end.cause), (long)end.value);
	if (fork() == 0)
		_exit(0);
	wait(NULL);
	rip_destroy(guest);
	rip_program_close(program);
	return unused;
}
int main(int argc, char **argv)
{
	pthread_t thread;
	int times = argc > 2 ? atoi(argv[2]) : 1;
	arguments = argv;
	for (int i = 0; i < times; i++) {
		if (pthread_create(&thread, NULL, run, NULL))
			return 21;
		pthread_join(thread, NULL);
	}
	run(NULL);
	printf("host%s\n", mapped() ? ", and the program is still there" : "");
	return argc > 3;
}
EOF
# With a libstdc++ of its own: one that comes with the program stays, and keeps the program, whose symbols it uses.
ok "build a host" gcc -g host.c -o host "${link[@]}" -pthread -Wl,--no-as-needed -lstdc++
full="two is two|~two two|~one one|on_exit %d|atexit|~static static|"
for how in return exit; do
	value=3 cause=returned
	[ $how = return ] || value=7 cause=exited
	want="$(printf "$full" $value)$cause $value|"
	is "$how: handlers run in the order of exit(), and then no more" "$(./host $how | tr '\n' '|'; echo "${PIPESTATUS[0]}")" \
		"$want${want}host|0"
done
# As executed: the same, but for the key, and the fork that is the host's.
is "as the program does by itself" "$(./guest exit | tr '\n' '|')" "$(printf "$full" 7)"
is "quick_exit" "$(./host quick | tr '\n' '|')" "two is two|at_quick_exit|exited 8|two is two|at_quick_exit|exited 8|host|"
is "_exit: none is run" "$(./host now | tr '\n' '|')" "two is two|exited 9|two is two|exited 9|host|"
is "a fault: none is run" "$(./host fault | tr '\n' '|')" "two is two|fault 0|two is two|fault 0|host|"
is "a deadline: none is run" "$(./host loop | tr '\n' '|')" "two is two|deadline 0|two is two|deadline 0|host|"
is "many, in threads of their own" "$(./host exit 30 | grep -c 'exited 7'; echo "${PIPESTATUS[0]}")" "$(printf '31\n0')"

# --- libc's variables that lead into a program ---------------------------------------------------------------------
cat >names.c <<'EOF'
#include <argp.h>
#include <errno.h>
#include <error.h>
#include <obstack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static void progname(void) { }
static void version(FILE *stream, struct argp_state *state) { (void)stream, (void)state; }
int main(int argc, char **argv)
{
	char **entries = calloc(2, sizeof *entries);
	entries[0] = strdup("ONLY=this");
	environ = entries;
	program_invocation_name = program_invocation_short_name = strdup("guest");
	error_print_progname = progname;
	obstack_alloc_failed_handler = progname;
	argp_program_version_hook = version;
	argp_program_version = argp_program_bug_address = strdup("1");
	getopt(argc, argv, "x:");
	stdout = fopen("/dev/null", "w");
	stderr = stdout;
	puts("lost");
	if (argc > 2) *(volatile int *)8 = 1;
	return 0;
}
EOF
ok "build a program that changes them" "$ripcord" cc -D_GNU_SOURCE -w names.c -o names
cat >named.c <<'EOF'
#include <argp.h>
#include <errno.h>
#include <error.h>
#include <obstack.h>
#include <stdio.h>
#include <stdlib.h>
#include <ripcord/ripcord.h>
int main(void)
{
	void *handler = (void *)obstack_alloc_failed_handler;
	for (int argc = 2; argc < 4; argc++) {
		char *argv[] = { "names", "-xyz", "fault", NULL };
		rip_program *program;
		rip_guest *guest;
		rip_outcome end;
		rip_error text;
		if (rip_program_open("./names", NULL, &program, &text) || rip_create(NULL, &guest) ||
		    rip_program_run(program, guest, argc, argv, &end))
			return 20;
		rip_destroy(guest);
		rip_program_close(program);
		printf("%s %s %d\n", rip_cause_name(end.cause), getenv("HOSTS"), error_print_progname ||
		       argp_program_version_hook || argp_program_version || argp_program_bug_address ||
		       (void *)obstack_alloc_failed_handler != handler);
		fflush(stdout);
		error(0, 0, "said");
	}
	return 0;
}
EOF
ok "build its host" gcc -D_GNU_SOURCE -w -g named.c -o named "${link[@]}"
is "they are the host's again" "$(HOSTS=own ./named 2>&1 | tr '\n' '|')" \
	"returned own 0|./named: said|fault own 0|./named: said|"

# --- The environment ----------------------------------------------------------------------------------------------
cat >environment.c <<'EOF'
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	char *entries[] = { "LITERAL=1", NULL, NULL };
	static char *fixed[] = { "FIXED=1", NULL };
	entries[1] = strdup("HEAP=2");
	if (argv[1][0] == 's' || argv[1][0] == 'e' || argv[1][0] == 'u')
		environ = entries;
	if (argv[1][0] == 'm')
		environ = fixed;
	if (argv[1][0] == 'e' || argv[1][0] == 'u')
		setenv("ADDED", "3", 1); /* copies the entries' addresses */
	if (argv[1][0] == 'u')
		environ[1] = (char *)16;
	if (argv[1][0] == 'b')
		environ = (char **)16;
	if (argc > 2) *(volatile int *)8 = 1;
	return 0;
}
EOF
ok "build a program that changes the environment" "$ripcord" cc -D_GNU_SOURCE -w environment.c -o environment
cat >environ.c <<'EOF'
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <ripcord/ripcord.h>
int main(int argc, char **argv)
{
	for (int count = 2; count < 4; count++) {
		char *arguments[] = { "environment", argv[1], "fault", NULL };
		rip_program *program;
		rip_guest *guest;
		rip_outcome end;
		rip_error text;
		if (rip_program_open("./environment", NULL, &program, &text) || rip_create(NULL, &guest) ||
		    rip_program_run(program, guest, count, arguments, &end))
			return 20;
		rip_destroy(guest);
		rip_program_close(program);
		setenv("LATER", "4", 1);
		printf("%s %s %s %s %s\n", getenv("HOSTS"), getenv("LITERAL"), getenv("HEAP"), getenv("ADDED"), getenv("LATER"));
	}
	return 0;
}
EOF
ok "build its host" gcc -D_GNU_SOURCE -w -g environ.c -o environ "${link[@]}"
for where in stack module "bad memory"; do
	is "environ in the guest's $where: the host's" "$(HOSTS=own ./environ "$where" | tr '\n' '|')" \
		"own (null) (null) (null) 4|own (null) (null) (null) 4|"
done
is "entries in the guest's memory are copied" "$(HOSTS=own ./environ entries | tr '\n' '|')" "(null) 1 2 3 4|(null) 1 2 3 4|"
is "entries that cannot be read are gone" "$(HOSTS=own ./environ unreadable | tr '\n' '|')" "(null) 1 (null) 3 4|(null) 1 (null) 3 4|"

# --- Signals of timers, which the program has blocked ------------------------------------------------------------------
cat >ticks.c <<'EOF'
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
int main(int argc, char **argv)
{
	struct itimerval often = { { 0, 200 }, { 0, 200 } };
	struct itimerspec too = { { 0, 200000 }, { 0, 200000 } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1 };
	sigset_t set;
	timer_t timer;
	int signal;
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigaddset(&set, SIGRTMIN + 1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	timer_create(CLOCK_MONOTONIC, &event, &timer);
	timer_settime(timer, 0, &too, NULL);
	for (int i = 0; i < 20; i++)
		sigwait(&set, &signal);
	sigemptyset(&set);
	while (!sigismember(&set, SIGALRM) || !sigismember(&set, SIGRTMIN + 1))
		sigpending(&set);
	if (argc > 1) *(volatile int *)8 = 1;
	return 0;
}
EOF
ok "build a program that waits for its timers" "$ripcord" cc -D_GNU_SOURCE -w ticks.c -o ticks
cat >ticked.c <<'EOF'
#include <signal.h>
#include <stdio.h>
#include <ripcord/ripcord.h>
int main(void)
{
	sigset_t set;
	for (int argc = 1; argc < 3; argc++) {
		char *arguments[] = { "ticks", "fault", NULL };
		const rip_options options = { .save_mask = true };
		rip_program *program;
		rip_guest *guest;
		rip_outcome end;
		rip_error text;
		if (rip_program_open("./ticks", NULL, &program, &text) || rip_create(&options, &guest) ||
		    rip_program_run(program, guest, argc, arguments, &end))
			return 20;
		rip_destroy(guest);
		rip_program_close(program);
		sigprocmask(SIG_BLOCK, NULL, &set);
		printf("%s %d\n", rip_cause_name(end.cause), sigismember(&set, SIGALRM));
		fflush(stdout);
	}
	return 0;
}
EOF
ok "build its host, which has masks saved" gcc -D_GNU_SOURCE -w -g ticked.c -o ticked "${link[@]}"
is "what its timers have sent does not end the host" "$(./ticked | tr '\n' '|')" "returned 0|fault 0|"

# --- An executable, and a plug-in -------------------------------------------------------------------------------
cat >work.cc <<'EOF'
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <pthread.h>
#include <string>
#include <unistd.h>
struct Object {
	std::string name;
	char *memory, *large;
	Object(const char *n) : name(n + std::string(100, ' ')), memory(strdup(n)), large((char *)malloc(1000000))
	{
		char *other = strdup("not kept");
		free(other);
		memory = (char *)realloc(memory, 3000);
		memset(large, 'x', 1000000);
	}
	~Object()
	{
		printf("~%.3s %s %c\n", name.c_str(), memory, large[999999]);
		free(memory);
		free(large);
	}
};
static Object &object() { static Object o("sta"); return o; }
static void handler() { puts("handler"); }
static void with_status(int status, void *argument) { printf("status %d %d\n", status, (int)(long)argument); }
static void forked() { write(1, "forked\n", 7); }
struct Throws { Throws() { char *p = strdup("lost"); strcat(p, ""); throw 1; } };
static int failing() { try { static Throws t; return 0; } catch (int) { return 1; } }
extern "C" long work(void *how)
{
	int number = (int)(long)how;
	if (number % 4 == 0) {
		for (int i = 0; i < 40; i++)
			atexit(i % 20 ? [] {} : handler);
		on_exit(with_status, (void *)5);
		at_quick_exit([] { puts("quick"); fflush(stdout); });
		pthread_atfork(forked, NULL, NULL);
	}
	if (object().name.size() != 103 || strcmp(object().memory, "sta") || failing() != 1 || failing() != 1)
		return 1;
	if (number % 4 == 1) *(volatile int *)8 = 1;
	if (number % 4 == 2) for (volatile int i = 0;; i++) ;
	return 0;
}
EOF
cat >main.c <<'EOF'
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <ripcord/ripcord.h>
#ifdef PLUGIN
static intptr_t (*work)(void *);
#else
intptr_t work(void *how);
#endif
static int kept;
static intptr_t fill(void *size)
{
	for (int i = 0; i < 2000; i++)
		memset(malloc((size_t)size), 0x41, (size_t)size);
	return 0;
}
static void run(rip_function function, void *argument)
{
	rip_options options = { .deadline = function == work && (long)argument == 2 ? 100000000 : 0 };
	rip_guest *guest;
	rip_outcome end;
	if (rip_create(&options, &guest) || rip_run(guest, function, argument, &end))
		exit(20);
	printf("%s %ld\n", rip_cause_name(end.cause), (long)end.value);
	kept += (int)rip_get_report(guest)->reclaimed.count[RIP_KIND_MEMORY];
	rip_destroy(guest);
}
int main(int argc, char **argv)
{
#ifdef PLUGIN
	void *plugin = dlopen("./plugin.so", RTLD_NOW);
	*(void **)&work = dlsym(plugin, "work");
#endif
	for (int i = 0; i < 6; i++)
		run(work, (void *)(long)i);
	int left = kept; /* what the constructor that threw has lost, each time */
	for (int size = 16; size < 20000; size *= 2)
		run(fill, (void *)(long)size);
	printf("left %d\n", left);
	fflush(stdout);
	if (fork() == 0)
		_exit(0);
	wait(NULL);
#ifdef PLUGIN
	if (argc > 2)
		printf("closed %d\n", dlclose(plugin));
#endif
	if (argc > 1 && !strcmp(argv[1], "quick"))
		quick_exit(6);
	return 4;
}
EOF
ok "build an executable" "$ripcord" c++ -c -w work.cc -o work.o
ok "with its host" "$ripcord" cc -w main.c work.o -o whole "${link[@]}" -lstdc++
ok "build a plug-in" "$ripcord" c++ -shared -w work.cc -o plugin.so
ok "and its host" "$ripcord" cc -w -DPLUGIN main.c -o plugged "${link[@]}" -ldl
runs="returned 0|fault 0|deadline 0|returned 0|returned 0|fault 0|$(yes 'returned 0' | head -11 | tr '\n' '|')"
is "an executable's handlers run at exit" "$(./whole | tr '\n' '|'; echo "${PIPESTATUS[0]}")" \
	"${runs}left 12|forked|forked|status 4 5|handler|handler|~sta sta x|status 4 5|handler|handler|4"
is "or at quick_exit" "$(./whole quick | tr '\n' '|'; echo "${PIPESTATUS[0]}")" \
	"${runs}left 12|forked|forked|quick|quick|6"
./plugged >out 2>err
is "a plug-in's run at exit" "$? $(tail -n +19 out | grep -v '^status' | tr '\n' '|')" \
	"4 forked|forked|handler|handler|~sta sta x|handler|handler|"
./plugged x close >out 2>err
is "or when it is closed" "$? $(tail -n +19 out | grep -v '^status' | tr '\n' '|')" \
	"4 forked|forked|handler|handler|~sta sta x|handler|handler|closed 0|"

# --- Handlers whose memory went with their guest: they must not take the host with them ------------------------------
cat >stale.cc <<'EOF'
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <pthread.h>
#include <unistd.h>
#include "ripcord/ripcord.h"
static char *name, *large;
static void print() { puts("handler"); fflush(stdout); free(name); puts("behind"); fflush(stdout); }
static void reads() { puts("reads"); fflush(stdout); large[5000000] = 1; }
static void leaves() { puts("leaves"); fflush(stdout); _exit(9); }
struct Object {
	char *memory = strdup("thread_local");
	~Object() { write(1, "~Object\n", 8); free(memory); memory[0] = 1; }
};
static thread_local Object object;
static intptr_t work(void *how)
{
	name = strdup("x");
	large = (char *)malloc(8000000);
	if (how)
		return atexit(leaves);
	return atexit(print) + atexit(reads) + (object.memory == nullptr);
}
static void *run(void *how)
{
	rip_guest *guest;
	rip_outcome end;
	if (rip_create(NULL, &guest) || rip_run(guest, work, how, &end) || end.cause != RIP_CAUSE_RETURNED || end.value)
		exit(20);
	rip_destroy(guest);
	return NULL;
}
int main(int argc, char **)
{
	pthread_t thread;
	pthread_create(&thread, NULL, run, argc > 1 ? &thread : NULL);
	pthread_join(thread, NULL);
	puts("joined");
	fflush(stdout);
	return 5;
}
EOF
ok "build one" "$ripcord" c++ -w stale.cc -o stale "${link[@]}" -pthread
is "what cannot run is stopped, and the process exits as it was to" "$(./stale | tr '\n' '|'; echo "${PIPESTATUS[0]}")" \
	"~Object|joined|reads|handler|5"
is "a handler can still end the process" "$(./stale x | tr '\n' '|'; echo "${PIPESTATUS[0]}")" "joined|leaves|9"

# --- Other ways to link -------------------------------------------------------------------------------------------------
ok "the host's part" "$ripcord" cc -w -c main.c -o main.o "${link[0]}"
for how in -fuse-ld=gold -fuse-ld=lld -flto -static-libstdc++; do
	if ! g++ $how -x c++ - -o probe 2>probe.err <<<'int main() { return 0; }'; then echo "# no $how here"; continue; fi
	ok "$how" "$ripcord" c++ -w $how guest.cc -o guest
	is "... the same" "$(./host exit | head -7 | tr '\n' '|')" "$(printf "$full" 7)exited 7|"
	ok "... an executable" "$ripcord" c++ -w $how main.o work.cc -o whole "${link[@]}"
	is "... keeps its statics" "$(./whole | grep -c '~sta sta x'; echo "${PIPESTATUS[0]}")" "$(printf '1\n4')"
done
finish
