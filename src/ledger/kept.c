/* SPDX-License-Identifier: MIT
 * kept: the lists, and how each kind is read and put back. */
#include "ledger/kept.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <printf.h>
#include <pthread.h>
#include <signal.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "port/lock.h"
#include "port/port.h"

/* A standard stream. */
struct stream {
	int flags, fd, orientation; /* as fwide: 0 is none yet */
	char *base;                 /* its buffer; NULL: it has not been used yet */
	size_t size;
	const char *ahead;          /* of input: what has been read of the descriptor and not of the stream */
	size_t ahead_size;
	uint64_t ahead_sum;
};

/* A descriptor's: fcntl's F_GETFL, which all copies of it share, and F_GETFD; -1: it is not open. */
struct flags { int status, own; };

/* What a thing is set to. */
union state {
	struct sigaction signal;
	struct { struct itimerval timer; uint64_t at; } alarm;
	struct { int fd; struct flags flags; struct stream stream; } descriptor; /* `stream`: the one on it */
	struct flags flags[STDERR_FILENO + 1];
	struct stream stream;
	void *pointer;
};

struct rip_kept {
	struct rip_kept *older, *newer; /* in its bucket; `older` links free ones, too */
	struct rip_ledger *ledger;
	rip_kind kind;
	uint32_t number;
	uint32_t thread;                /* 0: the process has one */
	bool closed;                    /* see rip_kept_is_closed */
	union state before, after;      /* what stood there, and what the guest made of it */
};

enum { BUCKETS = 256, CHUNK = 64 * 1024 };

static struct rip_kept *buckets[BUCKETS]; /* the newest first */
static struct rip_kept *free_ones;
static struct rip_lock kept_lock = RIP_LOCK_INIT;

static void lock(sigset_t *mask)
{
	static const int needed[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS };
	sigset_t all;

	sigfillset(&all);
	for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
		sigdelset(&all, needed[i]);
	pthread_sigmask(SIG_SETMASK, &all, mask);
	rip_lock_take(&kept_lock);
}

static void unlock(const sigset_t *mask)
{
	rip_lock_give(&kept_lock);
	pthread_sigmask(SIG_SETMASK, mask, NULL);
}

void rip_kept_before_fork(void)
{
	rip_lock_take(&kept_lock);
}

void rip_kept_after_fork(void)
{
	rip_lock_give(&kept_lock);
}

/* --- Kinds ------------------------------------------------------------------------------------------ */

static bool read_signal(const struct rip_ledger *ledger, uint32_t number, union state *state)
{
	(void)ledger;
	return number != SIGKILL && number != SIGSTOP && sigaction((int)number, NULL, &state->signal) == 0;
}

static bool is_same_signal(const union state *a, const union state *b)
{
	return a->signal.sa_handler == b->signal.sa_handler && a->signal.sa_flags == b->signal.sa_flags;
}

/* Those of SIGCHLD are never discarded: while it is ignored, children of the host's that end are nobody's
 * (POSIX, Consequences of Process Termination). */
static bool is_harmless(int signal)
{
	return signal == SIGCHLD || signal == SIGCONT || signal == SIGURG || signal == SIGWINCH;
}

static bool is_pending(int signal)
{
	sigset_t pending;

	return sigpending(&pending) == 0 && sigismember(&pending, signal) == 1;
}

/* A signal that is ignored is no longer pending (POSIX, Signal Concepts). */
static void discard_pending(int signal)
{
	static const struct sigaction ignore = { .sa_handler = SIG_IGN };

	if (!is_harmless(signal) && is_pending(signal))
		sigaction(signal, &ignore, NULL);
}

static bool write_signal(const struct rip_ledger *ledger, uint32_t number, const union state *state)
{
	(void)ledger;
	if (state->signal.sa_handler == SIG_DFL)
		discard_pending((int)number);
	return sigaction((int)number, &state->signal, NULL) == 0;
}

/* What a timer has sent that is gone, and would end the process. Locked. */
static void discard_unhandled(int signal)
{
	union state state;

	if (read_signal(NULL, (uint32_t)signal, &state) && state.signal.sa_handler == SIG_DFL)
		write_signal(NULL, (uint32_t)signal, &state);
}

void rip_kept_discard(int signal)
{
	sigset_t mask;

	lock(&mask);
	discard_unhandled(signal);
	unlock(&mask);
}

/* Signals that nobody sends but who the guest asked to: processes and threads that it started, queues, peers.
 * One that comes late would end the process. All others that a guest handles come from its timers, which are
 * gone, or mean the process (SIGTERM, SIGHUP). */
static bool may_come_late(uint32_t number)
{
	return number == SIGUSR1 || number == SIGUSR2 || number == SIGIO || (int)number >= SIGRTMIN;
}

static void ignore(int signal)
{
	(void)signal;
}

static bool is_function(const union state *state)
{
	return state->signal.sa_handler != SIG_DFL && state->signal.sa_handler != SIG_IGN;
}

/* A handler that does nothing and not SIG_IGN, which programs that the host executes would inherit. */
static void expect_late(const struct rip_kept *kept, union state *state)
{
	if (kept->kind == RIP_KIND_SIGNAL && may_come_late(kept->number) && is_function(&kept->after) &&
	    state->signal.sa_handler == SIG_DFL) {
		state->signal.sa_handler = ignore;
		state->signal.sa_flags = SA_RESTART;
	}
}

/* The clock of an interval timer, in us. */
static uint64_t clock_of(uint32_t which)
{
	struct timespec now;

	clock_gettime(which == ITIMER_REAL ? CLOCK_MONOTONIC : CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static bool read_alarm(const struct rip_ledger *ledger, uint32_t number, union state *state)
{
	(void)ledger;
	state->alarm.at = clock_of(number);
	return getitimer((__itimer_which_t)number, &state->alarm.timer) == 0;
}

/* What would have gone off meanwhile goes off now. What the guest's timer has sent, and nobody has taken, does not. */
static bool write_alarm(const struct rip_ledger *ledger, uint32_t number, const union state *state)
{
	static const struct itimerval never;
	struct itimerval timer = state->alarm.timer;
	uint64_t left = (uint64_t)timer.it_value.tv_sec * 1000000 + (uint64_t)timer.it_value.tv_usec;
	uint64_t passed = clock_of(number) - state->alarm.at;

	(void)ledger;
	if (left) {
		left = left > passed ? left - passed : 1;
		timer.it_value = (struct timeval){ (time_t)(left / 1000000), (suseconds_t)(left % 1000000) };
	}
	setitimer((__itimer_which_t)number, &never, NULL);
	discard_unhandled(number == ITIMER_REAL ? SIGALRM : number == ITIMER_VIRTUAL ? SIGVTALRM : SIGPROF);
	return setitimer((__itimer_which_t)number, &timer, NULL) == 0;
}

static bool read_value(const struct rip_ledger *ledger, uint32_t number, union state *state)
{
	(void)ledger;
	state->pointer = pthread_getspecific(number);
	return true;
}

static bool is_same_pointer(const union state *a, const union state *b)
{
	return a->pointer == b->pointer;
}

static bool write_value(const struct rip_ledger *ledger, uint32_t number, const union state *state)
{
	(void)ledger;
	return pthread_setspecific(number, state->pointer) == 0;
}

/* --- Descriptors, and the standard streams on them --- */

/* glibc's flags of a stream (libio/libio.h). */
enum { USER_BUF = 1, UNBUFFERED = 2, LINE_BUF = 0x200, CURRENTLY_PUTTING = 0x800,
       MODE = 4 | 8 | 0x1000 /* may not be read, not be written; appends */ };

static FILE *standard_stream(uint32_t number)
{
	extern FILE _IO_2_1_stdin_, _IO_2_1_stdout_, _IO_2_1_stderr_;

	return number == 0 ? &_IO_2_1_stdin_ : number == 1 ? &_IO_2_1_stdout_ : &_IO_2_1_stderr_;
}

static struct flags read_flags_of(int fd)
{
	return (struct flags){ fcntl(fd, F_GETFL), fcntl(fd, F_GETFD) };
}

static void write_status(int fd, int status)
{
	if (status >= 0 && fcntl(fd, F_GETFL) != status)
		fcntl(fd, F_SETFL, status);
}

/* Kept out of the way of those that a program counts on to get. */
enum { KEPT_FROM = 512 };

static void read_ahead(const FILE *stream, struct stream *state)
{
	uint64_t sum = 0;
	size_t size = (size_t)(stream->_IO_read_end - stream->_IO_read_ptr);

	state->ahead = NULL;
	if (stream->_IO_read_ptr >= stream->_IO_read_end || !rip_port_readable((uintptr_t)stream->_IO_read_ptr, size))
		return;
	for (size_t i = 0; i < size; i++)
		sum = sum * 31 + (unsigned char)stream->_IO_read_ptr[i];
	state->ahead = stream->_IO_read_ptr;
	state->ahead_size = size;
	state->ahead_sum = sum;
}

static void read_stream(uint32_t number, struct stream *state)
{
	const FILE *stream = standard_stream(number);

	state->flags = stream->_flags & (USER_BUF | UNBUFFERED | LINE_BUF | MODE);
	state->fd = stream->_fileno;
	state->orientation = stream->_mode;
	state->base = stream->_IO_buf_base;
	state->size = (size_t)(stream->_IO_buf_end - stream->_IO_buf_base);
	read_ahead(stream, state);
}

static bool read_descriptor(const struct rip_ledger *ledger, uint32_t number, union state *state)
{
	int fd = fcntl((int)number, F_DUPFD_CLOEXEC, KEPT_FROM);

	(void)ledger;
	if (fd < 0 && errno == EINVAL) /* a low limit */
		fd = fcntl((int)number, F_DUPFD_CLOEXEC, 3);
	state->descriptor.fd = fd;
	state->descriptor.flags = read_flags_of((int)number);
	if (number <= STDERR_FILENO)
		read_stream(number, &state->descriptor.stream);
	return fd >= 0;
}

static bool write_descriptor(const struct rip_ledger *ledger, uint32_t number, const union state *state)
{
	bool own = state->descriptor.flags.own & FD_CLOEXEC;

	(void)ledger;
	write_status(state->descriptor.fd, state->descriptor.flags.status);
	bool good = dup3(state->descriptor.fd, (int)number, own ? O_CLOEXEC : 0) >= 0;
	close(state->descriptor.fd);
	return good;
}

static void drop_descriptor(const union state *state)
{
	close(state->descriptor.fd);
}

static bool read_buffering(const struct rip_ledger *ledger, uint32_t number, union state *state)
{
	(void)ledger;
	read_stream(number, &state->stream);
	return true;
}

/* As glibc's static streams are at first: the next use allocates a buffer, and looks whether it is a terminal. */
static void take_buffer_away(FILE *stream)
{
	char *base = stream->_flags & USER_BUF ? NULL : stream->_IO_buf_base;

	stream->_IO_read_ptr = stream->_IO_read_end = stream->_IO_read_base = NULL;
	stream->_IO_write_ptr = stream->_IO_write_end = stream->_IO_write_base = NULL;
	stream->_IO_buf_base = stream->_IO_buf_end = NULL;
	stream->_flags &= ~(CURRENTLY_PUTTING | USER_BUF | UNBUFFERED | LINE_BUF);
	free(base);
}

/* The stream is locked. */
static bool write_stream_buffering(FILE *stream, const struct stream *state)
{
	int flags = state->flags;
	int mode = flags & UNBUFFERED ? _IONBF : flags & LINE_BUF ? _IOLBF : _IOFBF;
	bool moved = (flags & USER_BUF) && state->base && stream->_IO_buf_base != state->base;

	if (((stream->_flags & UNBUFFERED) && mode != _IONBF) || (!state->base && stream->_IO_buf_base)) {
		fflush(stream);
		take_buffer_away(stream);
	}
	if (!state->base && mode == _IOFBF)
		return true;
	return setvbuf(stream, moved ? state->base : NULL, mode, moved ? state->size : 0) == 0;
}

static bool write_buffering(const struct rip_ledger *ledger, uint32_t number, const union state *state)
{
	FILE *stream = standard_stream(number);

	(void)ledger;
	if (ftrylockfile(stream) != 0)
		return false;
	bool good = write_stream_buffering(stream, &state->stream);
	funlockfile(stream);
	return good;
}

/* A stream that the guest has closed, as freopen does where there is no such file, is none of libc's any more, and
 * one that it has written wide characters to has other functions. freopen has it be as at first; which file it is on
 * does not matter, since the descriptor comes back. */
static bool open_again(FILE *stream, uint32_t number, const struct stream *state)
{
	int writes = !(state->flags & 8), reads = !(state->flags & 4);

	if (!freopen("/dev/null", writes && reads ? "r+" : writes ? "w" : "r", stream))
		return false;
	if (stream->_fileno != (int)number)
		close(stream->_fileno);
	stream->_fileno = (int)number;
	return true;
}

static bool write_stream(FILE *stream, uint32_t number, const struct stream *state)
{
	bool good = true;

	if (state->fd == (int)number && (stream->_fileno != state->fd || (stream->_mode > 0 && state->orientation <= 0)))
		good = open_again(stream, number, state);
	stream->_mode = state->orientation;
	stream->_flags = (stream->_flags & ~MODE) | (state->flags & MODE);
	return write_stream_buffering(stream, state) && good;
}

/* The guest has not read, and what is in the stream is the host's. */
static bool is_untouched(FILE *stream, const struct stream *state)
{
	struct stream now;

	read_ahead(stream, &now);
	return state->ahead && now.ahead == state->ahead && now.ahead_size == state->ahead_size &&
	       now.ahead_sum == state->ahead_sum && stream->_fileno == state->fd;
}

/* What the guest wrote goes where it was to go, or is lost; the host's part was written before. */
static bool settle_stream(const struct rip_kept *kept, FILE *stream, bool flush)
{
	if (flush)
		fflush(stream);
	__fpurge(stream);
	clearerr(stream);
	return write_stream(stream, kept->number, &kept->before.descriptor.stream);
}

bool rip_kept_settle_stream(const struct rip_kept *kept, bool flush)
{
	FILE *stream = standard_stream(kept->number);

	if (kept->number > STDERR_FILENO)
		return true;
	if (ftrylockfile(stream) != 0)
		return false;
	bool good = is_untouched(stream, &kept->before.descriptor.stream) || settle_stream(kept, stream, flush);
	funlockfile(stream);
	return good;
}

/* --- Flags of descriptors 0 to 2 --- */

/* The host's descriptor, while the guest has put another in its place. */
static struct rip_kept *replaced(const struct rip_ledger *ledger, uint32_t fd)
{
	uint64_t *data = rip_table_find(&ledger->table, RIP_KIND_REPLACED, fd);

	return data ? (void *)(uintptr_t)*data : NULL;
}

static void read_flags(const struct rip_ledger *ledger, struct flags *flags)
{
	for (uint32_t fd = 0; fd <= STDERR_FILENO; fd++) {
		const struct rip_kept *kept = replaced(ledger, fd);
		flags[fd] = kept ? kept->before.descriptor.flags : read_flags_of((int)fd);
	}
}

/* All three come back at once: they may be copies of one, or have been when the first was changed. */
static void write_flags(const struct rip_ledger *ledger, const struct flags *flags)
{
	for (uint32_t fd = 0; fd <= STDERR_FILENO; fd++) {
		struct rip_kept *kept = replaced(ledger, fd);
		if (kept) { /* it comes back later */
			kept->before.descriptor.flags = flags[fd];
			continue;
		}
		write_status((int)fd, flags[fd].status);
		if (flags[fd].own >= 0 && fcntl((int)fd, F_GETFD) != flags[fd].own)
			fcntl((int)fd, F_SETFD, flags[fd].own);
	}
}

/* --- Settings --- */

static bool read_setting(const struct rip_ledger *ledger, uint32_t number, union state *state)
{
	if (number == RIP_SETTING_LOCALE)
		state->pointer = uselocale((locale_t)0);
	if (number == RIP_SETTING_RANDOM) { /* there is no other way to ask for it */
		char room[8];
		state->pointer = initstate(1, room, sizeof room);
		setstate(state->pointer);
	}
	if (number == RIP_SETTING_FLAGS)
		read_flags(ledger, state->flags);
	return true;
}

static bool write_setting(const struct rip_ledger *ledger, uint32_t number, const union state *state)
{
	if (number == RIP_SETTING_LOCALE)
		return uselocale(state->pointer) != NULL;
	if (number == RIP_SETTING_RANDOM)
		return setstate(state->pointer) != NULL;
	if (number == RIP_SETTING_SYSLOG)
		closelog();
	if (number == RIP_SETTING_FLAGS)
		write_flags(ledger, state->flags);
	if (number >= RIP_SETTING_PRINTF)
		return register_printf_specifier((int)(number - RIP_SETTING_PRINTF), NULL, NULL) == 0;
	return true;
}

static const struct kept_kind {
	/* `ledger`: the guest's that changes it, or has changed it */
	bool (*read)(const struct rip_ledger *ledger, uint32_t number, union state *state);
	bool (*write)(const struct rip_ledger *ledger, uint32_t number, const union state *state);
	void (*drop)(const union state *state);                    /* NULL: a state holds nothing */
	bool (*is_same)(const union state *a, const union state *b); /* NULL: it does not tell */
	bool may_fault;                                            /* write is not for where the lock is held */
} kinds[RIP_KINDS] = {
	[RIP_KIND_ALARM] = { read_alarm, write_alarm, NULL, NULL, false },
	[RIP_KIND_SIGNAL] = { read_signal, write_signal, NULL, is_same_signal, false },
	[RIP_KIND_VALUE] = { read_value, write_value, NULL, is_same_pointer, false },
	[RIP_KIND_SETTING] = { read_setting, write_setting, NULL, NULL, true },
	[RIP_KIND_BUFFERING] = { read_buffering, write_buffering, NULL, NULL, true },
	[RIP_KIND_REPLACED] = { read_descriptor, write_descriptor, drop_descriptor, NULL, false },
};

bool rip_kept_is(rip_kind kind)
{
	return kinds[kind].write != NULL;
}

static bool is_of_thread(rip_kind kind, uint32_t number)
{
	return kind == RIP_KIND_VALUE || (kind == RIP_KIND_SETTING && number == RIP_SETTING_LOCALE);
}

/* --- Lists ------------------------------------------------------------------------------------------ */

static struct rip_kept **bucket_of(rip_kind kind, uint32_t number)
{
	return &buckets[(kind * 31u + number) % BUCKETS];
}

static bool is_for_same(const struct rip_kept *a, const struct rip_kept *b)
{
	return a->kind == b->kind && a->number == b->number && a->thread == b->thread;
}

/* The one that changed the same thing next after `kept`; NULL: nobody did. */
static struct rip_kept *find_next(const struct rip_kept *kept)
{
	struct rip_kept *newer = kept->newer;

	while (newer && !is_for_same(newer, kept))
		newer = newer->newer;
	return newer;
}

static struct rip_kept *take_free(void)
{
	struct rip_kept *kept = free_ones;
	uint8_t *map;

	if (!kept) {
		if (rip_port_map(CHUNK, &map) != RIP_OK)
			return NULL;
		struct rip_kept *all = (void *)map;
		for (size_t i = 0; i < CHUNK / sizeof *all; i++) {
			all[i].older = free_ones;
			free_ones = &all[i];
		}
		kept = free_ones;
	}
	free_ones = kept->older;
	return kept;
}

static void give_free(struct rip_kept *kept)
{
	kept->ledger = NULL;
	kept->older = free_ones;
	free_ones = kept;
}

static void link_in(struct rip_kept *kept)
{
	struct rip_kept **bucket = bucket_of(kept->kind, kept->number);

	kept->older = *bucket;
	kept->newer = NULL;
	if (*bucket)
		(*bucket)->newer = kept;
	*bucket = kept;
}

static void link_out(struct rip_kept *kept)
{
	struct rip_kept **bucket = bucket_of(kept->kind, kept->number);

	if (kept->older)
		kept->older->newer = kept->newer;
	*(kept->newer ? &kept->newer->older : bucket) = kept->older;
}

/* --- From outside ------------------------------------------------------------------------------------- */

/* 1: there is one now; 0: there is nothing to keep; -1: no memory. */
static int add(struct rip_ledger *ledger, rip_kind kind, uint32_t number, struct rip_kept **kept_ret)
{
	struct rip_kept *kept = take_free();

	if (!kept)
		return -1;
	*kept = (struct rip_kept){ .ledger = ledger, .kind = kind, .number = number,
				   .thread = is_of_thread(kind, number) ? (uint32_t)rip_port_tid() : 0 };
	if (!kinds[kind].read(ledger, number, &kept->before)) {
		give_free(kept);
		return 0;
	}
	kept->after = kept->before;
	link_in(kept);
	*kept_ret = kept;
	return 1;
}

/* The guest changes again what another has changed after it: it comes after that one now. */
static void become_newest(struct rip_kept *kept, struct rip_kept *next)
{
	union state state;

	if (!kinds[kept->kind].read(kept->ledger, kept->number, &state))
		return;
	union state before = kept->before;
	kept->before = state;
	link_out(kept);
	link_in(kept);
	if (kinds[kept->kind].drop)
		kinds[kept->kind].drop(&next->before);
	next->before = before;
}

bool rip_kept_keep(struct rip_ledger *ledger, rip_kind kind, uint32_t number)
{
	uint64_t *data = rip_table_find(&ledger->table, kind, number);
	struct rip_kept *kept = data ? (void *)(uintptr_t)*data : NULL, *next;
	int added = 1, error = errno;
	sigset_t mask;

	lock(&mask);
	if (!kept)
		added = add(ledger, kind, number, &kept);
	else if ((next = find_next(kept)))
		become_newest(kept, next);
	unlock(&mask);
	if (!data && added > 0)
		rip_ledger_put(ledger, kind, number, (uintptr_t)kept);
	errno = added < 0 ? ENOMEM : error;
	return added >= 0;
}

void rip_kept_changed(struct rip_ledger *ledger, rip_kind kind, uint32_t number)
{
	uint64_t *data = rip_table_find(&ledger->table, kind, number);
	struct rip_kept *kept = data ? (void *)(uintptr_t)*data : NULL;

	if (kept && kinds[kind].is_same)
		kinds[kind].read(ledger, number, &kept->after);
}

static bool is_as_left(const struct rip_kept *kept)
{
	union state now;
	const struct kept_kind *kind = &kinds[kept->kind];

	return !kind->is_same || (kind->read(kept->ledger, kept->number, &now) && kind->is_same(&now, &kept->after));
}

/* Locked. What is to be written goes into *write; false: nothing is, and *good says whether that is right. */
static bool settle(struct rip_kept *kept, union state *write, bool *good)
{
	struct rip_kept *next = find_next(kept);

	*good = true;
	*write = kept->before;
	expect_late(kept, write);
	if (next) {
		if (kinds[kept->kind].drop)
			kinds[kept->kind].drop(&next->before);
		next->before = *write;
		return false;
	}
	if (!kept->thread || kept->thread == (uint32_t)rip_port_tid())
		return is_as_left(kept);
	*good = false;
	return false;
}

bool rip_kept_put_back(struct rip_kept *kept)
{
	const struct kept_kind *kind = &kinds[kept->kind];
	const struct rip_ledger *ledger = kept->ledger;
	uint32_t number = kept->number;
	union state state;
	sigset_t mask;
	bool good;

	lock(&mask);
	bool writes = settle(kept, &state, &good);
	link_out(kept);
	give_free(kept);
	if (writes && !kind->may_fault)
		good = kind->write(ledger, number, &state);
	unlock(&mask);
	return writes && kind->may_fault ? kind->write(ledger, number, &state) : good;
}

void rip_kept_forget(struct rip_kept *kept)
{
	sigset_t mask;

	lock(&mask);
	if (kinds[kept->kind].drop)
		kinds[kept->kind].drop(&kept->before);
	link_out(kept);
	give_free(kept);
	unlock(&mask);
}

bool rip_kept_is_closed(const struct rip_kept *kept)
{
	return kept->closed;
}

void rip_kept_set_closed(struct rip_kept *kept, bool closed)
{
	kept->closed = closed;
}
