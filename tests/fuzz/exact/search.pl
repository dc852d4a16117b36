#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# Builds random programs by `ripcord cc`, compares what they print with what gcc's build prints, and stops them at each
# instruction. A finding is what no rule below explains; it is made small by leaving out parts of the program.
#
#   search.pl [--first SEED] [--count N] [--seconds S] [--kinds kill,fault,...] [--c | --cxx] [--options "-O2 ..."]
#             [--no-reduce] [--keep DIRECTORY] [--jobs N] [--step N] [--small]
#
# Needs in the environment: RIPCORD (the command), GENERATE (the generator), TOP (the source tree). Prints a line for each
# finding, and a table at the end. Exit status 1: there were findings.
use strict;
use warnings;
use File::Temp 'tempdir';
use Getopt::Long;
use List::Util 'uniq';
use JSON::PP 'decode_json';

my ($ripcord, $generate, $top) = map { $ENV{$_} // die "search.pl: $_ is not set\n" } qw(RIPCORD GENERATE TOP);
my ($first, $count, $seconds, $kinds, $only_c, $only_cxx, $options, $no_reduce, $keep, $jobs, $step) =
	(1, 1e9, 1e9, 'kill,fault,exit,overflow', 0, 0, undef, 0, undef, 1, 1);
GetOptions('first=i' => \$first, 'count=i' => \$count, 'seconds=i' => \$seconds, 'kinds=s' => \$kinds, 'c' => \$only_c,
	   'small' => sub { $generate .= ' --small' }, 'cxx' => \$only_cxx, 'options=s' => \$options, 'no-reduce' => \$no_reduce, 'keep=s' => \$keep, 'jobs=i' => \$jobs, 'step=i' => \$step) or exit 2;
my $work = tempdir(CLEANUP => 1);
$SIG{INT} = $SIG{TERM} = sub { exit 130 }; # which removes it
my $includes = "-I$top/include -I$top/tests/fuzz/exact";
my %total = (programs => 0, stops => 0, findings => 0);
my (%caveats, %by_kind, %by_level);

# --- What is built, and how ---------------------------------------------------------------------------------------------

my @levels = qw(-O0 -O1 -O2 -O3 -Os -O2 -O2 -O3);
my @extras = ('', '', '', '-flto', '-D_FORTIFY_SOURCE=2', '-march=x86-64-v3', '-fno-inline', '-ftree-vectorize',
	      '-fstack-protector-strong', '-fno-plt', '-fcf-protection', '-Ofast', '-fipa-pta', '-fno-tree-sra',
	      '-D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection -fcf-protection', '-fno-tree-pre',
	      '-fomit-frame-pointer', '-fno-omit-frame-pointer', '-funroll-loops', '-fno-tree-ter', '-fno-ivopts');

# GCC's passes one by one, for seeds from 10,000 on, so that the set that the tests run stays as it is.
my @passes = ('', map({ "-fno-$_" } qw(tree-fre tree-vrp tree-dominator-opts tree-ccp tree-forwprop
	tree-copy-prop tree-dce
	tree-phiprop tree-tail-merge tree-switch-conversion tree-coalesce-vars ssa-phiopt
	hoist-adjacent-loads code-hoisting
	if-conversion if-conversion2 crossjumping gcse cse-follow-jumps forward-propagate split-wide-types
	dce dse
	caller-saves ipa-ra ipa-icf ipa-cp ipa-modref ipa-pure-const ipa-reference shrink-wrap
	schedule-insns2 peephole2
	reorder-blocks move-loop-invariants split-ivs-in-unroller partial-inlining jump-tables
	expensive-optimizations)),
	'-fschedule-insns', '-fschedule-insns -fsched-pressure -fsched-spec-load', '-fselective-scheduling2',
	'-fsched2-use-superblocks', '-fgcse-las -fgcse-sm', '-fgcse-after-reload', '-fmodulo-sched',
	'-ftracer', '-fweb',
	'-frename-registers', '-fsplit-loops', '-funswitch-loops', '-floop-interchange',
	'-ftree-loop-distribution',
	'-fvect-cost-model=unlimited', '-fmove-loop-stores', '-flive-range-shrinkage',
	'-fira-loop-pressure', '-ftrapv',
	'-ftree-dse -fdse', '-finline-functions', '-fipa-cp-clone', '-fisolate-erroneous-paths-attribute',
	'-D_FORTIFY_SOURCE=3',
	'-fzero-call-used-regs=used', '-mstackrealign', '-mstringop-strategy=rep_byte',
	'-minline-all-stringops',
	'--param max-inline-insns-auto=200', '--param max-unroll-times=2',
	'--param max-completely-peeled-insns=20',
	'--param max-gcse-memory=1', '--param sra-max-scalarization-size-Ospeed=8',
	'--param max-jump-thread-duplication-stmts=60',
	'--param partial-inlining-entry-probability=1', '--param sink-frequency-threshold=100',
	'--param max-hoist-depth=1');

# By the seed alone, so that a seed says all.
sub options_of {
	my ($seed) = @_;
	my @more = $seed < 10000 ? () : ($passes[$seed * 29 % @passes], $passes[$seed * 31 % @passes]);

	return $options // join ' ', $levels[$seed * 7 % @levels], $extras[$seed * 13 % @extras], @more;
}

sub language_of {
	my ($seed) = @_;

	return $only_c ? 'c' : $only_cxx ? 'c++' : $seed % 4 == 0 ? 'c++' : 'c';
}

sub program {
	my ($seed, $without) = @_;
	my $language = language_of($seed);
	my $source = "$work/p$seed." . ($language eq 'c' ? 'c' : 'cc');

	system("$generate $language $seed '$without' >$source") == 0 or die "search.pl: the generator failed\n";
	return ($source, $language eq 'c' ? ('cc', 'gcc') : ('c++ -std=c++20', 'g++ -std=c++20'));
}

sub output_of { my ($command) = @_; my $text = `timeout 20 $command 2>&1`; return $text . $?; }

# --- What is a finding --------------------------------------------------------------------------------------------------

# The guest's instructions, by address; of a program with findings that need it.
sub instructions_of {
	my ($guest) = @_;
	my %at;

	for (`objdump -d --no-show-raw-insn $guest`) {
		$at{hex $1} = $2 if /^\s*([0-9a-f]+):\s+(.*?)\s*$/;
	}
	return \%at;
}

# Lines in functions that are noexcept, by the braces of the source.
sub noexcept_lines {
	my (@source) = @_;
	my %quiet;
	my $end;

	for my $line (0 .. $#source) {
		my ($indent) = $source[$line] =~ /^(\t*)/;
		$end = "$1}" if !defined $end && $source[$line] =~ /^(\t*).*noexcept \{$/;
		$quiet{$line + 1} = 1 if defined $end;
		$end = undef if defined $end && index($source[$line], $end) == 0;
	}
	return \%quiet;
}

# What is known of one program, for the rules.
sub context_of {
	my ($source, $guest) = @_;

	open my $file, '<', $source or die "search.pl: $source: $!\n";
	my @lines = <$file>;
	return { guest => $guest, source => $source, lines => \@lines, quiet => noexcept_lines(@lines) };
}

sub instruction_at {
	my ($context, $address) = @_;

	$context->{instructions} //= instructions_of($context->{guest});
	return $context->{instructions}{hex $address} // '';
}

# Whether one of the frames, with what was expanded in line there, is a noexcept function of the program's.
sub is_quiet {
	my ($context, $finding) = @_;
	my @own = map { $_->{address} } grep { $_->{audit} ne 'foreign' } @{$finding->{frames}};

	return 0 if !%{$context->{quiet}} || !@own;
	for (`addr2line -i -e $context->{guest} @own`) {
		return 1 if /([^:]*):(\d+)/ && $1 eq $context->{source} && $context->{quiet}{$2};
	}
	return 0;
}

# Whether one of them is a destructor, which loses what it had still to release.
sub in_destructor {
	my ($context, $finding) = @_;
	my @own = map { $_->{address} } grep { $_->{audit} ne 'foreign' } @{$finding->{frames}};

	return 0 if !@own || $finding->{found} !~ /^(leaked|reclaimed)$/;
	return scalar grep { /^_ZN.*D[012]Ev$/ } `addr2line -f -i -e $context->{guest} @own`;
}

# An exit stands in the place of a call. Some calls release something, or take it over: it goes with them.
sub caveat_of_exit {
	my ($context, $finding) = @_;
	my $callee = instruction_at($context, $finding->{address}) =~ /^call\s.*<([^>+]*)/ ? $1 : '';

	# The call of a cleanup has no landing pad, and never exits. Of other calls without one the faults in them tell.
	return 'call without a pad' if $finding->{audit} eq 'window';
	return 'masked' if $callee =~ /^(_ZL?\d+)?drop_|^rip_cleanup_|D[012]Ev/;
	return 'handed over' if $callee =~ /^(_ZL\d+)?consume/;
	return undef;
}

# The name of the caveat that explains it, or undef.
sub caveat_of {
	my ($context, $finding) = @_;
	my $file = $finding->{file} // '';

	return undef if $finding->{stop} eq 'kill' || $finding->{stop} eq 'end';
	# A cleanup was running, and loses what it had still to release.
	return 'masked' if $finding->{audit} eq 'masked';
	# The same, where the audit sees that a cleanup function has landing pads of its own.
	return 'masked' if $finding->{stop} eq 'fault' && ($finding->{function} // '') =~ /^(_ZL?\d+)?(drop_|rip_cleanup_)/;
	# On its way to its owner: no table can tell.
	return 'in flight' if $finding->{audit} eq 'in flight';
	# A number is none: what it stands for is on its way to the object that is being made.
	return 'in flight' if $finding->{found} eq 'leaked' && ($finding->{function} // '') =~ /^_ZN(3own|14own_that_throws|17own_that_lets_out)C/;
	# A call of code that is not the guest's.
	return 'foreign' if $finding->{audit} eq 'foreign';
	if ($finding->{stop} eq 'exit') {
		my $caveat = caveat_of_exit($context, $finding);
		return $caveat if defined $caveat;
	}
	# A destructor was running: it is a cleanup, and noexcept.
	return 'masked' if in_destructor($context, $finding);
	# What a noexcept function still held is passed by.
	return 'noexcept' if is_quiet($context, $finding);
	# A coroutine's frame is destroyed twice, before it has been suspended first.
	return 'coroutine not yet suspended' if ($finding->{function} // '') =~ /count_to/ && $finding->{found} ne 'leaked';
	# The standard library's own data, half changed, or its functions that promise not to throw.
	return 'library' if $file =~ m{/include/c\+\+/};
	return undef;
}

# Findings of one program: a list of texts, without what differs from build to build.
sub findings {
	my ($source, $compiler, $plain, $flags) = @_;
	my $guest = "$source.guest";
	my @found;

	my $errors = `$ripcord $compiler -w -g $flags $includes $source -o $guest -pthread 2>&1`;
	return ("compiler: " . (split /\n/, $errors)[0]) if $?;
	# It means the same at each level: the quickest is taken.
	system("$plain -w -O0 $includes $source -o $source.plain -pthread 2>/dev/null") == 0 or die "search.pl: $plain failed: $source\n";
	return ('output differs from gcc\'s') if output_of("$source.plain") ne output_of("$ripcord run $guest");
	my $json = `timeout 900 $ripcord sweep --json --jobs $jobs --limit 20000 --kind $kinds $guest 2>$work/errors`;
	my $swept = eval { decode_json($json) } or return ('sweep: ' . `head -c 200 $work/errors`);
	$total{stops} += $swept->{stops}{$_}, $by_kind{$_} += $swept->{stops}{$_} for keys %{$swept->{stops}};
	push @found, "leaves something by itself" if $swept->{left};
	my $context = context_of($source, $guest);
	for my $finding (@{$swept->{findings}}) {
		my $caveat = caveat_of($context, $finding);
		if (defined $caveat) {
			$caveats{"$finding->{stop}, $caveat"} += $finding->{times};
			next;
		}
		(my $what = $finding->{what}) =~ s/\d+/N/g;
		push @found, join ' ', $finding->{stop}, $finding->{found}, $what, $finding->{audit}, $finding->{function} // '?',
			($finding->{file} // '') =~ m{([^/]*)$}, $finding->{line} // 0;
	}
	return uniq(@found);
}

# What stays the same while the program becomes smaller.
sub kind_of {
	my ($finding) = @_;

	return join ' ', (split ' ', $finding)[0 .. 2];
}

sub shows { my ($kind, @arguments) = @_; return grep { kind_of($_) eq $kind } findings(@arguments); }

# Takes a minute, or as long as the whole search may: what is left by then is what it is made.
sub reduce {
	my ($seed, $kind, $flags) = @_;
	my $end = time + ($seconds < 60 ? 60 : $seconds);
	my $language = language_of($seed);
	my @left = 0 .. `$generate --parts $language $seed` - 1;
	my %without;

	# Runs of parts are tried first, then each.
	for (my $size = int(@left / 2) || 1; $size >= 1; $size = int($size / 2)) {
		for (my $start = 0; $start < @left; $start += $size) {
			my @try = grep { !$without{$_} } @left[$start .. ($start + $size > @left ? $#left : $start + $size - 1)];
			next if !@try;
			last if time >= $end;
			my $list = join ',', keys %without, @try;
			$without{$_} = 1 for shows($kind, program($seed, $list), $flags) ? @try : ();
		}
	}
	return join ',', sort { $a <=> $b } keys %without;
}

# --- The search ---------------------------------------------------------------------------------------------------------

my $until = time + $seconds;
for (my $seed = $first; $seed < $first + $count && time < $until; $seed += $step) {
	my $flags = options_of($seed);
	my @program = program($seed, '');
	my %seen;

	$total{programs}++;
	$by_level{join ' ', language_of($seed), $flags =~ /(-O\w+)/, $flags =~ /(-flto)/}++;
	for my $finding (findings(@program, $flags)) {
		$total{findings}++;
		next if $seen{kind_of($finding)}++;
		print 'FINDING: ', language_of($seed), " $seed, $flags: $finding\n";
		next if $no_reduce;
		my @saved = ({%total}, {%by_kind}, {%caveats});
		my $without = reduce($seed, kind_of($finding), $flags);
		%total = %{$saved[0]}, %by_kind = %{$saved[1]}, %caveats = %{$saved[2]};
		print "  made small: $generate ", language_of($seed), " $seed $without\n";
		my ($small) = program($seed, $without);
		system("cp $small $keep/$seed-" . kind_of($finding) =~ s/\W/-/gr . ($small =~ /(\.c+)$/)[0]) if $keep;
	}
	unlink glob "$work/*";
}
printf "programs %d, stops %d, findings %d\n", @total{qw(programs stops findings)};
printf "stops by %s: %d\n", $_, $by_kind{$_} for sort keys %by_kind;
printf "programs: %s: %d\n", $_, $by_level{$_} for sort keys %by_level;
printf "caveat: %s: %d\n", $_, $caveats{$_} for sort keys %caveats;
exit($total{findings} != 0);
