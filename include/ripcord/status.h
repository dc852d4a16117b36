/* SPDX-License-Identifier: MIT
 * Status codes: how every function of Ripcord says that it worked, or why it did not. */
#ifndef RIPCORD_STATUS_H
#define RIPCORD_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

/* 0 or a named negative code. Where a function fails, its `_ret` parameters are untouched. */
typedef enum rip_status {
	RIP_OK = 0,

	/* The caller */
	RIP_E_ARGUMENT = -1, /* an argument is NULL, out of range or not a choice */
	RIP_E_STATE = -2,    /* not allowed in the guest's present state */
	RIP_E_NOMEM = -3,    /* no memory or address space left */
	RIP_E_SYSTEM = -4,   /* the system refused: a call failed that should not */
	RIP_E_TYPE = -5,     /* a value of another type than is wanted */
	RIP_E_GONE = -6,     /* the guest that the handle named has ended or was destroyed */
	RIP_E_FULL = -7,     /* a table or pool of fixed size is full */
	RIP_E_NOTFOUND = -8, /* there is no such thing */
	RIP_E_MAPS = -9,     /* the process has as many mappings as it may have (vm.max_map_count) */

	/* A guest program */
	RIP_E_NOFILE = -10,   /* the file is not there or cannot be read */
	RIP_E_NOTELF = -11,   /* the file is not a 64-bit little-endian ELF object */
	RIP_E_MACHINE = -12,  /* the file is for another machine */
	RIP_E_NOTSHARED = -13,/* the file is ELF, but not a shared object */
	RIP_E_LOAD = -14,     /* the dynamic loader refused it */
	RIP_E_NOENTRY = -15,  /* no such function in the program */
	RIP_E_NOTABLES = -16, /* no unwind table covers the program's entry */
	RIP_E_NOTKILLABLE = -17, /* not all of its code is killable: see kill.h */

	/* Unwind tables and stacks. Both are input: none of these is ever an assertion. */
	RIP_E_TRUNCATED = -30, /* a table ends before the datum does */
	RIP_E_OVERFLOW = -31,  /* a number does not fit its type */
	RIP_E_ENCODING = -32,  /* an unknown pointer encoding */
	RIP_E_CIE = -33,       /* a CIE of unknown version or augmentation, or not a CIE */
	RIP_E_FDE = -34,       /* an FDE that contradicts itself */
	RIP_E_HEADER = -35,    /* an .eh_frame_hdr that contradicts itself */
	RIP_E_CFA_OP = -36,    /* an unknown call frame instruction, or one out of place */
	RIP_E_CFA_DEPTH = -37, /* remembered more states than are kept, or restored one too many */
	RIP_E_REGISTER = -38,  /* a register that the machine does not have */
	RIP_E_EXPR_OP = -39,   /* an unknown or forbidden DWARF operator */
	RIP_E_EXPR_STACK = -40,/* a DWARF expression's stack ran over or under */
	RIP_E_EXPR_LOOP = -41, /* a DWARF expression ran for too long */
	RIP_E_LSDA = -42,      /* a language-specific data area that contradicts itself */
	RIP_E_NOFDE = -43,     /* no unwind table covers this pc */
	RIP_E_MEMORY = -44,    /* memory that the unwinder needs cannot be read */
	RIP_E_CFA = -45,       /* the CFA did not grow, or left the stack */
	RIP_E_RETURN = -46,    /* the return address points to no known code */
	RIP_E_LOOP = -47,      /* landing pads went round in circles */
	RIP_E_TIME = -49,      /* it took longer than a kill waits */
	RIP_E_END = -48,       /* the outermost frame: there is no caller */
} rip_status;

/* The code's name without its prefix, such as "TRUNCATED"; "UNKNOWN" for any other number.
 * A constant string. Any thread, async-signal-safe. */
const char *rip_status_name(rip_status status);

/* One line in plain words, such as "a table ends before the datum does". Likewise. */
const char *rip_status_text(rip_status status);

/* What a function failed at that returned NOMEM, MAPS, SYSTEM, NOFILE or LOAD; or rip_program_open, whatever it
 * returned but ARGUMENT. */
typedef struct rip_failure {
	rip_status status;     /* what it returned; RIP_OK: nothing has failed so on this thread */
	int error;             /* the system's number for the reason, as errno(3) has them; 0: it gave none */
	const char *operation; /* the function or system call that failed, such as "mmap": a constant string;
	                        * NULL while status is RIP_OK */
	char subject[112];     /* the path or name that it was given, its end left out where it is too long; ""
	                        * where it was given none */
} rip_failure;

/* The calling thread's last failure of that kind. As with errno, it has a meaning directly after a function of
 * Ripcord has returned such a status; later calls, also those that succeed, may change it. The memory is the thread's:
 * valid until it ends, never NULL. A guest shares it with its host. Not in libripcord-core.a. Any thread,
 * async-signal-safe; a signal handler that calls Ripcord may change it. */
const rip_failure *rip_last_error(void);

#ifdef __cplusplus
}
#endif
#endif
