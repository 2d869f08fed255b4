#include "strace.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>

#include "system/error.hpp"
#include "system/file.hpp"

namespace lab::test {
namespace {

const std::vector<std::string> names = {"socket", "bind",     "listen",   "connect",   "accept4",
                                        "sendto", "recvfrom", "shutdown", "setsockopt"};

std::string joined() {
  std::string all;
  for (const auto& name : names) all += (all.empty() ? "" : ",") + name;
  return all;
}

bool listed(const std::string& name) { return std::find(names.begin(), names.end(), name) != names.end(); }

}  // namespace

Play under_strace(const Play& play) {
  Play traced = play;
  traced.program = {"/usr/bin/strace", "-f", "-e", "trace=" + joined(), "-e", "signal=none", "-e", "quiet=all"};
  traced.program.insert(traced.program.end(), play.program.begin(), play.program.end());
  return traced;
}

std::string standard_error_of(const std::function<void()>& work) {
  const sys::Descriptor file(sys::check(::memfd_create("stderr", MFD_CLOEXEC), "memfd"));
  const sys::Descriptor before(sys::check(::dup(2), "dup"));
  sys::check(::dup2(file.get(), 2), "dup2");
  work();
  sys::check(::dup2(before.get(), 2), "dup2");
  sys::check(::lseek(file.get(), 0, SEEK_SET), "lseek");
  return sys::read_all(file.get(), "what strace wrote");
}

// "[pid 12] connect(3, {…}, 16) = -1 ECONNREFUSED (Connection refused)"
std::vector<std::string> calls_in_strace(const std::string& report) {
  std::vector<std::string> found;
  std::istringstream lines(report);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("[pid")) line.erase(0, line.find(']') + 2);
    const auto open = line.find('('), equals = line.rfind(" = ");
    if (open == line.npos || equals == line.npos || !listed(line.substr(0, open))) continue;
    std::istringstream rest(line.substr(equals + 3));
    std::string result, error;
    rest >> result >> error;
    found.push_back(line.substr(0, open) + " " + (result == "-1" ? error : result));
  }
  return found;
}

std::vector<std::string> calls_in(const Played& played, int not_of_pid) {
  std::vector<std::string> found;
  for (const auto& call : played.all<evidence::Call>())
    if (listed(call.name) && call.returned && call.pid != not_of_pid)
      found.push_back(call.name + " " + (call.error ? sys::errno_name(call.error) : std::to_string(call.result)));
  return found;
}

}  // namespace lab::test
