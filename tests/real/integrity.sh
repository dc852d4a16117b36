# The lock file pins Duktape by its hash: another one must be an error, not a skipped test.
. tests/tap.bash

scripts/fetch-duktape || exit
ok "fetching again is instant" limit 2 scripts/fetch-duktape
mkdir "$work/from"
cp tests/fixtures/duktape/package.json tests/fixtures/duktape/.npmrc "$work/from/"
sed 's/sha512-5J/sha512-6J/' tests/fixtures/duktape/package-lock.json >"$work/from/package-lock.json"
is "a wrong hash is an error" "$(status scripts/fetch-duktape "$work/from" "$work/to")" 1
ok "... and says so" grep -q EINTEGRITY "$work/err"
ok "... and leaves nothing that counts as there" test ! -e "$work/to/ready"
ok "no registry's address is committed" bash -c '! grep -rE "\"resolved\"|registry *=|https?:" tests/fixtures'
finish
