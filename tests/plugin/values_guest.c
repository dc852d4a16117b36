/* SPDX-License-Identifier: MIT
 * Values of more than a register: each function holds something while it reads or writes one in memory, and
 * gets a fault at every instruction by tests/plugin/values.sh. Without faults, the values are gcc's. */
#include <ripcord/cleanup.h>
#include <ripcord/sweep.h>
#include <complex.h>
#include <stdio.h>

#define ALONE __attribute__((noinline, noclone)) static
#define HELD int outer RIP_CLEANUP(drop) = take(1), held RIP_CLEANUP(drop) = take(2); (void)getpid()

static volatile unsigned seen;

/* HELD calls other code behind it: the sweep takes what was acquired by the last such call for in flight. */
ALONE int take(int number)
{
	rip_sweep_acquire("held", (uint64_t)number);
	return number;
}

static void drop(int *held)
{
	rip_sweep_release("held", (uint64_t)*held);
}

/* --- Structures by value, to and from functions that nothing can stop --- */

struct pair {
	double first, second;
};
struct three {
	unsigned part[3];
};
struct many {
	unsigned part[50];
};

ALONE unsigned add_pair(struct pair p) { return (unsigned)(p.first + p.second); }
ALONE unsigned add_three(struct three t) { return t.part[0] + t.part[2]; }
ALONE unsigned add_many(struct many m, unsigned n) { return m.part[3] + n; }
ALONE struct pair make_pair(unsigned n) { return (struct pair){ n, n + 1 }; }
ALONE struct three make_three(unsigned n) { return (struct three){ { n, n + 1, n + 2 } }; }
ALONE struct many make_many(unsigned n) { return (struct many){ { n, n + 1, n + 2, n + 3 } }; }

ALONE void give_pair(struct pair *p) { HELD; seen = add_pair(*p); }
ALONE void give_three(struct three *t) { HELD; seen = add_three(*t); }
ALONE void give_many(struct many *m) { HELD; seen = add_many(*m, 3); }
ALONE void give_element(struct pair *p, unsigned n) { HELD; seen = add_pair(p[n]); }
ALONE void get_pair(struct pair *p) { HELD; *p = make_pair(5); seen = 1; }
ALONE void get_three(struct three *t) { HELD; *t = make_three(6); seen = 1; }
ALONE void get_many(struct many *m) { HELD; *m = make_many(7); seen = 1; }

/* --- Vectors that the machine cannot divide --- */

typedef unsigned four __attribute__((vector_size(16)));
typedef short sixteen __attribute__((vector_size(32)));

ALONE void divide(four *v) { HELD; v[2] = v[0] / v[1]; seen = 1; }
ALONE void divide_values(four *v) { four a = v[0], b = v[1]; HELD; a = a / b; seen = a[3]; }
ALONE void remain(sixteen *v) { HELD; v[2] = v[0] % v[1]; seen = 1; }
ALONE void divide_one(four *v, unsigned n) { HELD; v[2] = n / v[1]; seen = 1; }

/* --- Complex numbers --- */

ALONE void multiply(double complex *c) { HELD; c[2] = c[0] * c[1]; seen = 1; }
ALONE void divide_complex(float complex *c) { HELD; c[2] = c[0] / c[1]; seen = 1; }
ALONE void add_complex(double complex *c, double n) { HELD; c[0] += n; seen = (unsigned)cimag(c[0]); }
ALONE void copy_complex(double complex *c) { HELD; c[3] = c[2]; c[4] = 2 + 3 * I; seen = 1; }

/* In structures, which GCC takes out of memory later. */
struct single { float complex c; };
struct labelled { double complex c; int label; };

ALONE void put_two(struct single *s, unsigned n)
{
	HELD;
	struct single whole;
	__real whole.c = n;
	__imag whole.c = 2;
	*s = whole;
	seen = 1;
}
ALONE void scale(struct single *s) { HELD; struct single whole = s[0]; whole.c *= 3 + 4 * I; s[1] = whole; seen = 1; }
static void multiply_by(struct single *to, const struct single *by) { to->c *= by->c; }
static struct single product(const struct single *a, const struct single *b)
{
	struct single whole = *a;
	multiply_by(&whole, b);
	return whole;
}
ALONE void products(struct single *s, int n) { HELD; for (int i = 0; i < n; i++) s[i] = product(&s[i], &s[i + 1]); }
ALONE void turn(struct labelled *s) { HELD; struct labelled l = s[0]; l.c *= I; seen = (unsigned)l.label; s[1] = l; }
ALONE void look(struct single *s) { HELD; struct single l = *s; seen = (unsigned)(crealf(l.c) + cimagf(l.c)); }
ALONE void exchange(struct single *s) { HELD; struct single a = s[0], b = s[1]; s[0] = b; s[1] = a; seen = 1; }

int main(void)
{
	static struct many room[4];
	static _Alignas(32) unsigned numbers[32] = { 8, 9, 10, 11, 2, 3, 4, 5 };
	static double complex plane[8] = { 1 + 2 * I, 3 + 4 * I };
	static float complex floats[4] = { 10 + 5 * I, 1 + 2 * I };
	static struct labelled labelled[2] = { { 3 + 4 * I, 5 } };
	void *volatile r = room, *volatile n = numbers, *volatile p = plane, *volatile f = floats;
	void *volatile l = labelled;
	struct many *many = r;
	unsigned *number = n;

	get_pair(r), give_pair(r), printf("%u ", seen);
	get_three(r), give_three(r), printf("%u ", seen);
	get_many(r), give_many(r), printf("%u %u ", seen, many->part[3]);
	get_pair((struct pair *)r + 2), give_element(r, 2), printf("%u ", seen);
	divide(n), printf("%u %u ", number[8], number[11]);
	divide_values(n), printf("%u ", seen);
	divide_one(n, 100), printf("%u %u ", number[8], number[9]);
	for (int i = 0; i < 32; i++)
		((short *)n)[i] = (short)(i + 100);
	remain(n), printf("%d ", ((short *)n)[32]);
	multiply(p), printf("%g %g ", creal(plane[2]), cimag(plane[2]));
	add_complex(p, 4), printf("%g %u ", creal(plane[0]), seen);
	copy_complex(p), printf("%g %g ", cimag(plane[3]), cimag(plane[4]));
	put_two(f, 7), scale(f), look(f), printf("%u %g ", seen, (double)cimagf(floats[1]));
	products(f, 1), printf("%g ", (double)crealf(floats[0]));
	exchange(f), printf("%g %g ", (double)crealf(floats[0]), (double)crealf(floats[1]));
	turn(l), printf("%u %g %d ", seen, creal(labelled[1].c), labelled[1].label);
	divide_complex(f), printf("%g %g\n", (double)crealf(floats[2]), (double)cimagf(floats[2]));
	return 0;
}
