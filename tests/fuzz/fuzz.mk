# The fuzzers of the byte-to-row layers, and of the walk over their rows: make fuzz SECONDS=60. Each starts from the committed seeds in
# tests/fuzz/corpus/NAME; what it finds on the way stays below build/. make fuzz-seeds writes the seeds.

FUZZ_CC    ?= clang-14
SECONDS    ?= 60
FUZZ_NAMES := cfi header lsda expr frame audit
FUZZ_DIR   := $(BUILD)/fuzz
FUZZ_SRC   := $(wildcard src/base/*.c src/cfi/*.c src/lsda/*.c)
# What these two need besides.
WALK_SRC   := $(wildcard src/unwind/*.c src/port/linux/*.[cS] src/arch/x86_64/*.[cS])

$(FUZZ_DIR)/fuzz_expr $(FUZZ_DIR)/fuzz_frame: MORE_SRC = $(WALK_SRC)
AUDIT_SRC := $(wildcard tools/ripcord/audit/*.c) tools/ripcord/html.c
$(FUZZ_DIR)/fuzz_audit: MORE_SRC = $(AUDIT_SRC)
$(FUZZ_DIR)/fuzz_audit: FUZZ_LIBS = $(LDLIBS_SYMBOLIZE)
$(FUZZ_DIR)/fuzz_audit: $(AUDIT_SRC) $(wildcard tools/ripcord/audit/*.h)
# A small ELF file is larger than a table.
fuzz-audit: MAX_LEN = 16384
$(FUZZ_DIR)/fuzz_%: tests/fuzz/fuzz_%.c $(FUZZ_SRC) $(WALK_SRC) $(wildcard src/*/*.h)
	@mkdir -p $(@D)
	$(FUZZ_CC) -std=gnu11 $(WARN) $(CPPFLAGS) -O1 -g -fsanitize=fuzzer,address,undefined \
	    -fno-sanitize-recover=all $< $(FUZZ_SRC) $(MORE_SRC) -o $@ -pthread $(FUZZ_LIBS)

.PHONY: fuzz fuzz-seeds $(FUZZ_NAMES:%=fuzz-%)
fuzz: $(FUZZ_NAMES:%=fuzz-%)
$(FUZZ_NAMES:%=fuzz-%): fuzz-%: $(FUZZ_DIR)/fuzz_%
	@mkdir -p $(FUZZ_DIR)/corpus/$*
	$< -max_total_time=$(SECONDS) -max_len=$(or $(MAX_LEN),2048) -verbosity=0 -print_final_stats=1 \
	    -artifact_prefix=$(FUZZ_DIR)/$*- $(FUZZ_DIR)/corpus/$* tests/fuzz/corpus/$*

$(FUZZ_DIR)/seeds: tests/fuzz/seeds.c tests/table_builder.h
	@mkdir -p $(@D)
	$(COMPILE) -Itests $< -o $@
fuzz-seeds: $(FUZZ_DIR)/seeds
	$< tests/fuzz/corpus

# Random programs, stopped at each of their instructions (tests/fuzz/exact/search.pl): make fuzz-exact SECONDS=600 SEED=1000.
$(EXACT_GENERATOR): $(wildcard tests/fuzz/exact/*.cc tests/fuzz/exact/*generator.h)
	@mkdir -p $(@D)
	$(Q)g++ -std=c++17 -Wall -Wextra -Werror -O1 $(filter %.cc,$^) -o $@
.PHONY: fuzz-exact
fuzz-exact: all $(EXACT_GENERATOR)
	RIPCORD=$(abspath $(TOOL)) GENERATE=$(abspath $(EXACT_GENERATOR)) TOP=$(CURDIR) \
	    tests/fuzz/exact/search.pl --seconds $(SECONDS) --first $(or $(SEED),1)

# Random programs that nobody stops print what gcc's build prints: make fuzz-plain SECONDS=600 SEED=1000 JOBS=2. With csmith, where
# it is installed, and with the files of a folder, such as GCC's own tests: make fuzz-plain SECONDS=600 FROM=gcc/testsuite/gcc.dg.
PLAIN = RIPCORD=$(abspath $(TOOL)) GENERATE=$(abspath $(EXACT_GENERATOR)) TOP=$(CURDIR) tests/fuzz/exact/plain.pl \
        --seconds $(SECONDS) --jobs $(JOBS) --first $(or $(SEED),1)
.PHONY: fuzz-plain
fuzz-plain: all $(EXACT_GENERATOR)
ifneq ($(FROM),)
	$(PLAIN) --compile $(FROM)
else
	$(PLAIN)
	! command -v csmith > /dev/null || $(PLAIN) --csmith
endif
