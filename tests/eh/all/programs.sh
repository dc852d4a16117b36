# Whole programs over the drop-in: cmake, gdb, a compiler, interpreters; each must say and leave what it does without.
. tests/tap.bash
. tests/eh/dropin.bash
have() { command -v "$1" >"$work/none" || { count=$((count + 1)); echo "ok $count # SKIP no $1"; false; }; }

# The processes that a program starts use it, too, or use no unwinder at all.
used_by() {
	case $1 in
	preload) grep -q "^start $unwind\$" "$IN_USE" ;;
	libgcc) grep -q "^\(start\|end\) $as_libgcc/libgcc_s" "$IN_USE" && ! grep -q '^[a-z]* /\(usr/\)\?lib/' "$IN_USE" ;;
	*) grep -q libgcc_s "$IN_USE" ;;
	esac
}

mkdir "$work/project" && cat >"$work/project/CMakeLists.txt" <<'CODE'
cmake_minimum_required(VERSION 3.13)
project(small CXX)
include(CheckCXXSourceCompiles)
check_cxx_source_compiles("int main() { try { throw 1; } catch (int) { return 0; } }" THROWS)
find_package(Threads REQUIRED)
add_executable(small small.cc)
if(NOT THROWS)
	message(FATAL_ERROR "cannot throw")
endif()
try_compile(BROKEN ${CMAKE_BINARY_DIR}/broken ${CMAKE_SOURCE_DIR}/broken.cc)
message(STATUS "broken: ${BROKEN}")
include(missing_module)
CODE
cp "$programs/small.cc" "$work/project/" && echo 'int main() { return undeclared; }' >"$work/project/broken.cc"
configure() { rm -rf "$work/cmake" && cmake -S "$work/project" -B "$work/cmake"; }
export -f configure; export work
if have cmake; then
	normalise() { sed 's/[0-9.]*s)$//'; }
	WAYS='preload libgcc' same cmake bash -c configure
	says 'cmake found its errors' 'missing_module'
fi

g++ -g -O0 "$programs/small.cc" -o "$work/small"
cat >"$work/script.gdb" <<'CODE'
set confirm off
set debuginfod enabled off
set disable-randomization on
catch throw
run
bt
print no_such_symbol
finish
python raise RuntimeError("from python")
continue
CODE
if have gdb; then
	normalise() { sed 's/0x[0-9a-f]*//g; s/process [0-9]*//; s/(?[0-9a-z_+ ]*LWP [0-9]*)?//; /in_use\|libripcord/d'; }
	same gdb gdb -nx -batch -x "$work/script.gdb" "$work/small"
	says 'gdb caught the throw' '__cxa_throw'
	normalise() { cat; }
fi

# Debian's cc1plus holds its own copy of libgcc's unwinder, so the drop-in is only beside it.
cc1plus() {
	run plain "$@"
	ok "$1 $2 $3: preload" agrees preload "$@"
}
for flags in '-O2' '-O0 -g' '-Os -fsyntax-only'; do
	cc1plus g++ -c $flags "$programs/throws.cc" -o "$work/throws.o"
	says "g++ $flags compiles" '^--- status 0'
done
cp "$work/throws.o" "$work/last.o"
g++ -c -O0 -g "$programs/throws.cc" -o "$work/throws.o"
ok 'g++: the same object' cmp "$work/throws.o" "$work/last.o"
cc1plus g++ -c "$work/project/broken.cc" -o "$work/broken.o"
says 'g++ finds the error' undeclared
if have clang++; then
	same 'clang++' clang++ -c -O1 "$programs/throws.cc" -o "$work/throws.o"
fi
if have node; then
	same node node -e 'try { null.x } catch (e) { console.log(e.message) }
		WebAssembly.instantiate(new Uint8Array([0])).catch(e => console.log(e.name))
			.then(() => setTimeout(() => { throw new Error("uncaught") }, 1));
		console.log([3, 1, 2].sort((a, b) => a - b))'
	says 'node threw' 'uncaught'
fi
if have python3; then
	cat >"$work/script.py" <<'CODE'
import ctypes, threading
libc = ctypes.CDLL(None)
Compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
values = (ctypes.c_int * 5)(5, 1, 4, 2, 3)
libc.qsort(values, 5, 4, Compare(lambda a, b: a[0] - b[0]))
print(list(values))
unwind = ctypes.CDLL("libgcc_s.so.1")
frames = []
Trace = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
print(unwind._Unwind_Backtrace(Trace(lambda c, a: frames.append(1) or 0), None), len(frames) > 5)
threads = [threading.Thread(target=lambda: 1 / 0) for _ in range(2)]
threading.excepthook = lambda args: print(args.exc_type.__name__)
for t in threads: t.start(); t.join()
raise SystemExit(3)
CODE
	same python3 python3 "$work/script.py"
	says 'python3 ended as it should' 'status 3'
fi
finish
