var value = { name: 'x', list: [1, 2.5, null, true, { deep: [[[]]] }], text: 'quote " and \\ and \u0007 \u20ac' };
var text = JSON.stringify(value);
print(text, JSON.stringify(JSON.parse(text)) === text);
print(JSON.stringify(value, ['name', 'list'], 2));
print(JSON.parse('[1,2,3]', function (k, v) { return typeof v === 'number' ? v * 2 : v; }).join());
['{', '[1,]', '{"a":}', '"\u0001"', 'nul'].forEach(function (bad) {
	try { print(JSON.parse(bad)); } catch (e) { print(e.name); }
});
