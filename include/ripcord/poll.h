/* SPDX-License-Identifier: MIT
 * Polls and masks by hand: where a kill may land and where it must wait.
 *
 * Code built by `ripcord cc` has polls of its own: at the start of each scope with a cleanup, at each loop's
 * back edge, before computed gotos and behind setjmp. These macros are for what it cannot know. Without
 * Ripcord's plugin the attributes stand for nothing, so that the same source compiles anywhere. */
#ifndef RIPCORD_POLL_H
#define RIPCORD_POLL_H

/* RIP_POLL(): a kill may land here: what the function holds is in its guards. One instruction, about as
 * dear as a load from the stack; no call, no branch. To be written as a statement.
 *
 * With the plugin it has a landing pad, as every poll, and none is left in masked code. With GCC alone in
 * C it has one as well (-fexceptions -fnon-call-exceptions). With Clang, and in C++ without the plugin, it
 * has none: the runtime takes such code for foreign, and kills wait until it has returned. */
#if defined(__RIPCORD_KILLABLE__)
#ifdef __cplusplus
extern "C"
#endif
void __ripcord_poll(void); /* The plugin puts a poll in the place of each call. */
#define RIP_POLL() __ripcord_poll()
#elif defined(__SEG_FS) && !defined(__clang__)
#define RIP_POLL() ((void)*(const volatile unsigned char __seg_fs *)0)
#else
#define RIP_POLL() \
	do { \
		unsigned char rip_poll_; \
		__asm__ volatile("movb %%fs:0, %0" : "=r"(rip_poll_)); \
	} while (0)
#endif

#if defined(__RIPCORD_KILLABLE__)
/* No part of killable code: no polls, and kills wait until it has returned. For code that counts each
 * instruction or must not be stopped for reasons of its own. `#pragma ripcord off` and `#pragma ripcord on`
 * do the same to the functions that end between them. */
#define RIP_NO_POLL __attribute__((ripcord_no_poll))
/* Kills wait until it has returned, whatever it calls, also where it is inlined. For functions that
 * release or hand over by hand. The functions that scopes of the same file name as their cleanups are so
 * by themselves. */
#define RIP_MASKED __attribute__((ripcord_masked))
/* Its arguments are handed over to it: no poll stands at its entry, where nothing guards them yet. */
#define RIP_TAKES __attribute__((ripcord_takes))
#else
#define RIP_NO_POLL
#define RIP_MASKED
#define RIP_TAKES
#endif

#endif
