// An unwinder that stands beside others and whose contexts are its own: whoever hands it another's has failed. Its names
// are all that level I has.
#include <stdio.h>
#include <unistd.h>

#define WRONG(name) void name(void); void name(void) { fputs("a stranger's " #name " was called\n", stderr); _exit(9); }

WRONG(_Unwind_RaiseException) WRONG(_Unwind_ForcedUnwind) WRONG(_Unwind_Resume) WRONG(_Unwind_Resume_or_Rethrow)
WRONG(_Unwind_Backtrace) WRONG(_Unwind_DeleteException) WRONG(_Unwind_GetGR) WRONG(_Unwind_SetGR) WRONG(_Unwind_GetIP)
WRONG(_Unwind_GetIPInfo) WRONG(_Unwind_SetIP) WRONG(_Unwind_GetCFA) WRONG(_Unwind_GetLanguageSpecificData)
WRONG(_Unwind_GetRegionStart) WRONG(_Unwind_GetDataRelBase) WRONG(_Unwind_GetTextRelBase)
WRONG(_Unwind_FindEnclosingFunction) WRONG(_Unwind_Find_FDE) WRONG(__gcc_personality_v0)
