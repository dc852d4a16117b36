'text'.replace(/t/g, function () { poke(1); return ''; });
