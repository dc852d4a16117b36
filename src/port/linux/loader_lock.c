/* SPDX-License-Identifier: MIT
 * port/linux: the lock that glibc's loader holds while it loads, unloads and looks up, constructors and destructors
 * included.
 *
 * It is a recursive mutex in the loader's _rtld_global, which says who has it. Its place there differs from version to
 * version; so it is found once, by the next one in that struct, which dl_iterate_phdr holds around its callback. Where it
 * is not found, nobody is ever said to hold it. */
#include "port/port.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>

static pthread_mutex_t *loader_lock;
static void (*signal_error)(int error, const char *object, const char *occasion, const char *text);
static uint64_t catching, not_catching;

struct search {
	char *begin;
	size_t size;
	pthread_mutex_t *found;
};

static bool is_recursive(const pthread_mutex_t *mutex)
{
	return mutex->__data.__kind == PTHREAD_MUTEX_RECURSIVE_NP;
}

static bool is_held(const pthread_mutex_t *mutex)
{
	return is_recursive(mutex) && mutex->__data.__lock != 0 && mutex->__data.__count > 0 &&
	       __atomic_load_n(&mutex->__data.__owner, __ATOMIC_RELAXED) == rip_port_tid();
}

/* The last one that is held is the callback's: a thread that is loading holds the one before it, too. */
static int search(struct dl_phdr_info *info, size_t size, void *context)
{
	struct search *search = context;

	(void)info, (void)size;
	for (size_t at = sizeof(pthread_mutex_t); at + sizeof(pthread_mutex_t) <= search->size; at += sizeof(void *)) {
		pthread_mutex_t *mutex = (pthread_mutex_t *)(void *)(search->begin + at);
		if (is_held(mutex) && is_recursive(mutex - 1))
			search->found = mutex - 1;
	}
	return 1;
}

static void note_caller(void *address)
{
	*(uint64_t *)address = (uintptr_t)__builtin_return_address(0);
}

/* glibc's loader does what may fail in functions that _dl_catch_exception calls. Where it is given no struct to say what
 * went wrong, an error ends the process (elf/dl-catch.c): constructors are called so. */
static void find_catch(void)
{
	struct { const char *object, *text; char *buffer; } exception;
	int (*catch)(void *exception, void (*operate)(void *), void *argument);

	*(void **)&catch = dlsym(RTLD_DEFAULT, "_dl_catch_exception");
	if (!catch)
		return;
	catch(&exception, note_caller, &catching);
	catch(NULL, note_caller, &not_catching);
}

void rip_port_loader_find(void)
{
	struct search place = { NULL, 0, NULL };
	const ElfW(Sym) *symbol;
	Dl_info info;

	rip_port_loader_lock();
	place.begin = dlsym(RTLD_DEFAULT, "_rtld_global");
	if (place.begin && dladdr1(place.begin, &info, (void **)&symbol, RTLD_DL_SYMENT) && symbol) {
		place.size = symbol->st_size;
		dl_iterate_phdr(search, &place);
	}
	*(void **)&signal_error = dlsym(RTLD_DEFAULT, "_dl_signal_error");
	find_catch();
	rip_port_loader_unlock();
	__atomic_store_n(&loader_lock, place.found, __ATOMIC_RELEASE);
}

bool rip_port_holds_loader(void)
{
	const pthread_mutex_t *lock = __atomic_load_n(&loader_lock, __ATOMIC_ACQUIRE);

	return lock && is_held(lock);
}

void rip_port_release_loader(void)
{
	while (rip_port_holds_loader() && pthread_mutex_unlock(loader_lock) == 0)
		;
}

bool rip_port_in_loader(uint64_t address)
{
	uint64_t loader = _r_debug.r_ldbase;
	struct dl_find_object object;

	/* A static program has none. */
	return loader && _dl_find_object((void *)(uintptr_t)loader, &object) == 0 &&
	       address >= (uintptr_t)object.dlfo_map_start && address < (uintptr_t)object.dlfo_map_end;
}

/* Those that return an error to their callers if one comes up on the way. */
bool rip_port_is_loading(uint64_t function, bool *opens_ret)
{
	static const char *const names[] = { "dlopen", "dlmopen", "dlsym", "dlvsym", "dlclose", "dlinfo" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (rip_port_exports(function, names[i])) {
			*opens_ret = i < 2;
			return true;
		}
	return false;
}

enum rip_port_catch rip_port_loader_catch(uint64_t return_address)
{
	if (return_address == 0 || catching == not_catching)
		return RIP_CATCH_NONE;
	return return_address == catching ? RIP_CATCH_ALL :
	       return_address == not_catching ? RIP_CATCH_NOTHING : RIP_CATCH_NONE;
}

static void fail(void *unused)
{
	(void)unused;
	signal_error(0, "Ripcord", NULL, "the guest was stopped");
}

uint64_t rip_port_loader_error(void)
{
	return signal_error ? (uintptr_t)fail : 0;
}

static void close_module(void *handle)
{
	dlclose(handle);
}

uint64_t rip_port_loader_closer(void)
{
	return (uintptr_t)close_module;
}

/* --- The scope flag --- */

/* In the thread's control block (sysdeps/x86_64/nptl/tls.h, gscope_flag): the thread looks a symbol up, and who unloads
 * waits for it. */
enum { SCOPE_FLAG = 0x1c, SCOPE_UNUSED = 0, SCOPE_WAITED_FOR = 2 };

static uint32_t *scope_flag(void)
{
	return (uint32_t *)(void *)((char *)pthread_self() + SCOPE_FLAG);
}

bool rip_port_release_scope(void)
{
	uint32_t *flag = scope_flag();

	if (!loader_lock || __atomic_load_n(flag, __ATOMIC_RELAXED) == SCOPE_UNUSED)
		return false;
	if (__atomic_exchange_n(flag, SCOPE_UNUSED, __ATOMIC_SEQ_CST) == SCOPE_WAITED_FOR)
		rip_port_wake(flag);
	return true;
}
