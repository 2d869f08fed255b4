#include "commands/signals.hpp"

#include <signal.h>
#include <unistd.h>

#include <initializer_list>

namespace lab::commands {
namespace {

volatile bool came = false;
volatile sig_atomic_t which = 0;

void on_signal(int signal) {
  if (came) ::_exit(128 + signal);
  which = signal;
  came = true;
}

}  // namespace

void catch_interrupts() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before {
    }, now{};
    ::sigaction(signal, nullptr, &before);
    if (before.sa_handler == SIG_IGN) continue;
    now.sa_handler = on_signal;  // no SA_RESTART: a wait must return
    ::sigaction(signal, &now, nullptr);
  }
}

const volatile bool& interrupted() { return came; }
int interrupt_signal() { return which; }

}  // namespace lab::commands
