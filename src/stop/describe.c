/* SPDX-License-Identifier: MIT
 * stop: what an exception says of itself. Type information and payloads are read as input; what() and the
 * demangler run on the guest's stack, where they may go wrong. */
#include "ripcord/exception.h"
#include "stop/stop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool read_word(struct rip_stop *stop, uint64_t address, uint64_t *word_ret)
{
	struct rip_memory memory = rip_stop_memory(stop);

	return rip_memory_read(&memory, address, word_ret, sizeof *word_ret);
}

/* Up to `size` bytes of text, which ends at a NUL or where nothing can be read. */
static void read_text(struct rip_stop *stop, uint64_t address, size_t size, char *text, size_t text_size)
{
	struct rip_memory memory = rip_stop_memory(stop);
	size_t length = 0;

	while (length < size && length + 1 < text_size &&
	       rip_memory_read(&memory, address + length, &text[length], 1) && text[length])
		length++;
	text[length] = '\0';
}

/* --- C++: type information (Itanium C++ ABI 2.9.5) --- */

enum { TYPE_NAME = 8, SINGLE_BASE = 16, BASE_COUNT = 20, BASES = 24, BASE_SIZE = 16, BASES_MAX = 64,
       DEPTH_MAX = 16 };
enum { BASE_IS_VIRTUAL = 1, BASE_OFFSET_SHIFT = 8 };

struct search {
	struct rip_stop *stop;
	const struct rip_cxx_runtime *runtime;
	int bases_left; /* classes can have the same base along many ways */
};

/* The name of a type as the linker knows it; a '*' says that it is not unique. */
static void read_name(struct rip_stop *stop, uint64_t type, char *name, size_t size)
{
	uint64_t at;

	name[0] = '\0';
	if (read_word(stop, type + TYPE_NAME, &at))
		read_text(stop, at, SIZE_MAX, name, size);
	if (name[0] == '*')
		memmove(name, name + 1, strlen(name));
}

static bool find_base(struct search *search, uint64_t type, uint64_t *object, int depth);

/* A virtual base's place is in the object's table. */
static bool place_of_base(struct search *search, int64_t flags, uint64_t *object)
{
	uint64_t offset = (uint64_t)(flags >> BASE_OFFSET_SHIFT), table;

	if ((flags & BASE_IS_VIRTUAL) &&
	    !(read_word(search->stop, *object, &table) && read_word(search->stop, table + offset, &offset)))
		return false;
	*object += offset;
	return true;
}

static bool find_among_bases(struct search *search, uint64_t type, uint64_t *object, int depth)
{
	uint64_t count, base, flags;

	if (!read_word(search->stop, type + BASE_COUNT - 4, &count))
		return false;
	count >>= 32;
	for (uint64_t i = 0; i < count && i < BASES_MAX; i++) {
		uint64_t entry = type + BASES + i * BASE_SIZE, at = *object;
		if (!read_word(search->stop, entry, &base) || !read_word(search->stop, entry + 8, &flags))
			return false;
		if (place_of_base(search, (int64_t)flags, &at) && find_base(search, base, &at, depth + 1)) {
			*object = at;
			return true;
		}
	}
	return false;
}

/* Moves *object to its base std::exception, if it has one. */
static bool find_base(struct search *search, uint64_t type, uint64_t *object, int depth)
{
	uint64_t table, base;
	char name[16];

	read_name(search->stop, type, name, sizeof name);
	if (strcmp(name, "St9exception") == 0)
		return true;
	if (depth == DEPTH_MAX || search->bases_left-- == 0 || !read_word(search->stop, type, &table))
		return false;
	if (table == search->runtime->single_base)
		return read_word(search->stop, type + SINGLE_BASE, &base) &&
		       find_base(search, base, object, depth + 1);
	return table == search->runtime->many_bases && find_among_bases(search, type, object, depth);
}

/* --- C++: on the guest's stack --- */

struct asking {
	const struct rip_cxx_runtime *runtime;
	const void *exception; /* a std::exception, or NULL */
	rip_exception_info *info;
};

/* std::exception's table: two destructors, what(). */
static intptr_t ask_what(void *argument)
{
	const struct asking *asking = argument;
	const char *(*const *table)(const void *) =
		*(const char *(*const *const *)(const void *))asking->exception;
	const char *text = table[2](asking->exception);

	if (text)
		snprintf(asking->info->text, sizeof asking->info->text, "%s", text);
	return 0;
}

static intptr_t demangle(void *argument)
{
	const struct asking *asking = argument;
	int status = -1;
	char *name = asking->runtime->demangle(asking->info->type, NULL, NULL, &status);

	if (name && status == 0)
		snprintf(asking->info->type, sizeof asking->info->type, "%s", name);
	free(name);
	return 0;
}

/* Where the guest stands, at its throw, there is mostly room below. */
static void ask(struct rip_stop *stop, intptr_t (*question)(void *), struct asking *asking, char *answer)
{
	if (rip_stop_aside(stop, question, asking, stop->at.reg[RIP_REG_SP]) != RIP_EVENT_RETURNED && answer)
		answer[0] = '\0';
}

/* libstdc++: pointer, size. libc++: size and text in place, or capacity, size and pointer; bit 0 says
 * which. */
static void describe_string(struct rip_stop *stop, uint64_t object, bool llvm, rip_exception_info *info)
{
	uint64_t first, size, text;

	if (!read_word(stop, object, &first))
		return;
	if (llvm && !(first & 1))
		read_text(stop, object + 1, (first & 0xff) >> 1, info->text, sizeof info->text);
	else if (read_word(stop, object + 8, &size) && read_word(stop, object + (llvm ? 16 : 0), &text))
		read_text(stop, text, size, info->text, sizeof info->text);
}

/* Types that speak for themselves, mangled. */
static void describe_plain(struct rip_stop *stop, uint64_t object, rip_exception_info *info)
{
	static const char gnu[] = "NSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE";
	static const char llvm[] = "NSt3__112basic_stringIcNS_11char_traitsIcEENS_9allocatorIcEEEE";
	uint64_t word = 0;

	if (strcmp(info->type, "PKc") == 0 || strcmp(info->type, "Pc") == 0) {
		if (read_word(stop, object, &word))
			read_text(stop, word, SIZE_MAX, info->text, sizeof info->text);
	} else if (strcmp(info->type, "i") == 0) {
		if (read_word(stop, object, &word))
			snprintf(info->text, sizeof info->text, "%d", (int)word);
	} else if (strcmp(info->type, gnu) == 0 || strcmp(info->type, llvm) == 0) {
		describe_string(stop, object, strcmp(info->type, llvm) == 0, info);
	}
}

/* From the exception: its type and the object (Itanium C++ ABI 2.2.1). A dependent exception names another
 * one's object. */
static bool find_object(struct rip_stop *stop, uint64_t class, uint64_t *type, uint64_t *object)
{
	uint64_t exception = (uintptr_t)stop->thrown;
	bool llvm = rip_foreign_maker(class) == RIP_MAKER_LLVM;

	*object = exception + 32;
	if ((class & 1) && !read_word(stop, exception - (llvm ? 88 : 80), object))
		return false;
	return read_word(stop, *object - 32 - 80, type);
}

static void describe_cxx(struct rip_stop *stop, rip_exception_info *info)
{
	const struct rip_cxx_runtime *runtime = rip_foreign_runtime(info->exception_class);
	struct search search = { .stop = stop, .runtime = runtime, .bases_left = BASES_MAX };
	struct asking asking = { .runtime = runtime, .info = info };
	uint64_t type, object;

	if (!runtime || !find_object(stop, info->exception_class, &type, &object))
		return;
	read_name(stop, type, info->type, sizeof info->type);
	describe_plain(stop, object, info);
	if (find_base(&search, type, &object, 0)) {
		asking.exception = (const void *)object;
		ask(stop, ask_what, &asking, info->text);
	}
	if (runtime->demangle && strlen(info->type) + 1 < sizeof info->type)
		ask(stop, demangle, &asking, NULL);
}

/* --- Rust --- */

/* The payload of a panic is a Box<dyn Any>: the object, and its table: drop function, size, alignment,
 * type_id. Which type it is only Rust can tell. A &str and a String have a shape that few other things have:
 * words of which one leads to text, as long as another one says. The box stands behind the exception, in
 * newer versions after one more word. */
enum { RUST_BOX = 32, RUST_STR = 16, RUST_STRING = 24, RUST_TEXT_MAX = 1 << 20 };

static bool is_utf8(const char *text)
{
	const uint8_t *at = (const uint8_t *)text;

	while (*at) {
		int more = *at < 0x80 ? 0 : (*at & 0xe0) == 0xc0 ? 1 : (*at & 0xf0) == 0xe0 ? 2 :
			   (*at & 0xf8) == 0xf0 ? 3 : -1;
		if (more < 0)
			return false;
		for (at++; more > 0 && *at; more--, at++)
			if ((*at & 0xc0) != 0x80)
				return false;
	}
	return true;
}

static bool read_rust_text(struct rip_stop *stop, uint64_t at, uint64_t length, rip_exception_info *info)
{
	uint64_t expected = length < sizeof info->text ? length : sizeof info->text - 1;

	if (at <= UINT16_MAX || length > RUST_TEXT_MAX)
		return false;
	read_text(stop, at, length, info->text, sizeof info->text);
	if (strlen(info->text) == expected && is_utf8(info->text))
		return true;
	info->text[0] = '\0';
	return false;
}

/* A String's capacity, pointer and length are in an order of the compiler's choice. */
static bool read_rust_string(struct rip_stop *stop, const uint64_t word[3], rip_exception_info *info)
{
	for (int pointer = 0; pointer < 3; pointer++) {
		uint64_t one = word[(pointer + 1) % 3], other = word[(pointer + 2) % 3];
		if (read_rust_text(stop, word[pointer], one < other ? one : other, info))
			return true;
	}
	return false;
}

static bool describe_payload(struct rip_stop *stop, uint64_t box, rip_exception_info *info)
{
	uint64_t object, table, size, align, word[3];

	if (!read_word(stop, box, &object) || !read_word(stop, box + 8, &table) ||
	    !read_word(stop, table + 8, &size) || !read_word(stop, table + 16, &align) || align != 8)
		return false;
	if (size != RUST_STR && size != RUST_STRING)
		return false;
	for (uint64_t i = 0; i < size / 8; i++)
		if (!read_word(stop, object + 8 * i, &word[i]))
			return false;
	bool text = size == RUST_STR ? read_rust_text(stop, word[0], word[1], info) :
				       read_rust_string(stop, word, info);
	if (text)
		snprintf(info->type, sizeof info->type, "%s", size == RUST_STR ? "&str" : "String");
	return text;
}

static void describe_rust(struct rip_stop *stop, rip_exception_info *info)
{
	uint64_t box = (uintptr_t)stop->thrown + RUST_BOX;

	if (!describe_payload(stop, box + 8, info))
		describe_payload(stop, box, info);
}

/* --- All --- */

void rip_stop_describe(struct rip_stop *stop, rip_exception_info *info_ret)
{
	*info_ret = (rip_exception_info){ .language = RIP_LANGUAGE_NONE };
	if (!stop->thrown || !read_word(stop, (uintptr_t)stop->thrown, &info_ret->exception_class))
		return;
	switch (rip_foreign_maker(info_ret->exception_class)) {
	case RIP_MAKER_GNU:
	case RIP_MAKER_LLVM:
		info_ret->language = RIP_LANGUAGE_CXX;
		describe_cxx(stop, info_ret);
		break;
	case RIP_MAKER_RUST:
		info_ret->language = RIP_LANGUAGE_RUST;
		describe_rust(stop, info_ret);
		break;
	case RIP_MAKER_OTHER:
		info_ret->language = RIP_LANGUAGE_OTHER;
	}
}
