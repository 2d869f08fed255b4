// lab show: a scenario file as it is, or its rules as the kernel prints them back.
#include <iterator>

#include "commands/catalogue.hpp"
#include "commands/commands.hpp"
#include "commands/output.hpp"
#include "run/run.hpp"
#include "system/file.hpp"

namespace lab::commands {

int show(const ShowArguments& arguments) {
  const auto where = catalogue();
  auto output = Output::standard();
  if (arguments.nft) {
    output.stream() << run::kernel_rules(read_one(where, arguments.name));
  } else {
    output.stream() << sys::read_file(find(where, arguments.name));
  }
  output.finish();
  return 0;
}

}  // namespace lab::commands
