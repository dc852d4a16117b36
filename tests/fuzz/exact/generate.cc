// SPDX-License-Identifier: MIT
// generate [--small] c|c++ SEED [PART,PART,...]: writes the random program of that number, without these parts.
// generate [--small] --parts c|c++ SEED: how many parts it has.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "c_generator.h"
#include "cxx_generator.h"

static std::set<unsigned> read_parts(const char *list)
{
	std::set<unsigned> parts;

	while (list && *list) {
		char *end;
		unsigned long part = strtoul(list, &end, 10);
		if (end == list)
			break;
		parts.insert(static_cast<unsigned>(part));
		list = *end == ',' ? end + 1 : end;
	}
	return parts;
}

int main(int argc, char **argv)
{
	bool small = argc > 1 && strcmp(argv[1], "--small") == 0;
	bool count = argc > 1 + small && strcmp(argv[1 + small], "--parts") == 0;
	char **words = argv + 1 + small + count;
	int words_count = argc - 1 - small - count;

	if (words_count < 2 || (strcmp(words[0], "c") != 0 && strcmp(words[0], "c++") != 0)) {
		fprintf(stderr, "usage: generate [--small] [--parts] c|c++ SEED [PART,PART,...]\n");
		return 2;
	}
	uint64_t seed = strtoull(words[1], nullptr, 10);
	std::set<unsigned> without = read_parts(words_count > 2 ? words[2] : nullptr);
	std::unique_ptr<generator> made;
	if (strcmp(words[0], "c") == 0)
		made = std::make_unique<c_generator>(seed, without, small);
	else
		made = std::make_unique<cxx_generator>(seed, without, small);
	made->program();
	if (count)
		printf("%u\n", made->parts());
	else
		fputs(made->text().c_str(), stdout);
	return 0;
}
