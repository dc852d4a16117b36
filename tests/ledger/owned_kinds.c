/* SPDX-License-Identifier: MIT
 * What outlives a guest in the process and in libc: signals' handlers, timers, thread-specific keys and
 * values, settings with a pointer to the guest. Left by every way to end, and by guests that end in any
 * order. Built by `ripcord cc`. */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <printf.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <syslog.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#include "run_guest.h"
#include "tap.h"

static volatile int host_signals, guest_signals, destroyed;
static int private_file; /* of the host's, with FD_CLOEXEC */
static struct stat host_files[3];
static pthread_key_t host_key;
static tss_t host_tss;
static char host_value;

static void host_handler(int signal) { host_signals += signal != 0; }
static void guest_handler(int signal) { guest_signals += signal != 0; }
static void destroy(void *value) { destroyed += value != NULL; }

/* --- What a guest leaves ---------------------------------------------------------------------------------- */

static int by_signal(void) { return signal(SIGHUP, guest_handler) == host_handler && !raise(SIGHUP) && guest_signals == 1; }
static int by_ssignal(void) { return ssignal(SIGHUP, guest_handler) == host_handler && signal(SIGHUP, SIG_IGN) == guest_handler; }
__sighandler_t bsd_signal(int signal, __sighandler_t handler);
static int by_bsd_signal(void) { return bsd_signal(SIGHUP, guest_handler) == host_handler; }
static int by_sysv_signal(void)
{
	return sysv_signal(SIGHUP, guest_handler) == host_handler && !raise(SIGHUP) && guest_signals == 1 &&
	       signal(SIGHUP, SIG_IGN) == SIG_DFL;
}
static int by_sigaction(void)
{
	struct sigaction action = { .sa_handler = guest_handler, .sa_flags = SA_RESETHAND }, earlier;
	return !sigaction(SIGHUP, &action, &earlier) && earlier.sa_handler == host_handler && !sigaction(SIGHUP, &action, NULL);
}
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
static int by_sigset(void)
{
	return sigset(SIGHUP, guest_handler) == host_handler && sigset(SIGHUP, SIG_HOLD) == guest_handler &&
	       sigset(SIGHUP, guest_handler) == SIG_HOLD;
}
static int by_sigignore(void) { return !sigignore(SIGHUP) && !raise(SIGHUP); }
static int by_siginterrupt(void) { return !siginterrupt(SIGHUP, 1) && !siginterrupt(SIGHUP, 0); }
#pragma GCC diagnostic pop
static int by_default(void) { return signal(SIGHUP, SIG_DFL) == host_handler; }
static int by_two_signals(void) { return signal(SIGHUP, guest_handler) != SIG_ERR && signal(SIGUSR1, guest_handler) != SIG_ERR; }
static int by_bad_signal(void) { return signal(SIGKILL, guest_handler) == SIG_ERR && signal(0, guest_handler) == SIG_ERR && signal(65, SIG_IGN) == SIG_ERR; }

static int by_setitimer(void)
{
	struct itimerval timer = { { 0, 1000 }, { 0, 1000 } }, earlier;
	signal(SIGVTALRM, guest_handler);
	return !setitimer(ITIMER_VIRTUAL, &timer, &earlier) && !setitimer(ITIMER_VIRTUAL, &timer, &earlier);
}
static int by_alarm(void) { return alarm(100) > 100 && ualarm(900000, 1000) > 1000000; }
static int by_prof(void) { struct itimerval timer = { { 100, 0 }, { 100, 0 } }; return !setitimer(ITIMER_PROF, &timer, NULL); }
static int by_timer_create(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2 };
	struct itimerspec when = { { 0, 1000000 }, { 0, 1000000 } };
	timer_t timer, other, third;
	signal(SIGUSR2, guest_handler);
	return !timer_create(CLOCK_MONOTONIC, &event, &timer) && !timer_create(CLOCK_REALTIME, &event, &other) &&
	       !timer_settime(timer, 0, &when, NULL) && !timer_delete(other) && !timer_create(CLOCK_MONOTONIC, &event, &third);
}

static void tick(union sigval value) { guest_signals += value.sival_int; }
static int by_thread_timer(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD, .sigev_notify_function = tick };
	struct itimerspec when = { { 1000, 0 }, { 1000, 0 } };
	timer_t timer, other;
	return !timer_create(CLOCK_MONOTONIC, &event, &timer) && !timer_create(CLOCK_MONOTONIC, &event, &other) &&
	       !timer_settime(timer, 0, &when, NULL) && !timer_delete(other);
}

/* Waits until it is pending. */
static int gets_blocked(int signal)
{
	sigset_t set;
	do
		sigpending(&set);
	while (!sigismember(&set, signal));
	return 1;
}
static int block(int signal)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, signal);
	return sigprocmask(SIG_BLOCK, &set, NULL) == 0;
}
static int by_blocked_alarm(void)
{
	struct itimerval timer = { { 0, 1000 }, { 0, 1000 } };
	return block(SIGVTALRM) && !setitimer(ITIMER_VIRTUAL, &timer, NULL) && gets_blocked(SIGVTALRM);
}
static int by_blocked_timer(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1 };
	struct itimerspec when = { { 0, 1000000 }, { 0, 1000000 } };
	timer_t timer;
	return block(SIGRTMIN + 1) && !timer_create(CLOCK_MONOTONIC, &event, &timer) &&
	       !timer_settime(timer, 0, &when, NULL) && gets_blocked(SIGRTMIN + 1);
}

static int by_fdopen(void)
{
	FILE *input = fdopen(0, "r"), *output = fdopen(1, "w"), *kept = fdopen(2, "w");
	return input && output && kept && fclose(input) == 0 && fclose(output) == 0 && close(0) < 0 && errno == EBADF &&
	       open("/dev/null", O_RDONLY) == 0;
}
static int by_freopened(void)
{
	FILE *output = fdopen(1, "w"), *file = freopen("/dev/null", "w", output);
	return output && file && fprintf(file, "lost") == 4;
}
static int by_duplicate(void) { return dup2(2, private_file) == private_file && close(private_file) == 0; }

static int by_key(void)
{
	pthread_key_t key, other;
	return !pthread_key_create(&key, destroy) && !pthread_setspecific(key, &key) && !pthread_key_create(&other, NULL) &&
	       !pthread_key_delete(other);
}
static int by_tss(void)
{
	tss_t key, other;
	int good = tss_create(&key, destroy) == thrd_success && tss_set(key, &key) == thrd_success &&
		   tss_create(&other, NULL) == thrd_success;
	tss_delete(other);
	return good;
}
static int by_value(void) { return !pthread_setspecific(host_key, malloc(10)) && !pthread_setspecific(host_key, malloc(20)); }
static int by_tss_value(void) { return tss_set(host_tss, malloc(10)) == thrd_success; }
static int by_no_value(void) { return !pthread_setspecific(host_key, NULL); }

static int by_locale(void)
{
	locale_t locale = newlocale(LC_ALL_MASK, "C.UTF-8", NULL), other = duplocale(locale), third = duplocale(locale);
	freelocale(third);
	return locale && other && uselocale(other) == LC_GLOBAL_LOCALE && (locale = newlocale(LC_ALL_MASK, "C", locale));
}
static int by_random(void) { return initstate(7, malloc(128), 128) != NULL && random() > 0; }
static int by_syslog(void) { openlog(strdup("guest"), LOG_NDELAY, LOG_USER); return 1; }
static int print_guest(FILE *stream, const struct printf_info *info, const void *const *args)
{
	(void)info, (void)args;
	return fputs("guest", stream) >= 0 ? 5 : -1;
}
static int ask_guest(const struct printf_info *info, size_t count, int *types, int *sizes)
{
	(void)info, (void)count, (void)types, (void)sizes;
	return 0;
}
static int by_printf(void)
{
	char text[20];
	static const char *volatile format = "%Y";
	return !register_printf_specifier('Y', print_guest, ask_guest) && snprintf(text, sizeof text, format) == 5;
}
static int by_buffer(void) { return !setvbuf(stdout, malloc(BUFSIZ), _IOFBF, BUFSIZ) && (setbuf(stdin, malloc(BUFSIZ)), 1); }
static int by_semaphore(void)
{
	sem_t *a = sem_open("/ripcord-kinds", O_CREAT, 0600, 1), *b = sem_open("/ripcord-kinds", 0), *c = sem_open("/ripcord-kinds", 0);
	sem_unlink("/ripcord-kinds");
	return a != SEM_FAILED && a == b && b == c && sem_close(a) == 0;
}
static int by_shmat(void)
{
	int id = shmget(IPC_PRIVATE, 10000, 0600);
	void *a = shmat(id, NULL, 0), *b = shmat(id, NULL, 0);
	shmctl(id, IPC_RMID, NULL);
	return a != (void *)-1 && shmdt(b) == 0;
}
static int by_putenv(void)
{
	char *variable = strdup("RIPCORD_KINDS=guest");
	return !putenv(variable) && !strcmp(getenv("RIPCORD_KINDS"), "guest");
}

static const struct leaver { const char *name; int (*leave)(void); int count[RIP_KINDS]; } leavers[] = {
	{ "signal", by_signal, { [RIP_KIND_SIGNAL] = 1 } }, { "ssignal", by_ssignal, { [RIP_KIND_SIGNAL] = 1 } },
	{ "bsd_signal", by_bsd_signal, { [RIP_KIND_SIGNAL] = 1 } },
	{ "sysv_signal", by_sysv_signal, { [RIP_KIND_SIGNAL] = 1 } },
	{ "sigaction", by_sigaction, { [RIP_KIND_SIGNAL] = 1 } }, { "sigset", by_sigset, { [RIP_KIND_SIGNAL] = 1 } },
	{ "sigignore", by_sigignore, { [RIP_KIND_SIGNAL] = 1 } },
	{ "siginterrupt", by_siginterrupt, { [RIP_KIND_SIGNAL] = 1 } },
	{ "SIG_DFL", by_default, { [RIP_KIND_SIGNAL] = 1 } }, { "two signals", by_two_signals, { [RIP_KIND_SIGNAL] = 2 } },
	{ "no signals", by_bad_signal, { 0 } },
	{ "setitimer", by_setitimer, { [RIP_KIND_SIGNAL] = 1, [RIP_KIND_ALARM] = 1 } },
	{ "alarm, ualarm", by_alarm, { [RIP_KIND_ALARM] = 1 } }, { "ITIMER_PROF", by_prof, { [RIP_KIND_ALARM] = 1 } },
	{ "timer_create", by_timer_create, { [RIP_KIND_SIGNAL] = 1, [RIP_KIND_TIMER] = 2 } },
	{ "timer_create, SIGEV_THREAD", by_thread_timer, { [RIP_KIND_TIMER] = 1 } },
	{ "setitimer, blocked", by_blocked_alarm, { [RIP_KIND_ALARM] = 1 } },
	{ "timer_create, blocked", by_blocked_timer, { [RIP_KIND_TIMER] = 1 } },
	{ "fdopen", by_fdopen, { [RIP_KIND_REPLACED] = 2, [RIP_KIND_STREAM] = 1 } },
	{ "fdopen, freopen", by_freopened, { [RIP_KIND_REPLACED] = 1, [RIP_KIND_STREAM] = 1 } },
	{ "dup2 onto one with FD_CLOEXEC", by_duplicate, { [RIP_KIND_REPLACED] = 1 } },
	{ "pthread_key_create", by_key, { [RIP_KIND_KEY] = 1 } }, { "tss_create", by_tss, { [RIP_KIND_KEY] = 1 } },
	{ "pthread_setspecific", by_value, { [RIP_KIND_VALUE] = 1, [RIP_KIND_MEMORY] = 2 } },
	{ "tss_set", by_tss_value, { [RIP_KIND_VALUE] = 1, [RIP_KIND_MEMORY] = 1 } },
	{ "a value of NULL", by_no_value, { [RIP_KIND_VALUE] = 1 } },
	{ "locales", by_locale, { [RIP_KIND_SETTING] = 1, [RIP_KIND_LOCALE] = 2 } },
	{ "initstate", by_random, { [RIP_KIND_SETTING] = 1, [RIP_KIND_MEMORY] = 1 } },
	{ "openlog", by_syslog, { [RIP_KIND_SETTING] = 1, [RIP_KIND_MEMORY] = 1 } },
	{ "register_printf_specifier", by_printf, { [RIP_KIND_SETTING] = 1 } },
	{ "setvbuf, setbuf", by_buffer, { [RIP_KIND_BUFFERING] = 2, [RIP_KIND_MEMORY] = 2 } },
	{ "sem_open", by_semaphore, { [RIP_KIND_SEMAPHORE] = 1 } }, { "shmat", by_shmat, { [RIP_KIND_MAPPING] = 1 } },
	{ "putenv", by_putenv, { [RIP_KIND_MEMORY] = 1 } },
};
enum { LEAVERS = sizeof leavers / sizeof leavers[0] };
enum end { BY_RETURN, BY_EXIT, BY_FAULT, BY_ABORT, ENDS };

static int left;

NOINLINE static intptr_t leave_and_end(void *context)
{
	int number = (int)(intptr_t)context;

	guest_signals = 0;
	left = leavers[number / ENDS].leave();
	switch ((enum end)(number % ENDS)) {
	case BY_EXIT: exit(3);
	case BY_FAULT: *null_pointer = 1; break;
	case BY_ABORT: abort();
	default: break;
	}
	return 0;
}

/* --- What the host has ---------------------------------------------------------------------------------------- */

static int count_lines(const char *path, const char *with)
{
	FILE *file = fopen(path, "r");
	char line[512];
	int count = 0;

	while (file && fgets(line, sizeof line, file))
		count += strstr(line, with) != NULL;
	if (file)
		fclose(file);
	return count;
}

static int is_handler(int signal, __sighandler_t handler)
{
	struct sigaction action;

	return sigaction(signal, NULL, &action) == 0 && action.sa_handler == handler;
}

static const char *differing_file(void)
{
	struct stat now;

	for (int fd = 0; fd < 3; fd++)
		if (fstat(fd, &now) || now.st_ino != host_files[fd].st_ino || now.st_dev != host_files[fd].st_dev)
			return "standard descriptors";
	return fcntl(private_file, F_GETFD) == FD_CLOEXEC ? NULL : "FD_CLOEXEC";
}

static const char *first_difference(void)
{
	struct itimerval real, virtual, prof;
	char text[20];
	static const char *volatile format = "%Y";

	sigset_t none;

	sigemptyset(&none);
	pthread_sigmask(SIG_SETMASK, &none, NULL);
	if (differing_file())
		return differing_file();
	if (!is_handler(SIGHUP, host_handler) || !is_handler(SIGVTALRM, SIG_DFL))
		return "handlers";
	host_signals = 0;
	if (raise(SIGHUP) || raise(SIGHUP) || host_signals != 2)
		return "signals";
	if (getitimer(ITIMER_REAL, &real) || getitimer(ITIMER_VIRTUAL, &virtual) || getitimer(ITIMER_PROF, &prof) ||
	    real.it_value.tv_sec < 900 || real.it_interval.tv_sec != 0 || virtual.it_value.tv_sec + virtual.it_value.tv_usec ||
	    virtual.it_interval.tv_usec || prof.it_value.tv_sec)
		return "interval timers";
	if (count_lines("/proc/self/timers", "ID:"))
		return "timers";
	if (pthread_getspecific(host_key) != &host_value || tss_get(host_tss) != &host_value)
		return "values";
	if (destroyed)
		return "a guest's destructor ran";
	if (uselocale(NULL) != LC_GLOBAL_LOCALE)
		return "locale";
	if (count_lines("/proc/self/maps", "/dev/shm") || count_lines("/proc/self/maps", "SYSV"))
		return "memory";
	if (snprintf(text, sizeof text, format) == 5)
		return "printf";
	return NULL;
}

static int counts_are(const rip_reclaimed *reclaimed, const int expected[RIP_KINDS])
{
	int good = reclaimed->failed == 0;

	for (int kind = 1; kind < RIP_KINDS; kind++)
		if (reclaimed->count[kind] != (uint64_t)expected[kind]) {
			printf("# %s: got %d, expected %d\n", rip_kind_name((rip_kind)kind), (int)reclaimed->count[kind],
			       expected[kind]);
			good = 0;
		}
	return good;
}

static void leaving(void)
{
	static const char *const ends[] = { "return", "exit", "a fault", "abort" };
	rip_report report;
	long numbers[2];

	for (int number = 0; number < LEAVERS * ENDS; number++) {
		srandom(1);
		numbers[0] = random();
		srandom(1);
		left = -1;
		run_guest(leave_and_end, (void *)(intptr_t)number, &report);
		numbers[1] = random();
		const char *difference = first_difference();
		int good = counts_are(&report.reclaimed, leavers[number / ENDS].count) && numbers[0] == numbers[1];
		tap_ok(good && left == 1 && !difference, "%s, left by %s", leavers[number / ENDS].name, ends[number % ENDS]);
		if (!good || left != 1 || difference)
			printf("# left %d, failed %d, different: %s\n", left, (int)report.reclaimed.failed,
			       difference ? difference : "nothing");
	}
}

/* What was registered for signals that a guest's children and peers send comes to nothing, but does not end
 * the host. */
static void late_signals(void)
{
	tap_ok(raise(SIGUSR1) == 0 && raise(SIGUSR2) == 0 && guest_signals == 0, "a late SIGUSR1 and SIGUSR2 do nothing");
}

static intptr_t handles_child(void *unused)
{
	(void)unused;
	return signal(SIGCHLD, guest_handler) != SIG_ERR;
}

static atomic_int looping;

static void *run_handlers(void *unused)
{
	rip_report report;

	while (looping)
		run_guest(handles_child, NULL, &report);
	return unused;
}

/* While SIGCHLD is ignored, children of the host's that end are lost. */
static void children_of_host(void)
{
	enum { CHILDREN = 400 };
	pthread_t thread;
	int found = 0;

	looping = 1;
	pthread_create(&thread, NULL, run_handlers, NULL);
	for (int i = 0; i < CHILDREN; i++) {
		pid_t child = fork();
		if (child == 0)
			_exit(0);
		pid_t got;
		while ((got = waitpid(child, NULL, 0)) < 0 && errno == EINTR)
			;
		found += got == child;
	}
	looping = 0;
	pthread_join(thread, NULL);
	tap_ok(found == CHILDREN, "while guests handle SIGCHLD, the host finds all its children (%d)", found);
}

static intptr_t make_key(void *unused)
{
	pthread_key_t key;

	(void)unused;
	return pthread_key_create(&key, destroy) || pthread_setspecific(key, &key);
}

static intptr_t bad_state(void *which)
{
	return which ? setstate((char *)16) != NULL : initstate(1, (char *)16, 128) != NULL;
}

static void bad_random(void)
{
	rip_report report;
	int faults = 0;

	srandom(1);
	long first = random();
	for (int which = 0; which < 2; which++)
		faults += run_guest(bad_state, (void *)(intptr_t)which, &report).cause == RIP_CAUSE_FAULT &&
			  report.reclaimed.failed == 0;
	srandom(1);
	tap_ok(faults == 2 && random() == first, "random() is whole after states that are none");
}

static intptr_t kill_nobody(void *thread) { return pthread_kill((pthread_t)thread, 0); }

static void bad_thread(void)
{
	rip_report report;

	tap_ok(run_guest(kill_nobody, (void *)4096, &report).cause == RIP_CAUSE_FAULT &&
	       run_guest(kill_nobody, (void *)pthread_self(), &report).value == 0 &&
	       report.cause == RIP_CAUSE_RETURNED, "pthread_kill of a thread that is none is the guest's fault");
}

static void many_keys(void)
{
	pthread_key_t key;
	rip_report report;
	int good = 1;

	for (int i = 0; i < 1100; i++)
		good &= run_guest(make_key, NULL, &report).value == 0;
	tap_ok(good && pthread_key_create(&key, NULL) == 0 && pthread_key_delete(key) == 0, "1,100 guests with a key each");
}

/* --- Guests side by side ---------------------------------------------------------------------------------------- */

static void first(int signal) { guest_signals += signal; }
static void second(int signal) { guest_signals += 100 * signal; }
static int files[2];

static intptr_t change_and_wait(void *context)
{
	int number = (int)(intptr_t)context;

	signal(SIGHUP, number ? second : first);
	alarm(number ? 50 : 70);
	dup2(files[number], 0);
	rip_yield(NULL, 0, NULL, NULL);
	signal(SIGHUP, number ? second : first);
	rip_yield(NULL, 0, NULL, NULL);
	return 0;
}

/* `turns`: which guest runs, step by step; each has three. */
static void side_by_side(const char *turns)
{
	rip_guest *guests[2];
	rip_outcome outcome;
	int good = 1, steps[2] = { 0, 0 };
	ino_t before;
	struct stat now;

	fstat(0, &now);
	before = now.st_ino;
	for (int i = 0; i < 2; i++)
		good &= rip_create(NULL, &guests[i]) == RIP_OK;
	for (; *turns; turns++) {
		int i = *turns - 'a';
		good &= (steps[i]++ == 0 ? rip_run(guests[i], change_and_wait, (void *)(intptr_t)i, &outcome)
					 : rip_resume(guests[i], NULL, 0, &outcome)) == RIP_OK;
	}
	const char *difference = first_difference();
	fstat(0, &now);
	tap_ok(good && steps[0] == 3 && steps[1] == 3 && !difference && now.st_ino == before, "guests in turns: the host's come back");
	if (difference)
		printf("# different: %s\n", difference);
	rip_destroy(guests[0]);
	rip_destroy(guests[1]);
}

static intptr_t hand_over(void *unused)
{
	(void)unused;
	signal(SIGHUP, first);
	pthread_key_t *key = malloc(sizeof *key);
	pthread_key_create(key, NULL);
	intptr_t number = (intptr_t)*key;
	return rip_give_object(RIP_KIND_SIGNAL, SIGHUP, 0) == RIP_OK && rip_give_object(RIP_KIND_KEY, *key, 0) == RIP_OK &&
	       rip_give_object(RIP_KIND_KEY, *key, 0) == RIP_E_ARGUMENT &&
	       rip_take_object(RIP_KIND_SIGNAL, SIGHUP, 0) == RIP_E_ARGUMENT &&
	       rip_give_object(RIP_KIND_SIGNAL, SIGHUP, 0) == RIP_E_ARGUMENT ? number : -1;
}

static void handing_over(void)
{
	rip_report report;
	intptr_t key = run_guest(hand_over, NULL, &report).value;

	tap_ok(key >= 0 && is_handler(SIGHUP, first) && pthread_key_delete((pthread_key_t)key) == 0 &&
	       report.reclaimed.total == 1, "what was handed over stays");
	signal(SIGHUP, host_handler);
}

int main(void)
{
	signal(SIGHUP, host_handler);
	pthread_key_create(&host_key, NULL);
	tss_create(&host_tss, NULL);
	pthread_setspecific(host_key, &host_value);
	tss_set(host_tss, &host_value);
	private_file = open("/dev/null", O_RDONLY | O_CLOEXEC);
	for (int fd = 0; fd < 3; fd++)
		fstat(fd, &host_files[fd]);
	alarm(1000);
	leaving();
	late_signals();
	children_of_host();
	bad_random();
	bad_thread();
	many_keys();
	files[0] = open("/", O_RDONLY);
	files[1] = open("/tmp", O_RDONLY);
	static const char *const orders[] = { "aaabbb", "abaabb", "ababab", "ababba", "abbaba", "abbbaa", "abbaab", "aabbba", "aababb" };
	for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++)
		side_by_side(orders[i]);
	handing_over();
	tap_done();
}
