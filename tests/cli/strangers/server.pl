# A server that forks for each connection and whose child exits with it open: perl server.pl
use strict;
use IO::Socket::INET;
use POSIX ();
my $listener = IO::Socket::INET->new(LocalAddr => $ENV{LAB_HOST}, LocalPort => $ENV{LAB_PORT}, Listen => 8, ReuseAddr => 1) or die "$!";
$SIG{CHLD} = 'IGNORE';
while (my $connection = $listener->accept) {
  next if fork;
  $connection->recv(my $request, 100);
  POSIX::_exit(3);
}
