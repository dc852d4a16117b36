/* SPDX-License-Identifier: MIT
 * sys/cdefs.h: takes the promise "never throws" off the C library's C functions.
 *
 * glibc declares most functions nothrow, and GCC gives a call of such a function no landing pad: a frame
 * that is stopped in abort(), in a failed assert() or by a bad pointer in atoi() would lose its cleanups.
 * `leaf` goes too: the cleanups of a guest that is stopped in such a call do come back to the caller.
 * C++ keeps glibc's promise: the standard library's headers repeat it, and would contradict this. */
#pragma GCC system_header
#include_next <sys/cdefs.h>

#if !defined __cplusplus && defined __THROW
#undef __THROW
#undef __THROWNL
#undef __NTH
#undef __NTHNL
#define __THROW
#define __THROWNL
#define __NTH(function) function
#define __NTHNL(function) function
#endif
