# SPDX-License-Identifier: MIT
# The tables of a fault campaign, from what the kernel has said.
function close_run() { # that was begun and not ended: the kernel was not there any more
	if (number == "")
		return
	count(workload, kind, panic ? "kernel ends" : "kernel hangs", panic ? "panic: " panic : "the kernel hangs")
	number = ""
}
function count(workload, kind, outcome, fate) {
	runs++
	if (outcome == "not reached") {
		missed++
		return
	}
	outcomes[kind, outcome]++
	all_outcomes[outcome]++
	if (outcome == "none")
		return
	manifested[workload, kind]++
	sections += section
	if (fate == "recovered") {
		recovered[workload, kind]++
		return
	}
	lost_sections += section
	lost[fate]++
}
function cell(workload, kind,    m, r) {
	m = manifested[workload, kind] + 0
	r = recovered[workload, kind] + 0
	total_m += m; total_r += r; kind_m[kind] += m; kind_r[kind] += r
	return m ? sprintf("%d of %d", r, m) : "-"
}
function percent(r, m) { return m ? sprintf("%d of %d, %.1f %%", r, m, 100 * r / m) : "-" }
/^begin / { close_run(); number = $2; workload = $3; kind = $4; panic = ""; section = 0 }
/^at / { section = / \(section\)/ ? 1 : 0 }
/^panic: / { panic = substr($0, 8) }
/^panic in a panic/ { panic = panic ? panic : $0 }
# A task that was led into panic() may have printed its first word.
/^(panic: )*end [0-9]+ / {
	split($0, part, " \\| ")
	count(workload, kind, part[2], part[3])
	number = ""
}
END {
	close_run()
	split("word skip flip", kinds, " ")
	split("channel lock heap files parser", workloads, " ")
	print "| workload | word | skip | flip | all |"
	print "|---|---|---|---|---|"
	for (w = 1; w <= 5; w++) {
		total_m = total_r = 0
		line = "| " workloads[w]
		for (k = 1; k <= 3; k++)
			line = line " | " cell(workloads[w], kinds[k])
		print line " | " percent(total_r, total_m) " |"
		sum_m += total_m; sum_r += total_r
	}
	line = "| all"
	for (k = 1; k <= 3; k++)
		line = line " | " percent(kind_r[kinds[k]], kind_m[kinds[k]])
	print line " | " percent(sum_r, sum_m) " |"
	printf "\nruns: %d, of which not reached: %d\nmanifested: %d, recovered: %d\n", runs, missed, sum_m, sum_r
	printf "in sections: %d manifested, %d lost\n", sections, lost_sections
	for (o in all_outcomes)
		printf "outcome: %d %s\n", all_outcomes[o], o | "sort -k2 -rn"
	close("sort -k2 -rn")
	for (f in lost)
		printf "lost: %d %s\n", lost[f], f | "sort -k2 -rn"
}
