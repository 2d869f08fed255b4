// What the kernel holds once a scenario's rules are in place, as nft prints it.
#include <sys/wait.h>
#include <unistd.h>

#include "firewall/whole.hpp"
#include "run/inside.hpp"
#include "run/recipe.hpp"
#include "run/rulesets.hpp"
#include "system/error.hpp"
#include "system/process.hpp"

namespace lab::run {

namespace {

void write_all(const sys::Descriptor& to, std::string_view text) {
  while (!text.empty()) {
    const auto n = sys::check(::write(to.get(), text.data(), text.size()), "write the rules");
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

std::string read_all(const sys::Descriptor& from) {
  std::string text;
  char bytes[4096];
  for (ssize_t n = 0; (n = sys::check(::read(from.get(), bytes, sizeof bytes), "read the rules")) > 0;)
    text.append(bytes, static_cast<std::size_t>(n));
  return text;
}

// In init. Exit status: 0 and the rules, or why there are none: 2 when the ruleset is to blame, else 1.
int print(const Setup& setup) {
  try {
    const auto namespaces = sandbox::furnish(setup.plan);
    const Rulesets rules(*setup.scenario, namespaces);
    std::string text;
    sandbox::inside(netns_of_rules(namespaces), [&] { text = firewall::list_ruleset(); });
    write_all(setup.records, text);
    return 0;
  } catch (const Invalid& refused) {
    write_all(setup.records, refused.what());
    return 2;
  } catch (const std::exception& error) {
    write_all(setup.records, error.what());
    return 1;
  }
}

struct Asked {
  int status = 0;    // of print
  std::string text;  // what it wrote
};

Asked ask(const scenario::Scenario& scenario) {
  const Options options;
  Setup setup = setup_for(scenario, options);
  auto pipe = sys::make_pipe();
  setup.records = std::move(pipe.write);
  setup.plan.keep = {setup.records.get()};
  setup.plan.programs = false;
  auto box = sandbox::Sandbox::make(setup.plan, [&] { return print(setup); });
  setup.records.reset();
  auto text = read_all(pipe.read);
  const int status = box.wait();
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 1, std::move(text)};
}

}  // namespace

std::string kernel_rules(const scenario::Scenario& scenario) {
  auto asked = ask(scenario);
  if (asked.status != 0) throw sys::LabError(asked.text);
  return std::move(asked.text);
}

std::string refusal_of_ruleset(const scenario::Scenario& scenario) {
  if (scenario.firewall.ruleset.empty()) return {};
  try {
    auto asked = ask(scenario);
    return asked.status == 2 ? std::move(asked.text) : "";
  } catch (const sys::Unavailable&) {  // no sandbox to ask in
    return {};
  }
}

}  // namespace lab::run
