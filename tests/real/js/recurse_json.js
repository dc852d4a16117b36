// Deep nesting: the JSON decoder calls itself.
var text = new Array(5000).join('[');
JSON.parse(text);
