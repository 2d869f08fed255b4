// Ctrl-C and its like: the first asks a run or a batch to end and report what it has, a second ends lab at once (every
// sandbox dies with it).
#pragma once

namespace lab::commands {

// SIGINT, SIGTERM and SIGHUP; those that were ignored stay ignored (nohup). Call once.
void catch_interrupts();
const volatile bool& interrupted();
int interrupt_signal();  // 0: none came

}  // namespace lab::commands
