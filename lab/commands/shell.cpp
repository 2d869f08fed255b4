// lab shell: a shell, or one command, in the scenario's sandbox.
#include "commands/catalogue.hpp"
#include "commands/commands.hpp"
#include "run/run.hpp"

namespace lab::commands {

int shell(const ShellArguments& arguments) {
  const auto scenario = read_one(catalogue(), arguments.name, {.set = arguments.set});
  return run::shell(scenario, arguments.command,
                    {.rootless = arguments.machine.rootless,
                     .without = arguments.machine.without,
                     .command = arguments.machine.command});
}

}  // namespace lab::commands
