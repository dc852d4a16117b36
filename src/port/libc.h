/* SPDX-License-Identifier: MIT
 * port: which functions of libc the library calls by a way of its own. Included first in each of its files (Makefile): a
 * file that `ripcord cc` links has functions of these names in front of libc's (tools/guest), and the library linked into
 * it would call those. tests/layers/names.sh finds what is missing here. */
#ifndef RIPCORD_PORT_LIBC_H
#define RIPCORD_PORT_LIBC_H

#include <dirent.h>
#include <dlfcn.h>
#include <err.h>
#include <fcntl.h>
#include <locale.h>
#include <malloc.h>
#include <printf.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define RIP_LIBC(name) extern __typeof(name) name __asm__("rip_libc_" #name)
RIP_LIBC(malloc);
RIP_LIBC(calloc);
RIP_LIBC(realloc);
RIP_LIBC(reallocarray);
RIP_LIBC(free);
RIP_LIBC(memalign);
RIP_LIBC(aligned_alloc);
RIP_LIBC(malloc_usable_size);
RIP_LIBC(asprintf);
RIP_LIBC(getcwd);
RIP_LIBC(open);
RIP_LIBC(close);
RIP_LIBC(dup2);
RIP_LIBC(fcntl);
RIP_LIBC(freopen);
RIP_LIBC(fclose);
RIP_LIBC(closedir);
RIP_LIBC(ftrylockfile);
RIP_LIBC(funlockfile);
RIP_LIBC(dlopen);
RIP_LIBC(pthread_mutex_lock);
RIP_LIBC(pthread_mutex_trylock);
RIP_LIBC(pthread_mutex_unlock);
RIP_LIBC(pthread_rwlock_unlock);
RIP_LIBC(pthread_spin_unlock);
RIP_LIBC(pthread_sigmask);
RIP_LIBC(sigaltstack);
RIP_LIBC(dup3);
RIP_LIBC(syscall);
RIP_LIBC(pthread_atfork);
RIP_LIBC(sigaction);
RIP_LIBC(setitimer);
RIP_LIBC(timer_delete);
RIP_LIBC(pthread_key_create);
RIP_LIBC(pthread_key_delete);
RIP_LIBC(pthread_setspecific);
RIP_LIBC(setvbuf);
RIP_LIBC(sem_close);
RIP_LIBC(freelocale);
RIP_LIBC(uselocale);
RIP_LIBC(initstate);
RIP_LIBC(setstate);
RIP_LIBC(closelog);
RIP_LIBC(register_printf_specifier);
RIP_LIBC(vwarn);
RIP_LIBC(vwarnx);
#undef RIP_LIBC

#endif
