#include "actors/plan.hpp"

#include <algorithm>

#include "actors/operator.hpp"
#include "actors/options.hpp"
#include "actors/program.hpp"

namespace lab::actors {
namespace {

using scenario::Verb;

class Planner {
 public:
  Planner(const scenario::Actor& actor, const Context& context) : actor_(actor), context_(context) {}

  Plan plan() {
    add(actor_.steps);
    return std::move(plan_);
  }

 private:
  void add(const std::vector<scenario::Step>& steps) {
    for (const auto& step : steps) {
      const auto index = plan_.ops.size();
      plan_.ops.push_back(op_of(step));
      note(step);
      add(step.body);
      plan_.ops[index].next = static_cast<std::uint32_t>(plan_.ops.size());
    }
  }

  Op op_of(const scenario::Step& step) {
    Op op;
    op.step = &step;
    if (!step.connection.empty()) op.connection = name(step.connection);
    switch (step.verb) {
      case Verb::connect:
        op.target = to_kernel(step.endpoint.value_or(context_.server));
        break;
      case Verb::option:
        op.option = option_of(step);
        break;
      case Verb::exec:
        op.command = command_of(step.words, actor_, context_);
        break;
      case Verb::print:
        op.text = step.text.ends_with('\n') ? step.text : step.text + '\n';
        break;
      case Verb::relay:
        op.a = name(step.words.at(0));
        op.b = name(step.words.at(1));
        break;
      default:
        break;
    }
    return op;
  }

  void note(const scenario::Step& step) {
    if (step.verb == Verb::signal || step.verb == Verb::wait) Board::shared().declare(step.words.at(0));
    if (step.verb == Verb::print || step.verb == Verb::exec) plan_.output = true;
    if ((step.verb == Verb::send && step.size) || step.verb == Verb::write_file) plan_.pattern = true;
    if (step.timeout) plan_.timeouts = true;
    if (step.verb == Verb::send || step.verb == Verb::recv || step.verb == Verb::recv_exactly ||
        step.verb == Verb::write_file)
      plan_.buffer = std::max(plan_.buffer, std::min<std::size_t>(step.size.value_or(0), kLargestCall));
  }

  int name(const std::string& connection) {
    const auto known = std::find(plan_.names.begin(), plan_.names.end(), connection);
    if (known != plan_.names.end()) return static_cast<int>(known - plan_.names.begin());
    plan_.names.push_back(connection);
    return static_cast<int>(plan_.names.size()) - 1;
  }

  const scenario::Actor& actor_;
  const Context& context_;
  Plan plan_;
};

bool of_a_process(const std::vector<scenario::Step>& steps) {
  return std::any_of(steps.begin(), steps.end(), [](const auto& step) {
    switch (step.verb) {
      case Verb::fork:
      case Verb::exec:
      case Verb::exit:
      case Verb::abort:
      case Verb::crash:
      case Verb::raise:
      case Verb::print:
      case Verb::open_files:
      case Verb::allocate:
      case Verb::spawn_threads:
      case Verb::start_thread:
        return true;
      default:
        return of_a_process(step.body) || (step.verb == Verb::option && step.words.at(0) == "sigpipe");
    }
  });
}

}  // namespace

Plan plan_of(const scenario::Actor& actor, const Context& context) { return Planner(actor, context).plan(); }

bool threads_will_do(const scenario::Actor& actor) {
  return !actor.limits.any() && !actor.cgroup.any() && !actor.seccomp && !of_a_process(actor.steps);
}

}  // namespace lab::actors
