// Ways to end in std::terminate, and its kin: argv[1] says which.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <thread>

struct Noisy { ~Noisy() { std::puts("destroyed"); std::fflush(stdout); } };
struct Throws { ~Throws() noexcept(false) { throw 2; } };
struct Fatal { ~Fatal() { throw 3; } };

static void uncaught() { Noisy noisy; throw std::runtime_error("nobody catches this"); }
static void promises() noexcept { Noisy noisy; throw 1; }
static void calls_promise() { Noisy noisy; promises(); }
static void wrong_type() { try { throw 1; } catch (const char *) { std::puts("wrong"); } }
#if __cplusplus < 201703L
static void specified() throw(int) { Noisy noisy; throw "not an int"; }
#else
static void specified() noexcept { Noisy noisy; throw "not an int"; }
#endif

static void handler()
{
	std::puts("terminate handler");
	if (auto current = std::current_exception()) {
		try {
			std::rethrow_exception(current);
		} catch (const std::exception &e) {
			std::printf("of %s\n", e.what());
		} catch (...) {
			std::puts("of something");
		}
	}
	std::exit(3);
}

struct AtStart {
	AtStart(int argc) { if (argc == 0) throw 1; }
};

int main(int, char **argv)
{
	int way = std::atoi(argv[1]);
	switch (way) {
	case 0: uncaught(); break;
	case 1: try { calls_promise(); } catch (...) { std::puts("not here"); } break;
	case 2: wrong_type(); break;
	case 3: try { Throws throws; throw 1; } catch (int) { std::puts("not here"); } break;
	case 4: try { Fatal fatal; } catch (int) { std::puts("not here"); } break;
	case 5: throw; // nothing
	case 6: try { specified(); } catch (...) { std::puts("not here"); } break;
	case 7: std::thread([] { Noisy noisy; throw 1; }).join(); break;
	case 8: std::set_terminate(handler); uncaught(); break;
	case 9: std::set_terminate(handler); calls_promise(); break;
	case 10: std::atexit([] { throw 1; }); break;
	case 11: { std::thread joinable([] {}); break; } // destroyed
	case 12: std::rethrow_exception(std::make_exception_ptr(std::logic_error("kept"))); break;
	case 13: { static AtStart at_start(0); break; }
	}
}
