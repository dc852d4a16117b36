/* SPDX-License-Identifier: MIT
 * differential_workload: calls into libc, libm, libstdc++ and Duktape, in many small rounds that differ. */
#include <algorithm>
#include <cmath>
#include <complex>
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <iomanip>
#include <locale.h>
#include <map>
#include <memory>
#include <regex.h>
#include <sstream>
#include <stdexcept>
#include <string>
#include <unistd.h>
#include <vector>

#include "differential_lib.h"

#ifdef DUKTAPE
#include "duktape.h"
#endif

#pragma GCC diagnostic ignored "-Winfinite-recursion"
#define NOINLINE __attribute__((noinline, noclone))

static volatile double real_sink;
static volatile long sink;

/* --- libc --- */

static int by_value(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

NOINLINE static void strings(int round)
{
	char text[200], copy[200];

	snprintf(text, sizeof text, "%d %s %.17g %-20x|%*c %Lg %a", round, "words", round * 1.25, round, round % 9 + 1, 'x',
		 (long double)round / 3, round / 7.0);
	strcpy(copy, text);
	sink += (long)strlen(copy) + strcmp(copy, text) + (strchr(copy, '|') != nullptr) + memcmp(copy, text, 20);
	memset(copy, round, sizeof copy);
	memmove(copy + 3, copy, 100);
	sink += (long)strspn(text, "0123456789 ") + (strstr(text, "words") - text);
	for (char *save, *word = strtok_r(text, " ", &save); word; word = strtok_r(nullptr, " ", &save))
		sink += atoi(word);
}

NOINLINE static void numbers(int round)
{
	char text[80];

	snprintf(text, sizeof text, "%d.%de%d", round, round * 7, round % 40 - 20);
	real_sink = real_sink + strtod(text, nullptr) + (double)strtold(text, nullptr);
	sink += strtol("-7fffffff", nullptr, 16) + (long)strtoull("777", nullptr, 8);
	int a, b;
	sink += sscanf("12 34 abc", "%d %d %79s", &a, &b, text);
}

NOINLINE static void sorting(int round)
{
	int numbers[40];

	for (int &number : numbers)
		number = rand();
	numbers[3] = round;
	qsort(numbers, 40, sizeof numbers[0], by_value);
	sink += bsearch(&round, numbers, 40, sizeof numbers[0], by_value) != nullptr;
}

NOINLINE static void memory(int round)
{
	void *blocks[20];

	for (int i = 0; i < 20; i++)
		blocks[i] = malloc((size_t)(i * 37 + round % 100) * (i == 7 ? 1000 : 1));
	blocks[3] = realloc(blocks[3], 5000);
	for (int i = 0; i < 20; i++)
		free(blocks[(i * 7) % 20]);
	free(calloc(10, 30));
	if (round % 5 == 0)
		free(malloc(1 << 20));
}

NOINLINE static void expressions(int round)
{
	regex_t regex;
	regmatch_t matches[3];
	char text[40];

	snprintf(text, sizeof text, "key%d = value%d", round, round * 3);
	if (regcomp(&regex, round % 2 ? "^([a-z]+[0-9]*) *= *(.*)$" : "k(e|y)*[0-9]{1,3}", REG_EXTENDED) != 0)
		return;
	sink += regexec(&regex, text, 3, matches, 0) + matches[0].rm_eo;
	regfree(&regex);
}

static jmp_buf back;

NOINLINE static void jumps(int round)
{
	if (round > 0)
		jumps(round - 1);
	else
		longjmp(back, 1);
	sink++;
}

NOINLINE static void times(int round)
{
	time_t now = 1700000000 + round * 86400;
	struct tm broken;
	struct timespec t;
	char text[80];

	gmtime_r(&now, &broken);
	sink += mktime(&broken) + (long)strftime(text, sizeof text, "%A %d %B %Y %H:%M:%S %j %U", &broken);
	clock_gettime(CLOCK_MONOTONIC, &t);
	sink += getpid() + getppid();
}

NOINLINE static void files(int round)
{
	char text[200];
	FILE *file = fmemopen(text, sizeof text, "w+");

	fprintf(file, "%d\n%s\n", round, getenv("PATH") ? "path" : "none");
	rewind(file);
	sink += fgetc(file) + (fgets(text + 100, 50, file) != nullptr);
	fclose(file);
}

static void libc_round(int round)
{
	strings(round);
	numbers(round);
	sorting(round);
	memory(round);
	expressions(round);
	if (setjmp(back) == 0)
		jumps(round % 12);
	times(round);
	files(round);
	if (round % 8 == 0)
		setlocale(LC_ALL, round % 16 ? "C" : "C.UTF-8");
}

/* --- libm --- */

static void libm_round(int round)
{
	static double (*const one[])(double) = {
		sin, cos, tan, asin, acos, atan, sinh, cosh, tanh, asinh, acosh, atanh, exp, exp2, expm1, log, log2,
		log10, log1p, sqrt, cbrt, erf, erfc, tgamma, lgamma, floor, ceil, trunc, rint, j0, y1,
	};
	static float (*const single[])(float) = { sinf, cosf, tanf, expf, logf, sqrtf, cbrtf, erff, tgammaf, floorf };
	static long double (*const wide[])(long double) = { sinl, cosl, tanl, expl, logl, sqrtl, cbrtl, atanl, tgammal };
	double x = (round % 50) * 0.37 - 3, large = x * 1e10;

	for (auto function : one)
		real_sink = real_sink + function(x) + (round % 3 ? 0 : function(large));
	for (auto function : single)
		real_sink = real_sink + function((float)x);
	for (auto function : wide)
		real_sink = real_sink + (double)function(x);
	real_sink = pow(x, 1.7) + atan2(x, 3) + hypot(x, 4) + fmod(large, 3.1) + fma(x, x, x) + remainder(x, 0.3) +
		    ldexp(x, 3) + std::abs(std::exp(std::complex<double>(x, 1)));
}

/* --- libstdc++ --- */

struct base { virtual ~base() {} virtual int value(int n) { return n; } };
struct derived : base { int value(int n) override { return n + 1; } };

NOINLINE static void streams(int round)
{
	std::ostringstream out;
	std::istringstream in("17 3.25 word 0x1f");
	int number;
	double real;
	std::string word;

	out << round << ' ' << std::setw(12) << std::fixed << std::setprecision(3) << round / 7.0 << std::hex << round << '\n';
	in >> number >> real >> word >> std::hex >> number;
	sink += (long)out.str().size() + number + (long)word.size();
}

NOINLINE static void containers(int round)
{
	std::vector<std::string> words;
	std::map<std::string, int> counts;

	for (int i = 0; i < 12; i++)
		words.push_back(std::to_string((i * 7919 + round) % 101) + std::string(size_t(i), 'x'));
	std::sort(words.begin(), words.end());
	for (auto &word : words)
		counts[word.substr(0, 2)]++;
	auto shared = std::make_shared<derived>();
	sink += shared->value(round) + (long)counts.size();
	std::unique_ptr<base> object(round % 2 ? new derived : new base);
	sink += dynamic_cast<derived *>(object.get()) != nullptr;
}

NOINLINE static void throws(int n)
{
	std::string held(40, 'h');

	if (n == 0)
		throw std::runtime_error(held);
	throws(n - 1);
	sink += (long)held.size();
}

NOINLINE static void catches(int round)
{
	try {
		throws(round % 6);
	} catch (const std::logic_error &) {
		sink--;
	} catch (const std::exception &e) {
		sink += (long)strlen(e.what());
	}
	try {
		try {
			sink += std::stoi("nothing");
		} catch (...) {
			throw;
		}
	} catch (const std::invalid_argument &) {
		sink++;
	}
}

static void libstdcxx_round(int round)
{
	streams(round);
	containers(round);
	catches(round);
}

/* --- Duktape --- */

#ifdef DUKTAPE
static duk_context *engine;

static void duktape_round(int round)
{
	static const char *const scripts[] = {
		"[5, 3, 9, 1].sort(function (a, b) { return a - b; }).map(function (x) { return x * 2; }).join()",
		"JSON.stringify(JSON.parse('{\"a\": [1, 2.5, {\"b\": null}], \"c\": \"text\\u0041\"}'))",
		"'one two three'.replace(/(\\w+) (\\w+)/, function (m, a, b) { return b + a; })",
		"(function f(n) { return n < 2 ? n : f(n - 1) + f(n - 2); })(6)",
		"try { null.x } catch (e) { String(e) }",
		"var o = {}; for (var i = 0; i < 9; i++) o['k' + i] = Math.sqrt(i).toFixed(3); Object.keys(o).length",
		"new Date(86400000).toISOString() + parseFloat('1e3') + encodeURIComponent('\\u00e4')",
	};

	if (!engine)
		engine = duk_create_heap_default();
	duk_push_string(engine, scripts[(size_t)round % (sizeof scripts / sizeof scripts[0])]);
	duk_peval(engine);
	sink += (long)strlen(duk_safe_to_string(engine, -1));
	duk_pop(engine);
}
#endif

/* --- All --- */

static void (*const rounds[])(int) = {
	libc_round, libm_round, libstdcxx_round,
#ifdef DUKTAPE
	duktape_round,
#endif
};

extern "C" int workload_areas(void)
{
	return sizeof rounds / sizeof rounds[0];
}

/* The unwinder behind throw may load, and the first throw registers, what the child alone would have. Symbols stay
 * unbound where nothing was called: the dynamic linker's own resolver is part of the workload. */
extern "C" void workload_warm_up(void)
{
	catches(3);
#ifdef DUKTAPE
	duktape_round(0);
#endif
}

extern "C" void workload(struct shared *shared)
{
	for (int area = 0; area < workload_areas(); area++) {
		shared->area = static_cast<enum area>(area);
		__asm__ volatile("int3");
		for (int round = 0; !shared->enough[area]; round++)
			rounds[area](round);
	}
}
