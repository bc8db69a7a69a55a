# Runs a command on a kernel that knows no UDP_SEGMENT: a seccomp filter, which the command inherits, answers as one before
# 4.18 does. `perl without-udp-gso.pl COMMAND ARGUMENT...`
use strict;
use warnings;

my %numbers = (x86_64 => [54, 157], aarch64 => [208, 167]); # setsockopt, prctl
chomp(my $machine = `uname -m`);
my ($setsockopt, $prctl) = @{ $numbers{$machine} or die "no system call numbers for $machine\n" };

my ($LOAD, $EQUAL, $RETURN) = (0x20, 0x15, 0x06);
my @program = (
    [$LOAD, 0, 0, 0], [$EQUAL, 0, 5, $setsockopt], # the call's number
    [$LOAD, 0, 0, 24], [$EQUAL, 0, 3, 17],         # level: SOL_UDP
    [$LOAD, 0, 0, 32], [$EQUAL, 0, 1, 103],        # option: UDP_SEGMENT
    [$RETURN, 0, 0, 0x00050000 | 92],              # ENOPROTOOPT
    [$RETURN, 0, 0, 0x7fff0000],                   # go on
);
my $filter = join '', map { pack 'S C C L', @$_ } @program;
my $header = pack 'S x6 P', scalar @program, $filter;
syscall($prctl, 38, 1, 0, 0, 0) == 0 or die "no_new_privs: $!\n";
syscall($prctl, 22, 2, $header, 0, 0) == 0 or die "seccomp: $!\n";
exec @ARGV or die "$ARGV[0]: $!\n";
