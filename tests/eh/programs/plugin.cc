// A plugin of which two builds differ in the frames' layout: VARIANT is 0 or 1. Their functions and
// tables are at the same places, so that nothing but the build id tells one from the other.
struct Guard {
	int *count;
	~Guard() { ++*count; }
};

extern "C" __attribute__((noinline, section(".text.thrower"), aligned(4096))) void thrower(int *count, void (*callback)())
{
	Guard guard{ count };
	callback();
}

// int middle(int *count, void (*callback)()): both builds return to the same address, from frames of other sizes.
__asm__(
	".section .text.middle, \"ax\", @progbits\n"
	".p2align 12\n"
	".globl middle\n"
	".type middle, @function\n"
	"middle:\n"
	".cfi_startproc\n"
#if VARIANT
	"pushq %rbx\n"
	".cfi_adjust_cfa_offset 8\n"
	".cfi_offset rbx, -16\n"
	"subq $800, %rsp\n"
	".cfi_adjust_cfa_offset 800\n"
	"xorl %ebx, %ebx\n"
#else
	"subq $8, %rsp\n"
	".cfi_adjust_cfa_offset 8\n"
#endif
	".p2align 6\n"
	"call thrower@plt\n"
	"nop\n"
#if VARIANT
	"addq $800, %rsp\n"
	".cfi_adjust_cfa_offset -800\n"
	"popq %rbx\n"
	".cfi_adjust_cfa_offset -8\n"
	".cfi_restore rbx\n"
#else
	"addq $8, %rsp\n"
	".cfi_adjust_cfa_offset -8\n"
#endif
	"movl $4, %eax\n"
	"ret\n"
	".cfi_endproc\n"
	".size middle, . - middle\n"
	".text\n");
