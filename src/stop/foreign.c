/* SPDX-License-Identifier: MIT
 * foreign: finds the runtimes, and knows exceptions and personalities by what they say of themselves. */
#include "stop/foreign.h"

#include "port/lock.h"
#include "port/port.h"

struct rip_cxx_runtime rip_cxx_runtimes[RIP_CXX_RUNTIMES];
uint32_t rip_cxx_count;
__thread struct rip_foreign_here rip_foreign_here __attribute__((tls_model("initial-exec")));

/* --- Runtimes --- */

/* A program that holds its runtime itself may not export it. */
#define WEAK __attribute__((weak, visibility("default")))
WEAK struct rip_cxx_globals *__cxa_get_globals(void);
WEAK void __cxa_end_catch(void);
WEAK char *__cxa_demangle(const char *, char *, size_t *, int *);
WEAK int __gxx_personality_v0(int, ...);
WEAK int __gcc_personality_v0(int, ...);
WEAK void __cxa_increment_exception_refcount(void *);
WEAK extern const uint64_t single_base_table[] __asm__("_ZTVN10__cxxabiv120__si_class_type_infoE");
WEAK extern const uint64_t many_bases_table[] __asm__("_ZTVN10__cxxabiv121__vmi_class_type_infoE");

/* Where a library has a name, or all of the process. */
struct place {
	const char *library; /* NULL: the global scope */
	bool own;            /* what this library was linked with */
};

static void *find(const struct place *place, const char *name, const void *own)
{
	return place->own ? (void *)(uintptr_t)own : rip_port_loaded(place->library, name);
}

/* A type_info points behind the offset to top and the type_info of its class's own table (Itanium C++ ABI
 * 2.5.2). */
static uint64_t table_entry(const void *table)
{
	return table ? (uintptr_t)table + 2 * sizeof(void *) : 0;
}

static bool same_module(const void *one, const void *other)
{
	struct rip_module_identity ones, others;

	return one && other && rip_port_identity_at((uintptr_t)one, &ones) == RIP_OK &&
	       rip_port_identity_at((uintptr_t)other, &others) == RIP_OK && ones.begin == others.begin;
}

static bool look_at(const struct place *place, struct rip_cxx_runtime *runtime)
{
	*(void **)&runtime->globals = find(place, "__cxa_get_globals", (void *)__cxa_get_globals);
	*(void **)&runtime->end_catch = find(place, "__cxa_end_catch", (void *)__cxa_end_catch);
	*(void **)&runtime->demangle = find(place, "__cxa_demangle", (void *)__cxa_demangle);
	runtime->single_base = table_entry(find(place, "_ZTVN10__cxxabiv120__si_class_type_infoE",
						single_base_table));
	runtime->many_bases = table_entry(find(place, "_ZTVN10__cxxabiv121__vmi_class_type_infoE",
					       many_bases_table));
	/* Only LLVM's has this one. Both may be in the global scope. */
	const void *llvms = find(place, "__cxa_increment_exception_refcount",
				 (void *)__cxa_increment_exception_refcount);
	runtime->header_size = same_module(llvms, *(void **)&runtime->globals) ? RIP_CXX_LLVM_HEADER :
			       RIP_CXX_GNU_HEADER;
	return runtime->globals && runtime->end_catch;
}

static bool is_known(const struct rip_cxx_runtime *runtime)
{
	for (uint32_t i = 0; i < rip_cxx_count; i++)
		if (rip_cxx_runtimes[i].globals == runtime->globals)
			return true;
	return false;
}

static struct rip_lock lock = RIP_LOCK_INIT;

void rip_foreign_in_child(void)
{
	lock = (struct rip_lock)RIP_LOCK_INIT; /* whoever held it is not there */
}

/* One finder at a time: another one goes without, as if it had come before. */
void rip_foreign_find(void)
{
	static const struct place places[] = {
		{ NULL, true }, { NULL, false }, { "libstdc++.so.6", false }, { "libc++abi.so.1", false },
	};
	static uint64_t looked_at;
	uint64_t loads = rip_port_load_count() + 1;

	if (__atomic_load_n(&looked_at, __ATOMIC_RELAXED) == loads ||
	    !rip_lock_try(&lock))
		return;
	for (size_t i = 0; i < sizeof places / sizeof places[0] && rip_cxx_count < RIP_CXX_RUNTIMES; i++) {
		struct rip_cxx_runtime runtime;
		if (!look_at(&places[i], &runtime) || is_known(&runtime))
			continue;
		rip_cxx_runtimes[rip_cxx_count] = runtime;
		__atomic_store_n(&rip_cxx_count, rip_cxx_count + 1, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&looked_at, loads, __ATOMIC_RELAXED);
	rip_lock_give(&lock);
}

void rip_foreign_meet(void)
{
	uint32_t count = __atomic_load_n(&rip_cxx_count, __ATOMIC_ACQUIRE);

	for (uint32_t i = rip_foreign_here.count; i < count; i++)
		rip_foreign_here.cxx[i] = rip_cxx_runtimes[i].globals();
	rip_foreign_here.count = count;
}

void rip_foreign_swap(struct rip_foreign *foreign)
{
	foreign->kept = false;
	for (uint32_t i = 0; i < foreign->exchanged; i++) {
		struct rip_cxx_globals *here = rip_foreign_here.cxx[i], *away = &foreign->cxx[i],
				       keep = *here;
		*here = *away;
		*away = keep;
		foreign->kept |= keep.caught || keep.uncaught;
	}
}

/* --- Exceptions --- */

/* Vendor and language, four characters each, the first one in the highest byte; the lowest one of C++ tells
 * dependent exceptions (Itanium C++ ABI 2.2.1). Newer versions of Rust have the first one in the lowest
 * byte. */
enum rip_maker rip_foreign_maker(uint64_t exception_class)
{
	if (exception_class == 0x54535552005a4f4d)
		return RIP_MAKER_RUST;
	switch (exception_class & ~(uint64_t)1) {
	case 0x474e5543432b2b00: /* GNUCC++ */
		return RIP_MAKER_GNU;
	case 0x434c4e47432b2b00: /* CLNGC++ */
		return RIP_MAKER_LLVM;
	case 0x4d4f5a0052555354: /* MOZ, RUST */
		return RIP_MAKER_RUST;
	default:
		return RIP_MAKER_OTHER;
	}
}

const struct rip_cxx_runtime *rip_foreign_runtime(uint64_t exception_class)
{
	enum rip_maker maker = rip_foreign_maker(exception_class);
	uint32_t size = maker == RIP_MAKER_GNU ? RIP_CXX_GNU_HEADER :
			maker == RIP_MAKER_LLVM ? RIP_CXX_LLVM_HEADER : 0;
	uint32_t count = __atomic_load_n(&rip_cxx_count, __ATOMIC_ACQUIRE);

	for (uint32_t i = 0; i < count; i++)
		if (rip_cxx_runtimes[i].header_size == size)
			return &rip_cxx_runtimes[i];
	return NULL;
}

/* Two words remember the last answers: bit 0 says which, as functions are aligned. */
static bool is_named(uint64_t *last, uint64_t personality, const void *own, const char *name, bool or_libc)
{
	uint64_t seen = __atomic_load_n(last, __ATOMIC_RELAXED);

	if ((seen & ~(uint64_t)1) == personality)
		return seen & 1;
	bool is = personality == (uintptr_t)own || rip_port_exports(personality, name) ||
		  (or_libc && rip_port_in_libc(personality));
	__atomic_store_n(last, personality | is, __ATOMIC_RELAXED);
	return is;
}

bool rip_foreign_is_cxx(uint64_t personality)
{
	static uint64_t last;

	return is_named(&last, personality, (void *)__gxx_personality_v0, "__gxx_personality_v0", false);
}

bool rip_foreign_is_c(uint64_t personality)
{
	static uint64_t last;

	return is_named(&last, personality, (void *)__gcc_personality_v0, "__gcc_personality_v0", true);
}
