/* SPDX-License-Identifier: MIT
 * port/linux: the library's way to those functions of libc that `ripcord cc` puts others in front of: libc's own, by their
 * versioned symbols, where the library is linked into a guest's file. Statically linked programs have no versions; in them
 * the plain name is meant. Named by port/libc.h. Each has the prototype of libc's. */

	.macro	way name, version
	.weak	libc_\name
	.symver	libc_\name, \name@GLIBC_\version
	.globl	rip_libc_\name
	.hidden	rip_libc_\name
	.type	rip_libc_\name, @function
rip_libc_\name:
	.cfi_startproc
	movq	libc_\name@GOTPCREL(%rip), %r11
	testq	%r11, %r11
	je	1f
	jmp	*%r11
1:	jmp	*\name@GOTPCREL(%rip)
	.cfi_endproc
	.size	rip_libc_\name, . - rip_libc_\name
	.endm

	.text
	way	malloc, 2.2.5
	way	calloc, 2.2.5
	way	realloc, 2.2.5
	way	reallocarray, 2.26
	way	free, 2.2.5
	way	memalign, 2.2.5
	way	aligned_alloc, 2.16
	way	malloc_usable_size, 2.2.5
	way	asprintf, 2.2.5
	way	getcwd, 2.2.5
	way	open, 2.2.5
	way	close, 2.2.5
	way	dup2, 2.2.5
	way	fcntl, 2.2.5
	way	freopen, 2.2.5
	way	fclose, 2.2.5
	way	closedir, 2.2.5
	way	ftrylockfile, 2.2.5
	way	funlockfile, 2.2.5
	way	dlopen, 2.34
	way	pthread_mutex_lock, 2.2.5
	way	pthread_mutex_trylock, 2.34
	way	pthread_mutex_unlock, 2.2.5
	way	pthread_rwlock_unlock, 2.34
	way	pthread_spin_unlock, 2.34
	way	pthread_sigmask, 2.32
	way	sigaltstack, 2.2.5
	way	dup3, 2.9
	way	syscall, 2.2.5
	way	__register_atfork, 2.3.2
	way	sigaction, 2.2.5
	way	setitimer, 2.2.5
	way	timer_delete, 2.34
	way	pthread_key_create, 2.34
	way	pthread_key_delete, 2.34
	way	pthread_setspecific, 2.34
	way	setvbuf, 2.2.5
	way	sem_close, 2.34
	way	freelocale, 2.3
	way	uselocale, 2.3
	way	initstate, 2.2.5
	way	setstate, 2.2.5
	way	closelog, 2.2.5
	way	register_printf_specifier, 2.10
	way	vwarn, 2.2.5
	way	vwarnx, 2.2.5

/* libc_nonshared.a's is no more than this: the fourth argument is the module's. */
	.hidden	__dso_handle
	.globl	rip_libc_pthread_atfork
	.hidden	rip_libc_pthread_atfork
	.type	rip_libc_pthread_atfork, @function
rip_libc_pthread_atfork:
	.cfi_startproc
	leaq	__dso_handle(%rip), %rcx
	jmp	rip_libc___register_atfork
	.cfi_endproc
	.size	rip_libc_pthread_atfork, . - rip_libc_pthread_atfork

/* extern const void *const rip_libc_readers[4]: functions that keep their return address, under both names; or NULL. */
	.weak	libc_vfork
	.symver	libc_vfork, vfork@GLIBC_2.2.5
	.section .data.rel.ro, "aw", @progbits
	.balign	8
	.globl	rip_libc_readers
	.hidden	rip_libc_readers
	.type	rip_libc_readers, @object
rip_libc_readers:
	.quad	libc_vfork, vfork, libc_dlopen, dlopen
	.size	rip_libc_readers, . - rip_libc_readers

	.section .note.GNU-stack, "", @progbits
