JSON.stringify({ toJSON: function () { poke(2); } });
