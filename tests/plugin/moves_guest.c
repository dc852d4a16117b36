/* SPDX-License-Identifier: MIT
 * What GCC's passes might move into a scope, out of it, or across its start and end, and what they make
 * several instructions
 * of: tests/plugin/matrix.sh builds it with many options. Nothing here is to lose its landing pad. */
#include <ripcord/cleanup.h>
#include <ripcord/sweep.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALONE __attribute__((noinline, noclone)) static
#define IN_LINE __attribute__((always_inline)) static inline
#define HELD int held RIP_CLEANUP(drop) = take()
#define HELD_IN_LINE int held RIP_CLEANUP(drop_in_line) = take_in_line()

typedef unsigned u;
static volatile u three = 3, four = 4, seen, always = 1, never;
static u last, plain;

ALONE int take(void)
{
	rip_sweep_acquire("held", ++last);
	return (int)last;
}

ALONE void drop(int *held)
{
	if (*held > 0)
		rip_sweep_release("held", (uint64_t)*held);
}

IN_LINE int take_in_line(void)
{
	rip_sweep_acquire("held", ++last);
	return (int)last;
}

IN_LINE void drop_in_line(int *held)
{
	if (*held > 0)
		rip_sweep_release("held", (uint64_t)*held);
}

ALONE void work(void)
{
	for (u i = always; i; i--) /* has a poll */
		seen += i;
}

ALONE u get(u x)
{
	for (u i = always; i; i--)
		seen += x;
	return x + 1;
}

__attribute__((const, noinline, noclone)) static u mix(u a, u b)
{
	for (u i = 0; i < (b & 7); i++)
		a = a * 7 + b;
	return a;
}

__attribute__((pure, noinline, noclone)) static u sum(const u *a, u b)
{
	u s = 0;
	for (u i = 0; i < (b & 3); i++)
		s = s * 7 + a[i];
	return s;
}

#define MOVES(name, ...) \
	ALONE u name(u *restrict a, u b, u c, unsigned char *d) \
	{ \
		u r = b + (a != NULL) + (d != NULL); \
		__VA_ARGS__; \
		return r + c; \
	}

/* --- Computed before, used in the scope --- */

MOVES(divides_before, u v = b / c; HELD; work(); if (always) r += v)
MOVES(divides_twice, u v = b / c, w = b % c; HELD_IN_LINE; if (always) { work(); r += v; } r += w)
MOVES(mixes_before, u v = mix(b, c); HELD; work(); if (always) r += v)
MOVES(sums_before, u v = sum(a, c); HELD; if (always) { work(); r += v; })
MOVES(loads_before, u v = a[2]; HELD; work(); if (always) r += v)
MOVES(chains_before, u v = a[a[1] & 3] / c; HELD; work(); if (always) r += v)
MOVES(branches_before, u v = 0; if (b & 1) v = b / c; HELD; if (b & 1) { work(); r += v; })
MOVES(divides_in_loop, for (u i = 0; i < 3; i++) { u v = b / c; HELD; work(); r += v + i; })
MOVES(loads_in_loop, for (u i = 0; i < 3; i++) { u v = a[i & 3]; HELD; work(); r += v; })
MOVES(nests, u v = b / c; HELD; { u w = (b + 1) / c; HELD_IN_LINE; if (always) r += w; work();
      } if (always) r += v)
MOVES(switches, u v = b / c; HELD; switch (b & 3) { case 0: r = v; break; case 1: work(); r = v + 1; break;
      default: r = v * 3; })
MOVES(uses_late, u v = b / c; { HELD; work(); } { HELD; if (always) r = v; work(); })

/* --- Computed in the scope, used behind it or over and over --- */

MOVES(divides_in, u v; { HELD; v = b / c; work(); } if (always) r = v)
MOVES(mixes_in, u v; { HELD; v = mix(b, c); work(); } if (always) r = v)
MOVES(sums_in, u v; { HELD; v = sum(a, c); } if (always) r = v)
MOVES(loads_in, u v; { HELD; v = a[1]; work(); } if (always) r = v)
MOVES(both_ways, { HELD; if (always) r = b / c; else { work(); r = b / c; } })
MOVES(again_behind, { HELD; r = b / c; work(); } r += b / c)
MOVES(between, { HELD; work(); } r += b / c; { HELD; r += b / c; })
MOVES(invariant, HELD; for (u i = 0; i < 4; i++) { work(); r += b / c + a[2]; })
MOVES(invariant_around, for (u i = 0; i < 4; i++) { HELD_IN_LINE; r += b / c + a[2] + i; })
MOVES(unswitched, HELD; for (u i = 0; i < 8; i++) { if (b & 2) r += a[i & 3] / c; else r ^= a[i & 3]; })
MOVES(unswitched_scope, for (u i = 0; i < 8; i++) { if (b & 2) { HELD_IN_LINE; r += a[i & 3] / c;
      } else r ^= a[i & 3]; })
MOVES(early, HELD; if (b & 1) return a[0]; if (c & 1) return a[1] / c; r = a[2])
MOVES(tails, if (b == 9999) return 0; HELD; if (c) r = get(b); else r = get(b))
MOVES(many_values, HELD; u x = a[0], y = a[1], z = a[2]; work(); u v = x / c, w = y / c; work();
      r = x * y - z + v * w + a[0])

/* --- Branches and loops that become others --- */

MOVES(conditional, HELD; u v = 0; if (b & 1) v = a[1]; r = v)
MOVES(selected, HELD; r = (b & 1) ? a[1] : a[2])
MOVES(stored_twice, HELD; a[0] = 1; if (b & 1) a[0] = 2; work())
MOVES(smaller, HELD; r = a[1] < a[2] ? a[1] : a[2])
MOVES(largest, HELD; for (int i = 0; i < 4; i++) r = a[i] > r ? a[i] : r)
MOVES(narrowed, HELD; for (u i = 0; i < 8; i++) d[i] = (unsigned char)a[i & 3])
MOVES(zeroed, HELD; for (u i = 0; i < (b & 15); i++) d[i] = 0)
MOVES(copied, HELD; for (u i = 0; i < 4; i++) ((u *)d)[i] = a[i])
MOVES(added, HELD; for (u i = 0; i < 8; i++) d[i] += 3)
MOVES(measured, HELD; const char *s = (char *)d; while (*s) s++; r = (u)(s - (char *)d))
MOVES(found, HELD; for (u i = 0; i < 4; i++) if (a[i] == b) { r = i; break; })
MOVES(local, HELD; u t[16]; for (u i = 0; i < 16; i++) t[i] = a[i & 3]; for (u i = 0; i < 16; i++) r += t[i])
MOVES(local_zeros, HELD; u t[64] = { 0 }; t[b & 63] = a[0]; work(); for (u i = 0; i < 64; i++) r += t[i])
MOVES(reduced, HELD; for (u i = 0; i < 4; i++) plain += a[i])
MOVES(reduced_there, HELD; u *p = (u *)d; for (u i = 0; i < 4; i++) *p += a[i])
MOVES(list, struct n { struct n *next; }; HELD; for (struct n *n = *(struct n **)(d + 48); n;
      n = n->next) r++)
MOVES(labels, HELD; static void *const to[] = { &&x, &&y }; goto *to[a[0] & 1]; x: r = a[1]; y: r += a[2])
MOVES(cases, HELD; switch (a[0] & 7) { case 0: r = a[1]; break; case 1: r = b / c; break; case 2: work();
      break; default: r = 5; })
MOVES(calls, HELD; u (*f)(u) = always ? get : NULL; r = f(a[0]) + get(a[1]) * get(a[2]))

/* --- One access that becomes several, several that become one --- */

MOVES(structure, struct s { u x[12]; }; HELD; struct s t = *(struct s *)d; t.x[b & 7]++; *(struct s *)d = t)
MOVES(large, struct s { u x[40]; }; HELD; struct s *p = (struct s *)d, t; if (always) { t = *p; work();
      *p = t; } r = a[0])
MOVES(pair, struct s { unsigned long x, y; }; HELD; struct s *p = (struct s *)d, t = *p; p->x = t.y;
      p->y = t.x)
MOVES(four_stores, HELD; u *p = (u *)d; p[0] = b; p[1] = c; p[2] = b; p[3] = c)
MOVES(four_copies, HELD; u *p = (u *)d; p[0] = a[0]; p[1] = a[1]; p[2] = a[2]; p[3] = a[3])
MOVES(doubles, HELD; double *p = (double *)d; p[0] = p[0] * 2 + 1; p[1] = p[1] * 2 + 1)
MOVES(floats, HELD; float *p = (float *)d; float s = 0; for (int i = 0; i < 8; i++) s += p[i]; r = s > 3)
MOVES(counted, HELD; r = (u)__builtin_popcountll(*(unsigned long *)d) + (u)__builtin_ctz(a[0] | 1))
MOVES(bits_of, HELD; ((u *)d)[0] |= 1u << (b & 31); r = (a[0] >> (c & 31)) & 1; r += ~b & a[1])
MOVES(wide, HELD; unsigned __int128 *p = (void *)d; *p += b; r = (u)(*p >> 64))
MOVES(atomic, HELD; u e = 7;
      r = __atomic_exchange_n(a, 3, 5) + __atomic_compare_exchange_n(a, &e, 8, 0, 5, 5);
      r += __atomic_or_fetch(a, 4, 5))
MOVES(turned, HELD; r = __builtin_bswap32(a[0]); ((u *)d)[1] = __builtin_bswap32(b))
MOVES(divides_signed, HELD; r = (u)((int)b / (int)a[0]) + (u)((int)b % (int)a[1]) + (u)((long)b / (long)a[2]))
MOVES(overflows, HELD; int x; if (__builtin_add_overflow((int)a[0], (int)b, &x)) work(); r = (u)x)
MOVES(fields, struct f { u x : 3, y : 9; int z : 7; }; HELD; struct f *f = (struct f *)d; f->x = a[0] & 7;
      f->z += 3; r = f->y)
MOVES(packed, struct __attribute__((packed)) p { char c; u x; }; HELD; struct p *p = (void *)d;
      p->x += a[0]; r = p->x)
MOVES(room, HELD; u n = b & 7; u v[n + 1]; for (u i = 0; i <= n; i++) v[i] = a[i & 3]; r = v[n])

int main(void)
{
	static u numbers[4];
	static _Alignas(32) unsigned char memory[256];
	u *volatile a = numbers, out = 0;
	unsigned char *volatile d = memory;

#define M(name) \
	memset(d, 1, 48), numbers[0] = numbers[3] = 1, numbers[1] = numbers[2] = 2, \
		out = out * 31 + name(a, three, four, d);
	M(divides_before) M(divides_twice) M(mixes_before) M(sums_before) M(loads_before) M(chains_before)
	M(branches_before)
	M(divides_in_loop) M(loads_in_loop) M(nests) M(switches) M(uses_late) M(divides_in) M(mixes_in)
	M(sums_in) M(loads_in)
	M(both_ways) M(again_behind) M(between) M(invariant) M(invariant_around) M(unswitched)
	M(unswitched_scope) M(early)
	M(tails) M(many_values) M(conditional) M(selected) M(stored_twice) M(smaller) M(largest) M(narrowed)
	M(zeroed) M(copied)
	M(added) M(measured) M(found) M(local) M(local_zeros) M(reduced) M(reduced_there) M(list) M(labels)
	M(cases) M(calls)
	M(structure) M(large) M(pair) M(four_stores) M(four_copies) M(doubles) M(floats) M(counted)
	M(bits_of) M(wide)
	M(atomic) M(turned) M(divides_signed) M(overflows) M(fields) M(packed) M(room)
	printf("%u\n", out + never);
	return 0;
}
