// What an operator's steps do to the sandbox, where it takes the whole run to do it.
#pragma once

#include "actors/operator.hpp"
#include "run/live.hpp"
#include "run/rulesets.hpp"
#include "run/watchers.hpp"

namespace lab::run {

class Cast;

class Acts : public actors::OperatorActs {
 public:
  Acts(const scenario::Scenario& scenario, const std::vector<sandbox::Netns>& namespaces, Rulesets& rules,
       Watchers& watchers, LiveWire& live, evidence::Sink& sink)
      : scenario_(scenario), namespaces_(namespaces), rules_(rules), watchers_(watchers), live_(live), sink_(sink) {}
  // `attach` does what the step says; none: not in this kind of run.
  void meet(Cast& cast, std::function<void(const std::string&)> attach);

  void add_rules(const std::string& name) override;
  void delete_rules(const std::string& name) override;
  void freeze(const std::string& actor) override;
  void thaw(const std::string& actor) override;
  void attach(const std::string& what) override;
  void kill(const std::string& actor, int signal) override;
  void inside(const scenario::Step& step, const std::function<void()>& work) override;
  std::optional<actors::LiveConnection> connection() override;
  scenario::Endpoint server() override;
  void performed() override;

 private:
  const scenario::Scenario& scenario_;
  const std::vector<sandbox::Netns>& namespaces_;
  Rulesets& rules_;
  Watchers& watchers_;
  LiveWire& live_;
  evidence::Sink& sink_;
  Cast* cast_ = nullptr;
  std::function<void(const std::string&)> attach_;
};

}  // namespace lab::run
