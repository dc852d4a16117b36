#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# Programs that nobody stops: built by `ripcord cc` they compile and print as gcc's build does, by themselves and as
# guests. Random ones, those of csmith, and files that are there, such as GCC's own tests.
#
#   plain.pl [--first SEED] [--count N] [--c | --cxx | --csmith]      random programs
#   plain.pl --compile FILE|FOLDER...                                 what gcc compiles, `ripcord cc` compiles
#   plain.pl --run FILE|FOLDER...                                     and what ends well runs alike
#   each with [--first N] [--seconds S] [--jobs N] [--options "-O2 ..."] [--keep FOLDER] [--log FILE]
#
# Needs in the environment: RIPCORD (the command), GENERATE (the generator), TOP (the source tree). Prints a line for
# each finding, and a total. Exit status 1: there were findings.
use strict;
use warnings;
use Digest::MD5 'md5';
use File::Find;
use File::Temp 'tempdir';
use Getopt::Long;

my ($first, $count, $seconds, $jobs, $only_c, $only_cxx, $csmith, $compile, $run, $options, $keep, $log) =
	(1, undef, 1e9, 1, 0, 0, 0, 0, 0, undef, undef, undef);
GetOptions('first=i' => \$first, 'count=i' => \$count, 'seconds=i' => \$seconds, 'jobs=i' => \$jobs, 'c' => \$only_c,
	   'cxx' => \$only_cxx, 'csmith' => \$csmith, 'compile' => \$compile, 'run' => \$run,
	   'options=s' => \$options, 'keep=s' => \$keep, 'log=s' => \$log) or exit 2;
my ($ripcord, $generate, $top) = map { $ENV{$_} // die "plain.pl: $_ is not set\n" } qw(RIPCORD GENERATE TOP);
my $work = tempdir(CLEANUP => 1);
my $until = time + $seconds;
my %total = (programs => 0, 'left out' => 0, 'not as a guest' => 0, findings => 0);
$| = 1;

# --- Commands -----------------------------------------------------------------------------------------------------------

# Processor time is limited, not time: the machine may be busy. What was printed, and the status.
sub output_of {
	my ($limit, $command) = @_;

	my $text = `(ulimit -c 0; ulimit -t $limit; exec $command) 2>&1 </dev/null`;
	# What a shell makes of a signal, that is, of the limit too.
	my $signal = $? & 127 || ($? >> 8 > 128 ? ($? >> 8) - 128 : 0);
	return ($text, $?, $signal);
}

my @levels = qw(-O0 -O1 -O2 -O2 -O2 -O3 -O3 -Os -Og -Ofast);
my @extras = ('', '', '', '', '', '-flto', '-D_FORTIFY_SOURCE=2', '-march=x86-64-v3', '-fno-inline', '-funroll-loops',
	      '-fcf-protection -fstack-protector-strong', '-fipa-pta');

# By the seed or the file's name alone.
sub options_of {
	my ($name) = @_;
	my ($level, $extra) = unpack 'NN', md5($name);

	return $options // join ' ', $levels[$level % @levels], $extras[$extra % @extras];
}

sub finding {
	my ($name, $what, $file) = @_;

	$total{findings}++;
	print "FINDING: $name: $what\n";
	system('cp', $file, $keep) if $keep;
}

# --- One program --------------------------------------------------------------------------------------------------------

# The first line that says what is wrong.
sub error_in { my ($text) = @_; return (grep { /error|undefined|Error/ } split /\n/, $text)[0] // substr $text, 0, 200; }

# Builds it by both. True: both have it.
sub build {
	my ($name, $file, $language, $flags) = @_;
	my ($gcc, $ours) = $language eq 'c' ? qw(gcc cc) : qw(g++ c++);

	my (undef, $status) = output_of(60, "$gcc -w $flags '$file' -o $work/$$.plain");
	if ($status && $language ne 'c' && $flags !~ /-std/) {
		$flags .= ' -std=gnu++20';
		(undef, $status) = output_of(60, "$gcc -w $flags '$file' -o $work/$$.plain");
	}
	return $total{'left out'}++ && 0 if $status;
	my $before = (times)[2] + (times)[3];
	(my $text, $status) = output_of(600, "'$ripcord' $ours -w $flags '$file' -o $work/$$.guest");
	# Not with -fnon-call-exceptions, says GCC (CAVEATS.md).
	return $total{'left out'}++ && 0 if $text =~ /transactional memory is not supported/;
	if ($status) {
		finding($name, "does not compile with $flags: " . error_in($text), $file);
	} elsif ((my $took = (times)[2] + (times)[3] - $before) > 60) {
		finding($name, "takes $took seconds to compile with $flags", $file);
	}
	return !$status;
}

sub run_both {
	my ($name, $file, $flags) = @_;
	my ($right, $status, $signal) = output_of(5, "$work/$$.plain");

	return $total{'left out'}++ if $signal;
	# Guests have no executable stack (CAVEATS.md).
	my $no_guest = `readelf -lW $work/$$.plain` =~ /GNU_STACK.*RWE/;
	$total{'not as a guest'} += $no_guest;
	for my $way ('', $no_guest ? () : "'$ripcord' run ") {
		my ($got, $got_status) = output_of(60, "$way$work/$$.guest");
		next if $got eq $right && $got_status == $status;
		finding($name, ($way ? 'as a guest ' : 'by itself ') . "prints or returns another result with $flags", $file);
	}
}

sub one_random {
	my ($seed) = @_;
	my $language = $csmith || $only_c ? 'c' : $only_cxx ? 'c++' : $seed % 8 == 0 ? 'c++' : 'c';
	my $file = "$work/$$-$seed." . ($language eq 'c' ? 'c' : 'cc');
	my $flags = options_of($seed);
	my $name = ($csmith ? 'csmith' : $language) . " $seed";

	if ($csmith) {
		# It writes platform.info where it runs.
		return $total{'left out'}++ if system("cd $work && csmith --seed $seed --max-funcs 5 --max-block-depth 3 --output $file >/dev/null 2>&1");
		$flags .= ' -I/usr/include/csmith';
	} else {
		system("'$generate' $language $seed >$file") == 0 or die "plain.pl: the generator failed\n";
		$flags .= " '-I$top/include' '-I$top/tests/fuzz/exact' -pthread" . ($language eq 'c' ? '' : ' -std=c++20');
	}
	$total{programs}++;
	run_both($name, $file, $flags) if build($name, $file, $language, $flags);
	unlink glob "$work/$$*";
}

# The options that a test of GCC's asks for, without those for some machines.
sub options_in {
	my ($file) = @_;
	my $found = '';

	open my $text, '<', $file or return '';
	while (<$text>) {
		$found .= " $1" if /\{\s*dg-(?:additional-)?options\s+"([^"]*)"\s*\}/;
	}
	# Several results, or none that a file is for; and names of files.
	$found =~ s/\s-(?:save-temps\S*|fdump\S*|fopt-info\S*|M\S*|S|E|fsyntax-only|o\s+\S+|wrapper\s+\S+)(?=\s|$)//g;
	return $found =~ /^[-\w\s=+.,:]*$/ ? $found : '';
}

sub one_file {
	my ($file) = @_;
	my $language = $file =~ /\.c$/ ? 'c' : 'c++';
	my $flags = options_of($file =~ s{.*/}{}r) . options_in($file);

	$total{programs}++;
	# There have to be exceptions: `ripcord c++` overrules that (CAVEATS.md).
	return $total{'left out'}++ if $language ne 'c' && $flags =~ /-fno-exceptions/;
	if ($compile) {
		build($file, $file, $language, "$flags -c");
	} else {
		run_both($file, $file, $flags) if build($file, $file, $language, "$flags -lm");
	}
	unlink glob "$work/$$*";
}

# --- All ----------------------------------------------------------------------------------------------------------------

my @files;
find({ no_chdir => 1, wanted => sub { push @files, $_ if -f && /\.(?:c|C|cc|cpp)$/ } }, @ARGV) if $compile || $run;
@files = sort @files;
$count //= @files ? @files - $first + 1 : 1e9;

# Each worker takes every JOBS-th, and writes its totals at the end.
my @readers;
for my $worker (0 .. $jobs - 1) {
	pipe(my $reader, my $writer) or die "plain.pl: $!\n";
	my $child = fork // die "plain.pl: $!\n";
	if ($child) { push @readers, $reader; next; }
	close $reader;
	for (my $n = $worker; $n < $count && time < $until; $n += $jobs) {
		$compile || $run ? one_file($files[$first - 1 + $n]) : one_random($first + $n);
		next if !$log;
		open my $to, '>', "$log.$worker" or next;
		print $to join(' ', %total), "\n";
	}
	print $writer join(' ', map { s/ /_/gr } %total), "\n";
	close $writer;
	exit 0;
}
for my $reader (@readers) {
	my %part = split ' ', <$reader> // '';
	$total{s/_/ /gr} += $part{$_} for keys %part;
}
wait for @readers;
printf "programs %d, left out %d, not as a guest %d, findings %d\n",
	@total{'programs', 'left out', 'not as a guest', 'findings'};
exit($total{findings} != 0);
