/* SPDX-License-Identifier: MIT
 * catches: where a handler of C++'s begins, the thread looks whether its guest is to end. A guest that throws all
 * the time spends its time in an unwinder, where nobody may stop it; a thread that is asked while it is there runs
 * on, and comes here (kill/advance.c).
 *
 * The linker leads calls of the runtime's function here, as those in statics.c. Itanium C++ ABI, 2.5.3. */
#include "guest.h"

#define PART __attribute__((weak, visibility("hidden"), section(RIP_KILLABLE_PARTS_SECTION)))

void *__real___cxa_begin_catch(void *exception);
void *__wrap___cxa_begin_catch(void *exception);

/* The first call is that of the runtime's function: who follows a pad's code goes by that (stop/pads.c). */
PART void *__wrap___cxa_begin_catch(void *exception)
{
	void *object = __real___cxa_begin_catch(exception);
	const struct rip_hooks *hooks = __atomic_load_n(&rip_link.hooks, __ATOMIC_ACQUIRE);
	if (hooks)
		hooks->look();
	return object;
}

/* namesz, descsz, type, name, desc: see ripcord/killable.h. */
__asm__(".pushsection .note.ripcord, \"a\", @note\n"
	".balign 4\n"
	".long 8, 4, 5\n"
	".asciz \"Ripcord\"\n"
	".long 1\n"
	".popsection");
