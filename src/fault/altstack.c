/* SPDX-License-Identifier: MIT
 * fault: each thread's alternate signal stack: without one, an overflow could not even be reported. */
#include "fault/fault.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "port/port.h"

/* What handlers need besides the kernel's frame: ours less than 4 KiB; the host's own handler may be
 * called from it and may want more, so a stack of our making is larger. */
enum { OUR_HANDLER = 4 * 1024, ANY_HANDLER = 32 * 1024 };

__thread struct rip_fault_thread rip_fault_thread
	__attribute__((tls_model("initial-exec"), visibility("hidden")));

struct altstack {
	uint8_t *map;  /* NULL: none was made. Its lowest page stays closed */
	size_t size;
	stack_t host;  /* what the thread had before */
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool have_key;

static __thread struct altstack mine;

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

static bool is_ours(const stack_t *stack, const struct altstack *alt)
{
	return alt->map && stack->ss_sp == alt->map + rip_port_page_size();
}

/* A stack that the host has set since is the host's: it stays. */
static rip_status release(struct altstack *alt)
{
	stack_t now;

	if (!alt->map)
		return RIP_OK;
	if (sigaltstack(NULL, &now) != 0 || (is_ours(&now, alt) && sigaltstack(&alt->host, NULL) != 0))
		return RIP_E_SYSTEM;
	rip_port_unmap(alt->map, alt->size);
	alt->map = NULL;
	return RIP_OK;
}

static void at_thread_exit(void *value)
{
	rip_fault_forget_thread();
	release(value);
}

static void make_key(void)
{
	have_key = pthread_key_create(&key, at_thread_exit) == 0;
}

static rip_status make(struct altstack *alt)
{
	struct altstack made = { .size = rip_port_page_size() + round_to_pages(frame_size() + ANY_HANDLER) };
	size_t page = rip_port_page_size();

	rip_status status = rip_port_reserve(made.size, &made.map);
	if (status != RIP_OK)
		return status;
	status = rip_port_open(made.map + page, made.size - page);
	if (status == RIP_OK && pthread_setspecific(key, alt) != 0)
		status = RIP_E_NOMEM;
	if (status != RIP_OK)
		rip_port_unmap(made.map, made.size);
	else
		*alt = made;
	return status;
}

/* The host's is remembered, to be put back; it may have been set after ours was. */
static rip_status install(struct altstack *alt, const stack_t *now)
{
	size_t page = rip_port_page_size();
	stack_t stack = { .ss_sp = alt->map + page, .ss_size = alt->size - page };

	if (sigaltstack(&stack, NULL) != 0)
		return RIP_E_SYSTEM;
	alt->host = *now;
	return RIP_OK;
}

/* The host may have set another alternate stack, or taken ours away, since the last time. */
static rip_status prepare_stack(void)
{
	stack_t now;
	rip_status status = RIP_OK;

	pthread_once(&once, make_key);
	if (!have_key || sigaltstack(NULL, &now) != 0)
		return RIP_E_SYSTEM;
	if (!(now.ss_flags & SS_DISABLE) && now.ss_size >= frame_size() + OUR_HANDLER)
		return RIP_OK;
	if (!mine.map)
		status = make(&mine);
	return status == RIP_OK ? install(&mine, &now) : status;
}

rip_status rip_fault_prepare_thread(void)
{
	rip_status status = prepare_stack();

	rip_fault_thread.open = rip_fault_is_open();
	rip_fault_thread.words = rip_arch_words();
	rip_fault_thread.ready = status == RIP_OK;
	rip_fault_thread.plain = rip_fault_thread.ready && rip_fault_thread.open;
	return status;
}

void rip_fault_forget_thread(void)
{
	rip_fault_thread.ready = rip_fault_thread.plain = false;
}

rip_status rip_fault_release_thread(void)
{
	rip_status status = release(&mine);

	if (status == RIP_OK)
		rip_fault_forget_thread();
	return status;
}
