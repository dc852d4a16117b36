// _Unwind_ForcedUnwind and _Unwind_Resume_or_Rethrow, with stop functions that go on, refuse, jump and look.
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <cxxabi.h>
#include <exception>
#include <unwind.h>

struct Noisy {
	int number;
	~Noisy() { std::printf("  ~%d\n", number); }
};

static jmp_buf out;
static int calls, stop_after, ends;
static _Unwind_Reason_Code answer;
static _Unwind_Ptr last_cfa;

static void deleted(_Unwind_Reason_Code code, _Unwind_Exception *) { std::printf("deleted: %d\n", code); }

static _Unwind_Exception *new_exception(const char *name)
{
	static _Unwind_Exception exception;
	std::memset(&exception, 0, sizeof exception);
	std::memcpy(&exception.exception_class, name, std::strlen(name));
	exception.exception_cleanup = deleted;
	return &exception;
}

static void count(int version, _Unwind_Action actions, _Unwind_Exception_Class kind, _Unwind_Context *context)
{
	_Unwind_Ptr cfa = _Unwind_GetCFA(context);
	calls++;
	if (version != 1 || std::memcmp(&kind, "FORCED", 6) != 0 || cfa < last_cfa)
		std::printf("wrong call: %d\n", version);
	last_cfa = cfa;
	if ((actions & ~_UA_END_OF_STACK) != (_UA_FORCE_UNWIND | _UA_CLEANUP_PHASE))
		std::printf("actions %d\n", actions);
	ends += (actions & _UA_END_OF_STACK) != 0;
}

// Leaves at the end of the stack, or answers `answer` after some frames.
static _Unwind_Reason_Code stop(int version, _Unwind_Action actions, _Unwind_Exception_Class kind,
				_Unwind_Exception *exception, _Unwind_Context *context, void *argument)
{
	count(version, actions, kind, context);
	if (argument != &calls || exception->private_2 != reinterpret_cast<_Unwind_Word>(&calls))
		std::puts("wrong argument");
	if (calls == stop_after)
		return answer;
	if (actions & _UA_END_OF_STACK) {
		std::printf("end: ip %d, lsda %d\n", _Unwind_GetIP(context) != 0,
			    _Unwind_GetLanguageSpecificData(context) != nullptr);
		if (answer == _URC_END_OF_STACK)
			return _URC_NO_REASON;
		std::longjmp(out, 1);
	}
	return _URC_NO_REASON;
}

__attribute__((noinline)) static int force(int depth)
{
	Noisy noisy{ depth };
	if (depth > 0)
		return force(depth - 1) + depth;
	last_cfa = 0;
	return _Unwind_ForcedUnwind(new_exception("FORCED"), stop, &calls);
}

static void set(int after, _Unwind_Reason_Code with)
{
	calls = ends = 0;
	stop_after = after;
	answer = with;
}

static void stops()
{
	// Refused on the first call: nothing has been unwound, and the code says that.
	set(1, _URC_NORMAL_STOP);
	std::printf("refused: %d calls %d\n", force(0), calls);
	// To the end.
	set(0, _URC_NO_REASON);
	if (setjmp(out) == 0)
		force(4);
	std::printf("to the end: ends %d\n", ends);
}

__attribute__((noinline)) static void catching()
{
	try {
		Noisy noisy{ 20 };
		force(1);
	} catch (int) {
		std::puts("not here");
	} catch (abi::__forced_unwind &) {
		std::puts("forced");
		throw;
	} catch (...) {
		std::puts("foreign, by force");
		throw;
	}
}

static void catches()
{
	set(0, _URC_NO_REASON);
	if (setjmp(out) == 0)
		catching();
	std::printf("caught on the way: ends %d, uncaught %d\n", ends, std::uncaught_exceptions());
}

// A stop function that goes by the CFA, as longjmp over cleanups would.
static _Unwind_Ptr target;
static _Unwind_Reason_Code stop_at(int version, _Unwind_Action actions, _Unwind_Exception_Class kind,
				   _Unwind_Exception *exception, _Unwind_Context *context, void *)
{
	count(version, actions, kind, context);
	if ((actions & _UA_END_OF_STACK) || _Unwind_GetCFA(context) > target) {
		_Unwind_DeleteException(exception);
		std::longjmp(out, 1);
	}
	return _URC_NO_REASON;
}

__attribute__((noinline)) static void jump(int depth)
{
	Noisy noisy{ 30 + depth };
	if (depth > 0)
		jump(depth - 1);
	else
		_Unwind_ForcedUnwind(new_exception("FORCED"), stop_at, nullptr);
	volatile int after = depth;
	(void)after;
}

static void to_a_frame()
{
	Noisy noisy{ 39 };
	target = reinterpret_cast<_Unwind_Ptr>(__builtin_frame_address(0));
	set(0, _URC_NO_REASON);
	last_cfa = 0;
	if (setjmp(out) == 0)
		jump(3);
	std::puts("arrived");
}

// Resume_or_Rethrow of an exception that was raised goes through both phases again; at the end it returns.
static void again()
{
	_Unwind_Exception *exception = new_exception("RAISED");
	for (int i = 0; i < 2; i++) {
		try {
			Noisy noisy{ 40 + i };
			if (i == 0)
				_Unwind_RaiseException(exception);
			else
				_Unwind_Resume_or_Rethrow(exception);
		} catch (...) {
			std::printf("raised %d\n", i);
		}
	}
}

__attribute__((noinline)) static void not_caught() noexcept(false)
{
	// qsort's frame has no handler, main has none for this.
	std::printf("raised: %d\n", _Unwind_RaiseException(new_exception("NOBODY")));
	std::printf("rethrown: %d\n", _Unwind_Resume_or_Rethrow(new_exception("NOBODY")));
}

int main(int argc, char **)
{
	if (argc > 1) {
		// Refused when a cleanup has run already: there is nowhere to return to.
		set(3, _URC_FATAL_PHASE2_ERROR);
		std::setbuf(stdout, nullptr);
		std::printf("returned %d\n", force(3));
	}
	stops();
	catches();
	to_a_frame();
	again();
	not_caught();
}
