#include "actors/program.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "system/exempt.hpp"

namespace lab::actors {
namespace {

// What a shell searches without a PATH (POSIX leaves it open; this is dash's).
constexpr const char* kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

bool can_run(const std::string& path) {
  struct stat about {};
  return ::stat(path.c_str(), &about) == 0 && S_ISREG(about.st_mode) && ::access(path.c_str(), X_OK) == 0;
}

std::string path_of(const scenario::Actor& actor) {
  if (const auto own = actor.env.find("PATH"); own != actor.env.end()) return own->second;
  const char* path = std::getenv("PATH");
  return path ? path : kDefaultPath;
}

// An empty element is the working folder. "" where there is none: execve(2) then says ENOENT, and never runs a
// namesake in the working folder.
std::string search(const std::string& name, const std::string& path, const std::string& folder) {
  for (std::size_t from = 0; from <= path.size();) {
    const auto to = std::min(path.find(':', from), path.size());
    auto place = path.substr(from, to - from);
    if (!place.starts_with('/')) place = (folder.empty() ? "." : folder) + "/" + place;
    if (!place.ends_with('/')) place += '/';
    if (can_run(place + name)) return place + name;
    from = to + 1;
  }
  return "";
}

void set(std::vector<std::string>& environment, const std::string& name, const std::string& value) {
  const auto start = name + "=";
  std::erase_if(environment, [&](const std::string& held) { return held.starts_with(start); });
  environment.push_back(start + value);
}

std::string written(const scenario::Endpoint& endpoint) {
  const bool six = endpoint.host.find(':') != std::string::npos;
  return (six ? "[" + endpoint.host + "]" : endpoint.host) + ":" + std::to_string(endpoint.port);
}

}  // namespace

std::vector<std::string> command_of(const std::vector<std::string>& words, const scenario::Actor& actor,
                                    const Context& context) {
  auto command = words;
  if (!command.empty() && command[0].find('/') == std::string::npos)
    command.insert(command.begin(), search(command[0], path_of(actor), context.folder));
  else if (!command.empty())
    command.insert(command.begin(), command[0]);
  return command;
}

std::vector<std::string> environment_of(const scenario::Actor& actor, const Context& context) {
  std::vector<std::string> all;
  for (char** held = environ; held && *held; ++held) all.emplace_back(*held);
  const bool serves = actor.role == scenario::Role::server && actor.listen;
  const auto& meeting = serves ? *actor.listen : context.server;
  set(all, "LAB_HOST", meeting.host);
  set(all, "LAB_PORT", std::to_string(meeting.port));
  set(all, "LAB_ROLE", std::string(scenario::name_of(actor.role)));
  if (actor.listen) set(all, "LAB_LISTEN", written(*actor.listen));
  for (const auto& [name, value] : actor.env) set(all, name, value);
  return all;
}

std::vector<char*> pointers_to(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (const auto& string : strings) pointers.push_back(const_cast<char*>(string.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// command[0] is the path; the arguments, argv[0] first, follow it.
int execute(const std::vector<char*>& command, const std::vector<char*>& environment, bool exempt) {
  const auto run = exempt ? sys::exempt_execve : ::execve;
  run(command[0], command.data() + 1, environment.data());
  if (errno != ENOEXEC) return errno;
  std::vector<char*> shell{const_cast<char*>("/bin/sh"), command[0]};
  shell.insert(shell.end(), command.begin() + 2, command.end());
  run(shell[0], shell.data(), environment.data());
  return errno;
}

}  // namespace lab::actors
