// Parses the command line and calls one command. Messages go to standard error; the status is the contract's.
#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <exception>

#include "commands/command_line.hpp"
#include "commands/commands.hpp"
#include "sandbox/privileges.hpp"
#include "system/error.hpp"

namespace {

int complain(const char* what, const std::string& hint, int status) {
  fmt::print(stderr, "lab: {}\n", what);
  if (!hint.empty()) fmt::print(stderr, "  hint: {}\n", hint);
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  constexpr int usage = 2, skipped = 77, broken = 125;
  // write(2) then says what went wrong: EFBIG beyond RLIMIT_FSIZE, EPIPE where a sandbox has died. A sandbox begins
  // with every signal's default.
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
  try {
    lab::sandbox::keep_needed_capabilities();
    const auto command = lab::commands::parse(argc, argv);
    return command ? command() : 0;
  } catch (const lab::commands::UsageError& error) {
    return complain(error.what(), error.hint(), usage);
  } catch (const lab::sys::Unavailable& error) {
    return complain(error.what(), "", skipped);
  } catch (const std::exception& error) {
    return complain(error.what(), "", broken);
  }
}
