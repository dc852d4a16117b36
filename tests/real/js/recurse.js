// Each level goes through native code, so that it takes native stack.
function down(n) {
	return [n].map(function (x) { return down(x + 1); });
}
down(0);
