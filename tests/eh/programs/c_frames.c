/* C between the C++: cleanups, callbacks through libc, exceptions that are not C++'s. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unwind.h>

void call_with_cleanup(void (*function)(void *), void *argument, int depth);
void raise_foreign(int cleanup_says);
void sort_with(int (*compare)(const void *, const void *));
void catch_in_c(void);

int c_cleanups;

static void count(int *number)
{
	c_cleanups += *number != 0;
}

__attribute__((noinline)) void call_with_cleanup(void (*function)(void *), void *argument, int depth)
{
	__attribute__((cleanup(count))) int number = depth + 1;

	if (depth == 0)
		function(argument);
	else
		call_with_cleanup(function, argument, depth - 1);
	number++;
}

static void foreign_gone(_Unwind_Reason_Code code, struct _Unwind_Exception *exception)
{
	printf("foreign deleted: %d %.8s\n", code, (const char *)&exception->exception_class);
	free(exception);
}

/* An exception of a class of its own. */
void raise_foreign(int cleanup_says)
{
	struct _Unwind_Exception *exception = NULL;

	if (posix_memalign((void **)&exception, 32, sizeof *exception) != 0)
		abort();
	memset(exception, 0, sizeof *exception);
	memcpy(&exception->exception_class, "TESTFRGN", 8);
	exception->exception_cleanup = cleanup_says ? foreign_gone : NULL;
	_Unwind_Reason_Code code = _Unwind_RaiseException(exception);
	printf("nobody catches: %d\n", code);
	if (cleanup_says)
		_Unwind_DeleteException(exception);
}

/* Calls with arguments pushed, and a cleanup that wants its stack pointer as it was without them: written by hand, as
 * GCC addresses such frames by rbp. rbx keeps what rsp has to be. The frame's tables: DW_CFA_GNU_args_size (0x2e) and
 * an LSDA of one call site. */
#define CALL_PUSHED(name, personality, size, args_size) \
	__asm__(".text\n.globl " #name "\n.type " #name ", @function\n" #name ":\n.cfi_startproc\n" \
		".cfi_personality 0x9b, " #personality "\n.cfi_lsda 0x1b, .Llsda_" #name "\n" \
		"pushq %rbx\n.cfi_adjust_cfa_offset 8\n.cfi_offset rbx, -16\nmovq %rsp, %rbx\n" \
		"movq %rdi, %rax\nmovq %rsi, %rdi\nsubq $" #size ", %rsp\n.cfi_adjust_cfa_offset " #size "\n" \
		".cfi_escape 0x2e, " args_size "\n.Lcall_" #name ": call *%rax\n.Lend_" #name ":\n" \
		"addq $" #size ", %rsp\n.cfi_adjust_cfa_offset -" #size "\n.cfi_escape 0x2e, 0\npopq %rbx\n" \
		".cfi_remember_state\n.cfi_adjust_cfa_offset -8\nret\n.cfi_restore_state\n" \
		".Lpad_" #name ": cmpq %rsp, %rbx\njne 1f\naddl $1, c_cleanups(%rip)\n1: movq %rbx, %rsp\n" \
		"movq %rax, %rdi\ncall _Unwind_Resume@plt\n.cfi_endproc\n.size " #name ", . - " #name "\n" \
		".section .gcc_except_table, \"a\", @progbits\n.Llsda_" #name ": .byte 0xff, 0xff, 1\n" \
		".uleb128 2f - 1f\n1: .uleb128 .Lcall_" #name " - " #name ", .Lend_" #name " - .Lcall_" #name \
		", .Lpad_" #name " - " #name ", 0\n2:\n.text\n")

_Unwind_Reason_Code __gcc_personality_v0(int, _Unwind_Action, _Unwind_Exception_Class, struct _Unwind_Exception *,
					 struct _Unwind_Context *);
__attribute__((visibility("hidden"), used)) void *c_personality = (void *)__gcc_personality_v0;
CALL_PUSHED(call_pushed_few, c_personality, 32, "32");
CALL_PUSHED(call_pushed_many, c_personality, 4096, "0x80, 0x20");

/* A personality that catches: it must be asked to search first, and is then told that its frame is the one. Its
 * pad returns to the caller with the exception. */
extern const char return_exception[];
__asm__(".text\nreturn_exception: movq %rbx, %rsp\npopq %rbx\nret\n");

static _Unwind_Reason_Code catching(int version, _Unwind_Action actions, _Unwind_Exception_Class kind,
				    struct _Unwind_Exception *exception, struct _Unwind_Context *context)
{
	printf("asked: version %d, actions %d, class %.3s\n", version, actions, (const char *)&kind);
	if (actions & _UA_SEARCH_PHASE)
		return _URC_HANDLER_FOUND;
	_Unwind_SetGR(context, __builtin_eh_return_data_regno(0), (_Unwind_Ptr)exception);
	_Unwind_SetIP(context, (_Unwind_Ptr)return_exception);
	return _URC_INSTALL_CONTEXT;
}
__attribute__((visibility("hidden"), used)) void *own_personality = (void *)catching;
CALL_PUSHED(call_catching, own_personality, 64, "64");
struct _Unwind_Exception *call_catching(void (*function)(void *), void *argument);

static void raise_from_c(void *argument)
{
	__attribute__((cleanup(count))) int number = 1;

	raise_foreign(*(int *)argument);
	number++;
}

void catch_in_c(void)
{
	int says = 1;
	struct _Unwind_Exception *exception = call_catching(raise_from_c, &says);

	_Unwind_DeleteException(exception);
}

void sort_with(int (*compare)(const void *, const void *))
{
	__attribute__((cleanup(count))) int number = 1;
	int values[50];

	for (int i = 0; i < 50; i++)
		values[i] = (i * 37) % 50;
	qsort(values, 50, sizeof values[0], compare);
	number = values[0] + 1;
}
