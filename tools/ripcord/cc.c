/* SPDX-License-Identifier: MIT
 * cc: GCC with GCC's own command line, whose results are guests.
 *
 * The user's words go through as they are, except those that contradict a shared object. Ripcord's
 * compile options come last, so that they win. A program becomes a shared object that is a guest for
 * `ripcord run` and an ordinary program for execve alike (see tools/guest/start.S), so that
 * configure scripts can run what they build. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "linker.h"
#include "tool.h"
#include "words.h"

/* Where the parts are: relative to the command, so that a build tree and an installed one are alike. */
struct parts {
	char *include, *guest_include, *start, *archive, *script;
	char *plugin; /* NULL where it was not built */
};

/* What a command line asks for. */
struct request {
	bool stops;        /* it ends before linking */
	bool input;        /* it names an input file or library */
	bool code;         /* an input other than a header */
	bool shared;       /* -shared: a library */
	bool bare;         /* -nostdlib and the like: without the start-up files and libc */
	bool no_start;     /* -nostartfiles: it has its own start-up files */
	bool undefined_ok; /* parts of it are found only at run time: sanitizers */
	bool static_cxx;   /* -static-libstdc++ */
	struct linker_request linker;
};

static const char *const compile_options[] = {
	"-fPIC", "-fno-semantic-interposition",
	/* Landing pads at calls and at instructions that may trap, and tables to find them. */
	"-fexceptions", "-fnon-call-exceptions", "-fasynchronous-unwind-tables",
	/* GCC may drop a store that a trap or a kill would make visible: it stays, which costs 2.5 % of
	 * instructions on float loops and nothing elsewhere. It may drop a load whose result nobody uses,
	 * and then there is no trap to see: keeping it costs 1 % on Duktape, and is not worth it
	 * (bench/README.md). */
	"-fno-tree-dse", "-fno-dse",
	/* Loads of scalars that become those of vectors (with SSE4.1 and more) would lose their landing
	 * pads. */
	"-mno-stv",
	/* A large frame touches each page in order, so that none steps over the guard. */
	"-fstack-clash-protection",
	NULL,
};

/* Without the plugin. GCC's built-in declarations are nothrow whatever the headers say (see sys/cdefs.h),
 * which takes the landing pad off a call. Those that are mostly expanded inline or folded to constants
 * stay: memcpy, memset, strlen and the like. */
static const char *const unplugged_options[] = {
	"-fno-builtin-exit", "-fno-builtin-_exit", "-fno-builtin-_Exit", "-fno-builtin-abort",
	"-fno-builtin-malloc", "-fno-builtin-calloc", "-fno-builtin-realloc", "-fno-builtin-free",
	"-fno-builtin-aligned_alloc", "-fno-builtin-posix_memalign",
	"-fno-builtin-strdup", "-fno-builtin-strndup",
	"-fno-builtin-strcpy", "-fno-builtin-strncpy", "-fno-builtin-stpcpy", "-fno-builtin-stpncpy",
	"-fno-builtin-strcat", "-fno-builtin-strncat", "-fno-builtin-strcmp", "-fno-builtin-strncmp",
	"-fno-builtin-strcasecmp", "-fno-builtin-strncasecmp", "-fno-builtin-strchr",
	"-fno-builtin-strrchr", "-fno-builtin-strstr", "-fno-builtin-strspn",
	"-fno-builtin-strcspn", "-fno-builtin-strpbrk",
	NULL,
};

/* Options whose argument is the next word (GCC manual, "Option Index"). */
static const char *const with_argument[] = {
	"-o", "-x", "-I", "-D", "-U", "-A", "-L", "-T", "-u", "-z", "-e", "-h", "-B", "-F", "-G", "-J",
	"-include", "-imacros", "-isystem", "-idirafter", "-iquote", "-iprefix", "-iwithprefix",
	"-iwithprefixbefore", "-isysroot", "-imultilib", "-imultiarch", "-MF", "-MT", "-MQ",
	"-Xlinker", "-Xassembler", "-Xpreprocessor", "-aux-info", "-dumpbase", "-dumpbase-ext",
	"-dumpdir", "-wrapper", "-specs", "-Tbss", "-Tdata", "-Ttext", "-soname", "-rpath",
	"--param", "--output", "--language", "--include", "--imacros", "--include-directory",
	"--include-directory-after", "--define-macro", "--undefine-macro", "--library-directory",
	"--for-linker", "--for-assembler", "--entry", "--force-link", "--prefix", "--sysroot",
	"--specs", "--dumpbase", "--dumpbase-ext", "--dumpdir", NULL,
};

static const char *const stops_early[] = {
	"-c", "-S", "-E", "-M", "-MM", "-r", "-fsyntax-only", "--compile", "--assemble",
	"--preprocess", "--dependencies", "--user-dependencies", NULL,
};

/* They ask for another kind of result than a shared object. */
static const char *const contradictions[] = {
	"-static", "--static", "-static-libgcc", "-static-pie", "--static-pie", "-pie", "--pie", "-no-pie", "--no-pie",
	NULL,
};

static bool in_list(const char *const *list, const char *word)
{
	for (; *list; list++)
		if (strcmp(*list, word) == 0)
			return true;
	return false;
}

static bool is(const char *word, const char *other)
{
	return strcmp(word, other) == 0;
}

static bool starts(const char *word, const char *prefix)
{
	return strncmp(word, prefix, strlen(prefix)) == 0;
}

static bool is_header(const char *name)
{
	static const char *const endings[] = {".h", ".H", ".hh", ".hp", ".hxx", ".hpp", ".h++", NULL};
	const char *dot = strrchr(name, '.');
	return dot && in_list(endings, dot);
}

static void examine_input(struct request *request, const char *word, const char *language)
{
	request->input = true;
	if (language ? strstr(language, "-header") == NULL : !is_header(word))
		request->code = true;
}

static void examine_option(struct request *request, const char *word)
{
	if (in_list(stops_early, word))
		request->stops = true;
	else if (is(word, "-shared") || is(word, "--shared"))
		request->shared = true;
	else if (is(word, "-nostdlib") || is(word, "-nodefaultlibs") || is(word, "-nolibc"))
		request->bare = true;
	else if (is(word, "-nostartfiles"))
		request->no_start = true;
	else if (starts(word, "-fsanitize="))
		request->undefined_ok = true;
	else if (is(word, "-static-libstdc++"))
		request->static_cxx = true;
}

static struct request examine(const struct words *words)
{
	struct request request = {0};
	const char *language = NULL;
	for (size_t i = 0; i < words->count; i++) {
		const char *word = words->items[i];
		if (word[0] != '-' || is(word, "-")) {
			examine_input(&request, word, language);
			continue;
		}
		if (starts(word, "-l"))
			examine_input(&request, word, NULL);
		if (starts(word, "-x"))
			language = word[2] ? word + 2 : words->items[i + 1];
		if (language && is(language, "none"))
			language = NULL;
		examine_option(&request, word);
		if ((in_list(with_argument, word) || is(word, "-l")) && i + 1 < words->count)
			i++;
	}
	request.linker = linker_examine(words);
	request.stops |= request.linker.relocatable;
	return request;
}

/* Whether the words that a response file adds must be seen one by one. */
static bool must_open(const struct words *words, size_t from)
{
	for (size_t i = from; i < words->count; i++)
		if (in_list(contradictions, words->items[i]) || is(words->items[i], "-lc"))
			return true;
	return false;
}

/* Sorts the user's words: `given` is what goes to GCC, `opened` also has the response files' words. */
static void take_arguments(char **argv, struct words *given, struct words *opened)
{
	for (; *argv; argv++) {
		size_t from = opened->count;
		bool response = **argv == '@' && words_add_response(opened, *argv);
		if (!response)
			words_add(opened, *argv);
		if (!response || !must_open(opened, from))
			words_add(given, *argv);
		else
			for (size_t i = from; i < opened->count; i++)
				words_add(given, opened->items[i]);
	}
}

/* Linker arguments that GCC does not interpret: no -x, no path with a comma, no missing file changes
 * what they mean. */
static void add_link_input(struct words *command, const char *path)
{
	words_add(command, "-Xlinker");
	words_add(command, path);
}

/* Where the user names libc, the archive must come before it, and its functions be asked for: the linker
 * takes a member only for a symbol that is undefined so far. */
static void add_archive_early(struct words *command, const char *archive)
{
	static const char *const names[] = {
		"exit", "_exit", "_Exit", "quick_exit", "abort", "pthread_exit", "thrd_exit", "atexit",
		"at_quick_exit", "__cxa_atexit", "dlopen", "err", "errx", "verr", "verrx", "error",
		"error_at_line", "vfork",
		/* Each brings the other functions of its file. */
		"malloc", "strdup", "open", "fopen", "mmap", "pthread_mutex_lock", "sigprocmask", "qsort", NULL,
	};
	for (const char *const *name = names; *name; name++)
		words_add(command, words_format("-Wl,-u,%s", *name));
	add_link_input(command, archive);
}

/* -Wripcord is the plugin's. Its file's name, without ".so", is in the name of its options. */
static void add_plugin(struct words *command, const struct words *given, const char *plugin)
{
	bool warn = false;

	for (size_t i = 0; i < given->count; i++)
		if (is(given->items[i], "-Wripcord") || is(given->items[i], "-Wno-ripcord"))
			warn = is(given->items[i], "-Wripcord");
	if (!plugin)
		return;
	words_add(command, words_format("-fplugin=%s", plugin));
	if (warn)
		words_add(command, "-fplugin-arg-ripcord_plugin-warn");
}

static void add_user_words(struct words *command, const struct words *given, const char *archive)
{
	for (size_t i = 0; i < given->count; i++) {
		const char *word = given->items[i];
		if (in_list(contradictions, word) || is(word, "-Wripcord") || is(word, "-Wno-ripcord"))
			continue;
		if (archive && is(word, "-lc"))
			add_archive_early(command, archive);
		words_add(command, word);
		if (in_list(with_argument, word) && i + 1 < given->count)
			words_add(command, given->items[++i]);
	}
}

/* Everything that makes GCC's output a guest's code. */
static void add_compile_options(struct words *command, const struct parts *parts)
{
	words_add_list(command, compile_options);
	if (!parts->plugin)
		words_add_list(command, unplugged_options);
	words_add(command, "-isystem");
	words_add(command, parts->guest_include);
	words_add(command, "-idirafter");
	words_add(command, parts->include);
}

/* A program's undefined symbols are errors, as they are where a program is linked: configure scripts
 * find out by that what the libraries have. -Bsymbolic: the guest's own functions come before
 * those of the same name in the host. -z now: finding a symbol late takes stack and the loader's locks. */
static void add_link_options(struct words *command, const struct request *request, const char *script)
{
	words_add(command, "-Wl,-Bsymbolic,-z,now");
	if (!request->bare) { /* see tools/guest/statics.c, catches.c */
		words_add(command, "-Wl,--wrap=__cxa_guard_acquire,--wrap=__cxa_guard_release,--wrap=__cxa_guard_abort");
		words_add(command, "-Wl,--wrap=__cxa_begin_catch");
	}
	/* Its own calls of these come when the guest's archive has been passed. */
	if (!request->bare && request->static_cxx)
		words_add(command, "-Wl,-u,__wrap___cxa_guard_acquire,-u,__wrap___cxa_begin_catch");
	if (script)
		words_add(command, words_format("-Wl,-T,%s", script));
	if (request->shared)
		return;
	words_add(command, "-shared");
	if (request->bare)
		return;
	if (!request->no_start)
		words_add(command, "-Wl,-e,_start");
	if (!request->undefined_ok)
		words_add(command, "-Wl,-z,defs,--no-allow-shlib-undefined");
}

/* For GNU ld, a reference to the start of a table keeps all of it, and with it all functions that it
 * names, whatever --gc-sections says; but not where a script says where the table starts. NULL: as it is. */
static const char *choose_script(const struct request *request, const struct words *words, const struct parts *parts,
				 const char *compiler)
{
	const struct linker_request *linker = &request->linker;
	bool needed = linker->collects && !linker->script && linker_is_gnu(compiler, words);
	return needed ? parts->script : NULL;
}

static void build_command(struct words *command, char **argv, const struct parts *parts, const char *compiler)
{
	struct words given = {0}, opened = {0};
	take_arguments(argv, &given, &opened);
	struct request request = examine(&opened);
	if (!request.input) { /* a question, such as --version */
		words_add_list(command, (const char *const *)argv);
		return;
	}
	bool links = request.code && !request.stops;
	if (request.linker.relocatable)
		words_add(command, "-no-pie"); /* which GCC knows of -r itself, but not of -Wl,-r */
	if (links && !request.bare && request.linker.name && is(request.linker.name, "mold")) {
		tool_complain("-fuse-ld=mold: mold does not tell libc's malloc from a guest's own, and cannot link guests");
		exit(TOOL_MISUSE);
	}
	const char *archive = links && !request.bare ? parts->archive : NULL;
	if (archive && !request.shared && !request.no_start)
		add_link_input(command, parts->start);
	add_plugin(command, &given, parts->plugin);
	add_user_words(command, &given, archive);
	add_compile_options(command, parts);
	if (links)
		add_link_options(command, &request, choose_script(&request, &opened, parts, compiler));
	if (archive) {
		/* For what comes behind it: a static libstdc++'s new is then the guest's, too. */
		words_add(command, "-Wl,-u,malloc");
		add_link_input(command, archive);
	}
}

/* The directory above the one of this command's file. */
static char *find_prefix(void)
{
	static char path[PATH_MAX];
	ssize_t size = readlink("/proc/self/exe", path, sizeof path - 1);
	for (int level = 0; level < 2 && size > 0; level++) {
		path[size] = '\0';
		char *slash = strrchr(path, '/');
		size = slash ? slash - path : -1;
	}
	if (size < 0)
		return NULL;
	path[size] = '\0';
	return path;
}

static bool find_parts(struct parts *parts)
{
	char *prefix = find_prefix();
	if (!prefix) {
		tool_complain("cannot find where it is installed: /proc/self/exe: %s", strerror(errno));
		return false;
	}
	parts->include = words_format("%s/include", prefix);
	parts->guest_include = words_format("%s/lib/ripcord/include", prefix);
	parts->start = words_format("%s/lib/ripcord/guest_start.o", prefix);
	parts->script = words_format("%s/lib/ripcord/killable.ld", prefix);
	parts->archive = words_format("%s/lib/ripcord/libripcord-guest.a", prefix);
	parts->plugin = words_format("%s/lib/ripcord/ripcord_plugin.so", prefix);
	if (access(parts->plugin, R_OK) != 0)
		parts->plugin = NULL;
	if (access(parts->start, R_OK) == 0 && access(parts->archive, R_OK) == 0 && access(parts->script, R_OK) == 0)
		return true;
	tool_complain("%s/lib/ripcord: parts are missing", prefix);
	return false;
}

bool tool_has_plugin(void)
{
	char *prefix = find_prefix();
	return prefix && access(words_format("%s/lib/ripcord/ripcord_plugin.so", prefix), R_OK) == 0;
}

static int compile(char **argv, const char *variable, const char *compiler)
{
	struct parts parts;
	struct words command = {0};
	const char *chosen = getenv(variable);
	if (chosen && *chosen)
		compiler = chosen;
	if (!find_parts(&parts))
		return TOOL_HOST;
	words_add(&command, compiler);
	build_command(&command, argv + 1, &parts, compiler);
	execvp(compiler, command.items);
	tool_complain("%s: %s", compiler, strerror(errno));
	return errno == ENOENT ? TOOL_MISSING : TOOL_NOT_RUN;
}

int tool_cc(int argc, char **argv)
{
	(void)argc;
	return compile(argv, "RIPCORD_CC", "gcc");
}

int tool_cxx(int argc, char **argv)
{
	(void)argc;
	return compile(argv, "RIPCORD_CXX", "g++");
}
