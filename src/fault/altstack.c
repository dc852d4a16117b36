/* SPDX-License-Identifier: MIT
 * fault: each thread's alternate signal stack: without one, an overflow could not even be reported. */
#include "fault/fault.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "port/port.h"

/* What handlers need besides the kernel's frame: ours less than 4 KiB; the host's own handler may be
 * called from it and may want more, so a stack of our making is larger. */
enum { OUR_HANDLER = 4 * 1024, ANY_HANDLER = 32 * 1024 };

__thread struct rip_fault_thread rip_fault_thread __attribute__((tls_model("initial-exec"), visibility("hidden")));

struct altstack {
	uint8_t *map;
	size_t size;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool have_key;

/* Thread exit. The host may have set a stack of its own since: that one stays. */
static void release(void *value)
{
	struct altstack *alt = value;
	stack_t now, off = { .ss_flags = SS_DISABLE };

	if (sigaltstack(NULL, &now) == 0 && now.ss_sp == alt->map + rip_port_page_size())
		sigaltstack(&off, NULL);
	rip_fault_forget_thread();
	rip_port_unmap(alt->map, alt->size);
	free(alt);
}

static void make_key(void)
{
	have_key = pthread_key_create(&key, release) == 0;
}

/* The kernel's signal frame grows with the processor's vector state, so ask. */
static size_t frame_size(void)
{
	long size = sysconf(_SC_MINSIGSTKSZ);

	return (size_t)(size > 0 ? size : MINSIGSTKSZ);
}

static size_t round_to_pages(size_t size)
{
	size_t page = rip_port_page_size();

	return (size + page - 1) & ~(page - 1);
}

static rip_status make(struct altstack **alt_ret)
{
	size_t page = rip_port_page_size(), size = round_to_pages(frame_size() + ANY_HANDLER);
	struct altstack *alt = malloc(sizeof *alt);

	if (!alt)
		return RIP_E_NOMEM;
	alt->size = page + size; /* the lowest page stays closed */
	rip_status status = rip_port_reserve(alt->size, &alt->map);
	if (status == RIP_OK) {
		status = rip_port_open(alt->map + page, size);
		if (status == RIP_OK && pthread_setspecific(key, alt) != 0)
			status = RIP_E_NOMEM;
		if (status != RIP_OK)
			rip_port_unmap(alt->map, alt->size);
	}
	if (status != RIP_OK)
		free(alt);
	else
		*alt_ret = alt;
	return status;
}

/* The host may have taken an alternate stack away since the last time. Ours is kept for the thread's life, then, and
 * only installed again. */
static rip_status prepare_stack(void)
{
	stack_t now;
	rip_status status = RIP_OK;

	pthread_once(&once, make_key);
	if (!have_key || sigaltstack(NULL, &now) != 0)
		return RIP_E_SYSTEM;
	if (!(now.ss_flags & SS_DISABLE) && now.ss_size >= frame_size() + OUR_HANDLER)
		return RIP_OK;
	struct altstack *alt = pthread_getspecific(key);
	if (!alt)
		status = make(&alt);
	if (status != RIP_OK)
		return status;
	size_t page = rip_port_page_size();
	stack_t stack = { .ss_sp = alt->map + page, .ss_size = alt->size - page };
	return sigaltstack(&stack, NULL) == 0 ? RIP_OK : RIP_E_SYSTEM;
}

rip_status rip_fault_prepare_thread(void)
{
	rip_status status = prepare_stack();

	rip_fault_thread.open = rip_fault_is_open();
	rip_fault_thread.words = rip_arch_words();
	rip_fault_thread.ready = status == RIP_OK;
	return status;
}

void rip_fault_forget_thread(void)
{
	rip_fault_thread.ready = false;
}
