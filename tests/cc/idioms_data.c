/* SPDX-License-Identifier: MIT
 * What code commonly does with memory, each in a scope with a cleanup: for tests/cc/idioms.sh. */
#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

int take(void);
void drop(int *), use(void *);

#define SCOPE \
	int held __attribute__((cleanup(drop))) = take(); \
	use((void *)p)

typedef struct {
	int a, b, c, d;
	char t[20];
	unsigned f : 3, g : 5;
	long l[8];
	double x, y;
} T;

uint32_t little(const uint8_t *p)
{
	SCOPE;
	return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

uint32_t big(const uint8_t *p)
{
	SCOPE;
	return p[3] | p[2] << 8 | p[1] << 16 | (uint32_t)p[0] << 24;
}

uint16_t little_2(const uint8_t *p)
{
	SCOPE;
	return p[0] | p[1] << 8;
}

uint64_t little_8(const uint8_t *p)
{
	SCOPE;
	uint64_t v = 0;
	for (int i = 0; i < 8; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

void put_little(uint8_t *p, uint32_t v)
{
	SCOPE;
	p[0] = v;
	p[1] = v >> 8;
	p[2] = v >> 16;
	p[3] = v >> 24;
}

void put_big(uint8_t *p, uint32_t v)
{
	SCOPE;
	p[3] = v;
	p[2] = v >> 8;
	p[1] = v >> 16;
	p[0] = v >> 24;
}

void zero_fields(T *p)
{
	SCOPE;
	p->a = 0;
	p->b = 0;
	p->c = 0;
	p->d = 0;
}

void set_doubles(T *p, double v)
{
	SCOPE;
	p->x = v;
	p->y = v;
}

void copy_fields(T *p, T *q)
{
	SCOPE;
	p->a = q->a;
	p->b = q->b;
	p->c = q->c;
	p->d = q->d;
}

void set_bits(T *p, int v)
{
	SCOPE;
	p->f = v;
	p->g = v + 1;
}

int test_bits(T *p)
{
	SCOPE;
	return p->f == 1 && p->g == 2;
}

void clear_loop(int *p, int n)
{
	SCOPE;
	for (int i = 0; i < n; i++)
		p[i] = 0;
}

void copy_loop(int *restrict p, int *restrict q, int n)
{
	SCOPE;
	for (int i = 0; i < n; i++)
		p[i] = q[i];
}

int sum_loop(int *p, int n)
{
	SCOPE;
	int s = 0;
	for (int i = 0; i < n; i++)
		s += p[i];
	return s;
}

void double_loop(float *p, int n)
{
	SCOPE;
	for (int i = 0; i < n; i++)
		p[i] *= 2;
}

void eight_longs(long *p)
{
	SCOPE;
	for (int i = 0; i < 8; i++)
		p[i] += 1;
}

int if_then(int *p, int c)
{
	SCOPE;
	int r = 0;
	if (c)
		r = *p;
	return r;
}

int choose(int *p, int c)
{
	SCOPE;
	return c ? p[0] : p[1];
}

void store_either(int *p, int c)
{
	SCOPE;
	if (c)
		*p = 1;
	else
		*p = 2;
}

int invariant(int *p, int n)
{
	SCOPE;
	int s = 0;
	for (int i = 0; i < n; i++)
		s += *p ^ i;
	return s;
}

int choose_struct(T *p, T *q, int c)
{
	SCOPE;
	T *r = c ? p : q;
	return r->a + r->b;
}

void swap_structs(T *p, T *q)
{
	SCOPE;
	T t = *p;
	*p = *q;
	*q = t;
}

T return_struct(T *p)
{
	SCOPE;
	return *p;
}

void clear_struct(T *p)
{
	SCOPE;
	memset(p, 0, sizeof *p);
}

void copy_16(char *p, char *q)
{
	SCOPE;
	memcpy(p, q, 16);
}

void copy_7(char *p, char *q)
{
	SCOPE;
	memcpy(p, q, 7);
}

void move_16(char *p, char *q)
{
	SCOPE;
	memmove(p, q, 16);
}

void copy_literal(char *p)
{
	SCOPE;
	strcpy(p, "hello");
}

int divide(int *p, int a)
{
	SCOPE;
	return a / *p;
}

int compare_and_swap(int *p)
{
	SCOPE;
	return __sync_bool_compare_and_swap(p, 1, 2);
}

int atomic_add(int *p)
{
	SCOPE;
	return __atomic_add_fetch(p, 1, 5);
}

long count_ones(long *p)
{
	SCOPE;
	return __builtin_popcountl(*p);
}

_Complex double square_complex(_Complex double *p)
{
	SCOPE;
	return *p * *p;
}

__int128 load_128(__int128 *p)
{
	SCOPE;
	return *p + 1;
}

void store_128(__int128 *p, __int128 v)
{
	SCOPE;
	*p = v;
}

double root(double *p)
{
	SCOPE;
	return __builtin_sqrt(*p);
}

int switch_to_table(unsigned char *p)
{
	SCOPE;
	switch (*p) {
	case 1:
		return 3;
	case 2:
		return 9;
	case 3:
		return 4;
	case 4:
		return 44;
	case 5:
		return 2;
	}
	return 0;
}

int constant_table(int *p, int i)
{
	SCOPE;
	static const int t[] = {3, 1, 4, 1, 5};
	return t[*p] + t[i];
}
typedef int v4 __attribute__((vector_size(16)));

void add_vectors(v4 *p, v4 *q)
{
	SCOPE;
	*p = *p + *q;
}

int length(char *p)
{
	SCOPE;
	int n = 0;
	while (p[n])
		n++;
	return n;
}

void reverse(char *p, int n)
{
	SCOPE;
	for (int i = 0, j = n - 1; i < j; i++, j--) {
		char t = p[i];
		p[i] = p[j];
		p[j] = t;
	}
}

int least(int *p, int n)
{
	SCOPE;
	int m = p[0];
	for (int i = 1; i < n; i++)
		m = p[i] < m ? p[i] : m;
	return m;
}

int last_store(int *p, int n)
{
	SCOPE;
	p[n] = 1;
}

int volatile_twice(volatile int *p)
{
	SCOPE;
	return *p + *p;
}

long double load_80(long double *p)
{
	SCOPE;
	return *p + 1;
}

void scope_in_loop(T *p, int n)
{
	SCOPE;
	for (int i = 0; i < n; i++) {
		int g __attribute__((cleanup(drop))) = take();
		p->l[i & 7] = p->a;
	}
	p->b = 3;
}
typedef int (*fn)(int);

int call_through(fn *p, int i)
{
	SCOPE;
	return p[i](i);
}

void increment(int *p)
{
	SCOPE;
	(*p)++;
}

void mask_in_place(unsigned *p)
{
	SCOPE;
	*p &= 0xff00ff;
}

int all_zero(T *p)
{
	SCOPE;
	return p->a == 0 && p->b == 0 && p->c == 0;
}

int fields_equal(T *p, T *q)
{
	SCOPE;
	return p->a == q->a && p->b == q->b;
}
typedef union {
	float f;
	uint32_t u;
	double d;
	char c[8];
} U;
typedef struct {
	int n;
	int v[];
} F;
typedef struct {
	uint64_t a : 40, b : 24;
	unsigned char k : 1;
} __attribute__((packed)) K;

uint64_t bits_of_packed(K *p)
{
	SCOPE;
	return p->a + p->b;
}

void set_bits_of_packed(K *p, uint64_t v)
{
	SCOPE;
	p->a = v;
	p->b = v >> 1;
	p->k = 1;
}

float union_float(U *p)
{
	SCOPE;
	return p->f * 2;
}

uint32_t pun(U *p, float f)
{
	SCOPE;
	p->f = f;
	return p->u;
}

int flexible(F *p)
{
	SCOPE;
	int s = 0;
	for (int i = 0; i < p->n; i++)
		s ^= p->v[i];
	return s;
}

void roots(double *p, int n)
{
	SCOPE;
	for (int i = 0; i < n; i++)
		p[i] = sqrt(p[i]);
}

void add_floats(float *p, float *q, int n)
{
	SCOPE;
	for (int i = 0; i < n; i++)
		p[i] += q[i];
}

void upper(unsigned char *p, int n)
{
	SCOPE;
	for (int i = 0; i < n; i++)
		p[i] = toupper(p[i]);
}

int find_byte(char *p, int n)
{
	SCOPE;
	return memchr(p, 'x', n) != 0;
}

size_t length_most(char *p)
{
	SCOPE;
	return strnlen(p, 9);
}

char *find_last(char *p)
{
	SCOPE;
	return strrchr(p, '/');
}

long number(char *p)
{
	SCOPE;
	return strtol(p, 0, 10);
}

wchar_t wide(wchar_t *p)
{
	SCOPE;
	return p[0] + wcslen(p);
}

int jump_table(int *p, int n)
{
	SCOPE;
	switch (n) {
	case 0:
		return *p;
	case 1:
		return p[1];
	case 2:
		p[2] = 3;
		break;
	case 3:
		return p[3] ^ 1;
	case 4:
		return -p[4];
	}
	return 0;
}

int short_cut(int *p, int a, int b)
{
	SCOPE;
	return (a && *p) || (b && p[1]);
}

int twice_removed(int **p)
{
	SCOPE;
	return **p;
}

void fill_non_null(int **p, int n)
{
	SCOPE;
	for (int i = 0; i < n; i++)
		if (p[i])
			*p[i] = i;
}
typedef struct L {
	struct L *n;
	int v;
} L;

int list_sum(L *p)
{
	SCOPE;
	int s = 0;
	while (p) {
		s += p->v;
		p = p->n;
	}
	return s;
}

L *list_reverse(L *p)
{
	SCOPE;
	L *r = 0;
	while (p) {
		L *n = p->n;
		p->n = r;
		r = p;
		p = n;
	}
	return r;
}

void swap_2(uint16_t *p)
{
	SCOPE;
	*p = __builtin_bswap16(*p);
}

uint64_t swap_8(uint64_t *p)
{
	SCOPE;
	return __builtin_bswap64(*p);
}

uint64_t rotate(uint64_t *p, int n)
{
	SCOPE;
	return *p << n | *p >> (64 - n);
}

int trailing_zeros(uint64_t *p)
{
	SCOPE;
	return __builtin_ctzll(*p);
}

__int128 divide_128(__int128 *p, __int128 d)
{
	SCOPE;
	return *p / d;
}

int exchange(int *p, int i, int j)
{
	SCOPE;
	int t = p[i];
	p[i] = p[j];
	p[j] = t;
	return t;
}

void set_few(char *p, int n)
{
	SCOPE;
	memset(p, 'a', n & 7);
}

void copy_few(char *p, char *q, int n)
{
	SCOPE;
	memcpy(p, q, n & 31);
}

void atomic_store(int *p)
{
	SCOPE;
	__atomic_store_n(p, 1, 5);
}

int atomic_exchange(int *p)
{
	SCOPE;
	return __atomic_exchange_n(p, 1, 5);
}

void identity(int (*p)[4])
{
	SCOPE;
	for (int i = 0; i < 4; i++)
		for (int j = 0; j < 4; j++)
			p[i][j] = i == j;
}

double norm(double *p, int n)
{
	SCOPE;
	double s = 0;
	for (int i = 0; i < n; i++)
		s += p[i] * p[i];
	return s;
}

int count_char(const char *p)
{
	SCOPE;
	int n = 0;
	for (; *p; p++)
		n += *p == 'a';
	return n;
}

int begins_number(const char *p)
{
	SCOPE;
	return isdigit(*p) || *p == '-';
}

void digits(char *p, int v)
{
	SCOPE;
	do
		*p++ = '0' + v % 10;
	while (v /= 10);
}

uint32_t crc(const uint8_t *p, int n)
{
	SCOPE;
	uint32_t c = ~0u;
	for (int i = 0; i < n; i++) {
		c ^= p[i];
		for (int k = 0; k < 8; k++)
			c = c >> 1 ^ (0xedb88320 & -(c & 1));
	}
	return ~c;
}

int may_alias(int *p, int *q)
{
	SCOPE;
	int r = *p;
	*q = 5;
	return r + *p;
}

int index_of(int *p, int n)
{
	SCOPE;
	int i;
	for (i = 0; i < n; i++)
		if (p[i] == 7)
			break;
	return i;
}

void scale_shorts(short *p, short *q, int n)
{
	SCOPE;
	for (int i = 0; i < n; i++)
		p[i] = p[i] * q[i] >> 3;
}

int hoist(int *p, int c)
{
	SCOPE;
	int x = *p;
	if (c)
		return x + 1;
	return x - 1;
}

int both_arms(int *p, int c)
{
	SCOPE;
	if (c)
		return *p + 1;
	else
		return *p + 2;
}

int alternate(int *p, int n)
{
	SCOPE;
	int s = 0;
	for (int i = 0; i < n; i++) {
		if (i & 1)
			s += *p;
		else
			s -= *p;
	}
	return s;
}

int on_or_off(char *p)
{
	SCOPE;
	return !strcmp(p, "on") ? 1 : !strcmp(p, "off") ? 0 : -1;
}

int is_abc(char *p)
{
	SCOPE;
	return p[0] == 'a' && p[1] == 'b' && p[2] == 'c' && p[3] == 0;
}

int signed_2(const uint8_t *p)
{
	SCOPE;
	return (int8_t)p[0] | (int8_t)p[1] << 8;
}

uint32_t load_swapped(const uint8_t *p)
{
	SCOPE;
	uint32_t v;
	memcpy(&v, p, 4);
	return __builtin_bswap32(v);
}

void store_swapped(uint8_t *p, uint32_t v)
{
	SCOPE;
	v = __builtin_bswap32(v);
	memcpy(p, &v, 4);
}

long double product_80(long double *p, long double *q)
{
	SCOPE;
	return *p * *q;
}

int table_of_strings(int *p)
{
	SCOPE;
	static const char *n[] = {"a", "bb", "ccc"};
	return strlen(n[*p]);
}

void fill_64(
    struct { int a[64]; } * p, int n)
{
	SCOPE;
	for (int i = 0; i < 64; i++)
		p->a[i] = n;
}

_Bool negate(_Bool *p)
{
	SCOPE;
	return !*p;
}

int hash(int *p, int n)
{
	SCOPE;
	int s = 0;
	for (int i = n; i--;)
		s = s * 31 + p[i];
	return s;
}

void insertion_sort(int *p, int n)
{
	SCOPE;
	for (int i = 1; i < n; i++) {
		int k = p[i], j = i - 1;
		while (j >= 0 && p[j] > k) {
			p[j + 1] = p[j];
			j--;
		}
		p[j + 1] = k;
	}
}

int wait_for_zero(volatile int *p)
{
	SCOPE;
	while (*p)
		;
	return p[1];
}

int search(int *p, int x)
{
	SCOPE;
	return bsearch(&x, p, 10, 4, (void *)use) != 0;
}
