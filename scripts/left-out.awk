# Tells why a tier leaves out what it leaves out: a line for each name that tests/left_out has for it.
# Usage: awk -v tier=TIER -f left-out.awk tests/left_out NAMES
FNR == 1 { files++ }
files == 1 && $1 == tier {
	reason = $0
	sub(/^[^:]*: */, "", reason)
	sub(/:.*/, "")
	for (i = 2; i <= NF; i++) {
		patterns[++count] = $i
		why[count] = reason
	}
}
files == 2 {
	for (i = 1; i <= count; i++)
		if (fits($0, patterns[i])) {
			print "left out: " $0 ": " why[i]
			next
		}
}

# Whether a name is what one of make's patterns stands for.
function fits(name, pattern,    at, head, tail) {
	at = index(pattern, "%")
	if (!at)
		return name == pattern
	head = substr(pattern, 1, at - 1)
	tail = substr(pattern, at + 1)
	return length(name) >= length(head tail) && substr(name, 1, length(head)) == head && \
		substr(name, length(name) - length(tail) + 1) == tail
}
