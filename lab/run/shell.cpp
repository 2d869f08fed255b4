// A shell, or one command, in a scenario's sandbox: rules in place, servers running, the caller's tools at hand.
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "run/cast.hpp"
#include "run/flight.hpp"
#include "run/live.hpp"
#include "run/operator.hpp"
#include "run/recipe.hpp"
#include "run/stage.hpp"
#include "system/error.hpp"
#include "system/process.hpp"

namespace lab::run {

namespace {

// How a shell is told its prompt, and kept from setting it anew.
struct KnownShell {
  std::string_view name;  // the last part of its path; "" for any other
  const char* prompt;     // what follows the mark in PS1
  std::vector<std::string> options;
};

const KnownShell& known_shell(const std::string& path) {
  static const std::vector<KnownShell> all = {
      {"bash", "\\w \\$ ", {"--norc", "--noprofile"}},
      {"zsh", "%~ %# ", {"--no-rcs"}},
      {"fish",
       "",
       {"--init-command",
        "functions --copy fish_prompt lab_own_prompt; "
        "function fish_prompt; echo -n \"(lab $LAB_SCENARIO) \"; lab_own_prompt; end"}},
      {"", "$ ", {}},
  };
  const auto name = path.substr(path.rfind('/') + 1);
  return *std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.name.empty() || one.name == name; });
}

// What the tools of a network engineer need inside (nft, ip, tcpdump, ss -K): the sandbox's own capabilities, kept
// across exec by an ordinary user through the ambient set (man capabilities).
void keep_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  sys::check(::syscall(SYS_capget, &header, data), "capget");
  for (auto& half : data) half.inheritable = half.permitted;
  sys::check(::syscall(SYS_capset, &header, data), "capset");
  for (unsigned cap = 0; cap < 64; ++cap)
    if (data[cap / 32].permitted & (1U << (cap % 32))) ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0);
}

[[noreturn]] void become(const std::string& name, const std::vector<std::string>& command) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  ::close_range(3, ~0U, 0);
  keep_capabilities();
  const char* user_shell = std::getenv("SHELL");
  ::setenv("LAB_SCENARIO", name.c_str(), 1);
  std::vector<std::string> words = command;
  if (words.empty()) {
    const std::string shell = user_shell && ::access(user_shell, X_OK) == 0 ? user_shell : "/bin/sh";
    const auto& known = known_shell(shell);
    ::setenv("PS1", ("(lab " + name + ") " + known.prompt).c_str(), 1);
    words = {shell};
    words.insert(words.end(), known.options.begin(), known.options.end());
    words.push_back("-i");
  }
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  ::execvp(argv[0], argv.data());
  std::fprintf(stderr, "lab: %s: %s\n", argv[0], sys::errno_name(errno).c_str());
  ::_exit(errno == ENOENT ? 127 : 126);
}

// A job of its own in the caller's session, so that Ctrl-C, Ctrl-Z and the window size are the shell's.
pid_t start(const std::string& name, const std::vector<std::string>& command) {
  const pid_t child = sys::check(::fork(), "fork the shell");
  if (child == 0) {
    ::setpgid(0, 0);
    if (::isatty(0)) {
      ::signal(SIGTTOU, SIG_IGN);  // tcsetpgrp from the background stops whoever does not ignore it
      ::tcsetpgrp(0, ::getpid());
      ::signal(SIGTTOU, SIG_DFL);
    }
    become(name, command);
  }
  ::setpgid(child, child);
  return child;
}

int serve(Setup& setup, const std::vector<std::string>& command) {
  Teller nobody{sys::Descriptor(sys::check(::open("/dev/null", O_WRONLY | O_CLOEXEC), "open /dev/null"))};
  const auto namespaces = sandbox::furnish(setup.plan);
  Watchers watchers;
  watchers.open(namespaces, *setup.options);
  Rulesets rules(*setup.scenario, namespaces);
  LiveWire live;
  Acts acts(*setup.scenario, namespaces, rules, watchers, live, nobody);
  Cast cast(setup, namespaces, nobody, watchers);
  acts.meet(cast, {});
  Stage stage(*setup.scenario, nobody, watchers, cast);
  stage.start_servers();
  pid_t shell = 0;
  sandbox::inside(netns_of(namespaces, scenario::Role::client), [&] { shell = start(setup.scenario->name, command); });
  return stage.serve_until(shell);
}

}  // namespace

int shell(const scenario::Scenario& scenario, const std::vector<std::string>& command, const Options& options) {
  Options quiet = options;
  quiet.without = {"wire", "nft-trace", "changes", "counters", "conntrack", "sockets"};
  Setup setup = setup_for(scenario, quiet);
  setup.plan.own_session = false;
  setup.plan.programs = true;
  const auto groups = make_groups(scenario, quiet);
  setup.cgroups = doors_of(groups);
  for (const auto& [name, doors] : setup.cgroups)
    for (const int door : doors.all()) setup.plan.keep.push_back(door);
  const auto foreground = ::isatty(0) ? ::tcgetpgrp(0) : -1;
  auto box = sandbox::Sandbox::make(setup.plan, [&] { return serve(setup, command); });
  const int status = box.wait();
  if (foreground > 0) {  // the terminal comes back to the caller, however the shell went
    ::signal(SIGTTOU, SIG_IGN);
    ::tcsetpgrp(0, foreground);
    ::signal(SIGTTOU, SIG_DFL);
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace lab::run
