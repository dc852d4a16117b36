# The example of keepers and trees: what it does, in order.
. tests/tap.bash

is "it ends well" "$(status "$build/examples/keeper")" 0
is "it says" "$(cat "$work/out")" "worker: begins
keeper: worker needs page 0
keeper: worker needs page 1
keeper: worker needs page 2
keeper: worker has failed
worker: released what it held
worker: begins
keeper: worker has failed
worker: released what it held
worker: begins
worker: done
worker: released what it held
host: it was started 3 times; at last it returned"
finish
