/* SPDX-License-Identifier: MIT
 * keys: of thread-specific values. A guest's own is deleted when it ends; what it set for one of the host's
 * is taken back. */
#include <errno.h>
#include <pthread.h>
#include <threads.h>

#include "guest.h"

LIBC(pthread_key_create, "2.34");
LIBC(pthread_key_delete, "2.34");
LIBC(pthread_setspecific, "2.34");
int libc_pthread_key_create(pthread_key_t *key, void (*destroy)(void *));
int libc_pthread_key_delete(pthread_key_t key);
/* As if it could write there: for a pointer to const, GCC wants an attribute that clang does not know. */
int libc_pthread_setspecific(pthread_key_t key, void *value);

/* A key is a small number, and 0 is one. */
STUB int pthread_key_create(pthread_key_t *key, void (*destroy)(void *))
{
	if (!rip_begin(RIP_NEED_LITTLE))
		return ENOMEM;
	int error = libc_pthread_key_create(key, destroy);
	if (error == 0)
		rip_own(RIP_KIND_KEY, (const void *)(uintptr_t)*key, 0);
	return error;
}

STUB int pthread_key_delete(pthread_key_t key)
{
	rip_disown(RIP_KIND_KEY, (const void *)(uintptr_t)key, NULL);
	return libc_pthread_key_delete(key);
}

/* A guest's values for its own keys are gone with those. */
STUB int pthread_setspecific(pthread_key_t key, const void *value)
{
	const struct rip_ledger_hooks *ledger = rip_ledger();
	bool foreign = ledger && ledger->active() && !ledger->owns(RIP_KIND_KEY, key);
	if (foreign && (!ledger->begin(RIP_NEED_LITTLE) || !ledger->keep(RIP_KIND_VALUE, key)))
		return ENOMEM;
	int error = libc_pthread_setspecific(key, (void *)(uintptr_t)value);
	if (foreign)
		ledger->changed(RIP_KIND_VALUE, key);
	return error;
}

int __pthread_key_create(pthread_key_t *key, void (*destroy)(void *));
STUB int __pthread_key_create(pthread_key_t *key, void (*destroy)(void *))
{
	return pthread_key_create(key, destroy);
}

/* C11's are the same in glibc (nptl/tss_create.c). */
STUB int tss_create(tss_t *key, tss_dtor_t destroy)
{
	int error = pthread_key_create(key, destroy);
	return error == 0 ? thrd_success : error == ENOMEM ? thrd_nomem : thrd_error;
}

STUB void tss_delete(tss_t key)
{
	pthread_key_delete(key);
}

STUB int tss_set(tss_t key, void *value)
{
	int error = pthread_setspecific(key, value);
	return error == 0 ? thrd_success : error == ENOMEM ? thrd_nomem : thrd_error;
}
