print('2015-09-24 and 2016-01-02'.replace(/(\d+)-(\d+)-(\d+)/g, '$3.$2.$1'));
print(/^(a+)+b$/.test('aaaaaaaaaaaab'), /(?:x|y)*?z/.exec('xyxyz')[0], 'aBc'.match(/b/i).index);
var pattern = /(\w+)\s(?=(\w+))/g, match, found = [];
while ((match = pattern.exec('one two three four')))
	found.push(match[1] + '>' + match[2]);
print(found.join(), 'a1b22c333'.split(/\d+/).join('-'));
try { new RegExp('(') } catch (e) { print(e.name) }
