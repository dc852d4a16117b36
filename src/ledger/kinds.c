/* SPDX-License-Identifier: MIT
 * kinds: the table of what a guest can own: how each is called, whether it may be handed over, and how it is
 * released. The order is that of rip_kind: in it everything is taken back. */
#include "ledger/ledger.h"

#include <dirent.h>
#include <locale.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ledger/kept.h"
#include "port/port.h"

/* `data`: the signal that it sends, if it does. Kernels before 6.13 leave a last one pending. */
static bool release_timer(const struct rip_release *release)
{
	bool good = timer_delete((timer_t)release->value) == 0;

	if (release->data)
		rip_kept_discard((int)release->data);
	return good;
}

static bool release_key(const struct rip_release *release)
{
	return pthread_key_delete((pthread_key_t)release->value) == 0;
}

static bool put_back(const struct rip_release *release)
{
	return rip_kept_put_back((void *)(uintptr_t)release->data);
}

/* A descriptor that is no longer the stream's is not closed with it. */
static bool release_stream(const struct rip_release *release)
{
	FILE *stream = (void *)release->value;

	if (ftrylockfile(stream) != 0) { /* by the thread that the guest was on before */
		if (release->data)
			close((int)release->data - 1);
		return false;
	}
	funlockfile(stream);
	if (!release->flush)
		__fpurge(stream);
	if (release->data == 0)
		stream->_fileno = -1;
	fclose(stream);
	return true;
}

/* One that is not this thread's, or is no stream any more, stays as it is. */
static bool release_stream_lock(const struct rip_release *release)
{
	for (uint64_t i = 0; i < release->data >> 32; i++) {
		if (!rip_port_has_locked(release->value))
			return false;
		funlockfile((FILE *)release->value);
	}
	return true;
}

/* Nobody else knows the child. */
static bool release_process(const struct rip_release *release)
{
	pid_t child = (pid_t)release->data;

	kill(child, SIGKILL);
	while (waitpid(child, NULL, 0) < 0)
		if (waitpid(child, NULL, WNOHANG) < 0)
			return false;
	return true;
}

/* A descriptor that is not the directory's (glibc has it first) is not closed with it. */
static bool release_directory(const struct rip_release *release)
{
	DIR *directory = (void *)release->value;

	if (release->data != 0)
		return closedir(directory) == 0;
	*(int *)(void *)directory = -1;
	closedir(directory);
	return true;
}

/* glibc notes a mutex' owner for all its types (bits/struct_mutex.h). One that somebody else holds by now
 * stays as it is; some types can only be unlocked by the thread that locked them. */
static bool release_mutex(const struct rip_release *release)
{
	pthread_mutex_t *mutex = (void *)release->value;

	for (uint64_t i = 0; i < release->data >> 32; i++)
		if (mutex->__data.__owner != (int)(uint32_t)release->data || pthread_mutex_unlock(mutex) != 0)
			return false;
	return true;
}

static bool release_rwlock(const struct rip_release *release)
{
	for (uint64_t i = 0; i < release->data >> 32; i++)
		if (pthread_rwlock_unlock((pthread_rwlock_t *)release->value) != 0)
			return false;
	return true;
}

static bool release_spinlock(const struct rip_release *release)
{
	return pthread_spin_unlock((pthread_spinlock_t *)release->value) == 0;
}

/* libc counts how often it was opened, and so does the record. */
static bool release_semaphore(const struct rip_release *release)
{
	for (uint64_t i = 0; i < release->data; i++)
		if (sem_close((sem_t *)release->value) != 0)
			return false;
	return true;
}

static bool release_locale(const struct rip_release *release)
{
	freelocale((locale_t)release->value);
	return true;
}

static bool release_descriptor(const struct rip_release *release)
{
	return close((int)release->value) == 0;
}

static bool release_memory(const struct rip_release *release)
{
	free((void *)release->value);
	return true;
}

const struct rip_kind_rule rip_kind_rules[RIP_KINDS] = {
	/*                       name                   transferable contained released by */
	[RIP_KIND_TIMER] =      { "timer",               true,  false, release_timer },
	[RIP_KIND_ALARM] =      { "alarm",               true,  false, put_back },
	[RIP_KIND_SIGNAL] =     { "signal",              true,  false, put_back },
	[RIP_KIND_VALUE] =      { "key's value",         true,  false, put_back },
	[RIP_KIND_KEY] =        { "key",                 true,  false, release_key },
	[RIP_KIND_SETTING] =    { "setting",             true,  true,  put_back },
	[RIP_KIND_STREAM_LOCK] = { "stream lock",        true,  true,  release_stream_lock },
	[RIP_KIND_STREAM] =     { "stream",              true,  true,  release_stream },
	[RIP_KIND_BUFFERING] =  { "buffering",           true,  true,  put_back },
	[RIP_KIND_DIRECTORY] =  { "directory",           true,  true,  release_directory },
	[RIP_KIND_PROCESS] =    { "process",             false, true,  release_process },
	[RIP_KIND_MUTEX] =      { "mutex",               true,  true,  release_mutex },
	[RIP_KIND_RWLOCK] =     { "rwlock",              true,  true,  release_rwlock },
	[RIP_KIND_SPINLOCK] =   { "spinlock",            true,  true,  release_spinlock },
	[RIP_KIND_SEMAPHORE] =  { "semaphore",           true,  true,  release_semaphore },
	[RIP_KIND_LOCALE] =     { "locale",              true,  true,  release_locale },
	[RIP_KIND_DESCRIPTOR] = { "descriptor",          true,  false, release_descriptor },
	[RIP_KIND_REPLACED] =   { "replaced descriptor", false, false, put_back },
	[RIP_KIND_MAPPING] =    { "mapping",             true,  false, NULL },
	[RIP_KIND_MEMORY] =     { "memory",              false, true,  release_memory }, /* libc's; the rest as a whole */
};

const char *rip_kind_name(rip_kind kind)
{
	return (size_t)kind < RIP_KINDS && rip_kind_rules[kind].name ? rip_kind_rules[kind].name : "unknown";
}
