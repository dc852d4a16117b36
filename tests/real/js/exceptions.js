// Duktape's exceptions are setjmp and longjmp, here through native frames.
function thrower(n) { if (n === 0) throw new RangeError('bottom'); [n].forEach(function () { thrower(n - 1); }); }
for (var i = 0; i < 20; i++)
	try { thrower(i); } catch (e) { print(i, e.name, e.message); } finally { i++; }
function nested() {
	try { try { throw 1; } finally { throw 2; } } catch (e) { return e; } finally { print('finally'); }
}
print(nested());
try { undefinedFunction(); } catch (e) { print(e instanceof ReferenceError); }
try { null.x; } catch (e) { print(e instanceof TypeError); }
try { eval('var 1x'); } catch (e) { print(e.name); }
print((function () { try { return 'try'; } finally { print('on the way out'); } })());
